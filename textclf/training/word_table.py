"""The vectors of words that the embeddings of a run begin with, read before its first step. Works without torch."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from textclf import word_vectors
from textclf.artefacts import runs
from textclf.errors import UsageError
from textclf.system.wording import counted, percent
from textclf.training.display import Display
from textclf.training.setup import Setup, WordTable
from textclf.word_vectors import store

if TYPE_CHECKING:
    from textclf.word_vectors import Found

NEEDS: Final = "--vectors is for models that have an embedding for each word, the lstm and the cnn"


def with_words(setup: Setup, display: Display, *, run: runs.RunLayout | None = None) -> Setup:
    """The setup with the vectors of the words of its vocabulary, if its settings name some.

    ``run``: the one that is resumed; with a checkpoint it has them already, and they are not read again. Raises what
    `word_vectors.read` raises, and UsageError if they are others than those of the run, or the model has no use for
    them.
    """
    config = setup.config
    if config.vectors is None:
        return setup
    initial = config.kind.architecture().initial_columns
    if initial is None:
        raise UsageError(f"{NEEDS}, not the {config.model}: leave it out, or name one of these with --model")
    before = runs.read_json(run.config)["vectors"] if run else None
    if before is not None and run is not None and run.last.exists():
        return replace(setup, words=WordTable(None, before))
    kept = store.find(config.vectors)
    found = word_vectors.read(kept.path, setup.tokenizer.words, progress=display.items)
    record = {**kept.about, **_record(setup, found)}
    if before is not None and before["hash"] != record["hash"]:
        raise UsageError(
            f"{kept.path} has other vectors than when the run started; put the first ones there again, or train a new "
            "model: textclf train"
        )
    display.note(_line(record))
    return replace(setup, words=WordTable(initial(setup.features, found.values, found.is_found), record))


def _record(setup: Setup, found: "Found") -> dict[str, Any]:
    """What config.json and metrics.json say of the vectors."""
    import hashlib

    tokens = _occurrences(setup)
    return {
        "kind": found.kind,
        "dimension": found.dimension,
        "words": found.words,
        "found": {
            "words": int(found.is_found.sum()),
            "vocabulary": float(found.is_found[2:].mean()) if len(found.is_found) > 2 else 0.0,
            "tokens": float(tokens[found.is_found].sum() / max(tokens.sum(), 1)),
        },
        "is_frozen": setup.config.freeze_vectors,
        "hash": hashlib.sha256(found.is_found.tobytes() + found.values.tobytes()).hexdigest(),
    }


def _occurrences(setup: Setup) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """How often the training documents have each word, shape (V,)."""
    size = setup.tokenizer.size
    counts = np.zeros(size, dtype=np.int64)
    for tokens, _, _ in setup.batches("train"):
        counts += np.bincount(tokens[tokens < size], minlength=size)
    return counts


def _line(record: dict[str, Any]) -> str:
    found = record["found"]
    return (
        f"vectors {record['name']}, {counted(record['dimension'], 'dimension')}: {percent(found['vocabulary'])} of the "
        f"words, {percent(found['tokens'])} of the training tokens"
    )
