"""The run whose weights another one starts from: which it is, and which settings follow from it. Needs no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from textclf.artefacts import runs
from textclf.config import TrainConfig
from textclf.errors import UsageError
from textclf.models import MODELS

SIZES: Final = ("embedding_size", "hidden_size")
"""Settings that decide the shapes of weights: where none is given, it is that of the source."""

ANY_MODEL: Final = "mlp"
"""The default of --model, which stands for that of the source."""


def adopted(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they are given, with the model and the sizes of the run that ``init_from`` names, if it names one.

    ``init_from`` becomes the path of its directory. Raises UsageError if there is no such run, if it has not ended, or
    if its model is another one than the settings name.
    """
    source = given.get("init_from")
    if source is None:
        return dict(given)
    run = runs.resolve(Path(source))
    if not run.metrics.exists():
        raise UsageError(f"{run.root} has not ended; {runs.next_step(run.root)}")
    theirs = runs.read_json(run.config).get("settings", {})
    model = _model(run.root, str(theirs.get("model")), given.get("model"))
    sizes = {name: theirs.get(name) if given.get(name) is None else given[name] for name in SIZES}
    return {**given, "model": model, **sizes, "init_from": run.root.resolve()}


def _model(root: Path, theirs: str, given: Any) -> Any:
    """The model to train, given the one that the source has and the one that the settings name."""
    if given in (None, ANY_MODEL, theirs) and theirs in MODELS:
        return theirs
    name = str(given).rpartition(":")[2]
    if name == theirs:
        return given
    if theirs in MODELS:
        raise UsageError(f"{root} has the model {theirs}, and --model is {given}: leave out --model, or --init-from")
    raise UsageError(f"{root} has a model of your own, {theirs}: name its class, too: --model FILE.py:{theirs}")


def unseen(run: runs.RunLayout, fingerprints: tuple[str, ...]) -> bool:
    """Whether a run has surely not learned from validation and test documents of the data with these fingerprints.

    They are those of the data, and of what it has grown from.
    """
    record = runs.read_json(run.config).get("init_from", {})
    return runs.data_of(run).fingerprint in fingerprints and bool(record.get("unseen", True))


def source_of(config: TrainConfig) -> runs.RunLayout | None:
    """The run whose weights a run with these settings starts from; raises UsageError if it is there no more."""
    if config.init_from is None:
        return None
    run = runs.RunLayout(config.init_from)
    if not run.metrics.exists():
        raise UsageError(f"no finished run {run.root}, whose weights training starts from (--init-from)")
    return run
