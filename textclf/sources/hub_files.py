"""Single files of the Hugging Face Hub, of one commit. No code of a repository is run."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from textclf.errors import DataError
from textclf.system import failures

PROBE_SECONDS: Final = 10.0
"""Timeout of the first request."""


def download(repository: str, names: Sequence[str], *, commit: str) -> dict[str, Path]:
    """The files of the model ``owner/name`` by name, in the Hub's own cache; what is there already is not fetched.

    Raises DataError with the reason if the Hub cannot be reached or lacks one, ResourceError if the machine lacks
    something.
    """
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    kept = {name: try_to_load_from_cache(repository, name, revision=commit) for name in names}
    if all(isinstance(path, str) for path in kept.values()):
        return {name: Path(str(path)) for name, path in kept.items()}
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it would tell of each attempt
    try:
        # without attempts, so that no answer is reported at once: a download gives up after half a minute
        HfApi().model_info(repository, revision=commit, timeout=PROBE_SECONDS)
        return {name: Path(hf_hub_download(repository, name, revision=commit)) for name in names}
    except (HTTPError, OSError, ValueError) as error:
        raise failures.refused(error, f"the cache of {repository}") or DataError(_reason(error)) from error
    finally:
        logger.setLevel(level)


def _reason(error: BaseException) -> str:
    """The first line of the innermost error: the outer ones do not say what is wrong."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return str(error).partition("\n")[0] or type(error).__name__
