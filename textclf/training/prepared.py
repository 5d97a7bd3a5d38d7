"""What can be made ready for training without torch: documents, vocabulary, inputs, complete settings.

It takes about as long as loading torch does, so the two are done side by side.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

from textclf.config import TrainConfig
from textclf.dataset.directory import UNSEEN, DataDirectory, Part, Store, newest, together
from textclf.errors import ArtefactError, DataError
from textclf.models.bag_mlp.feature_cache import Batch
from textclf.models.model import Features
from textclf.system import files
from textclf.text.tokenizer import Tokenizer

BATCH: Final = 256  # documents read at a time
LONG: Final = 95  # percentile of the lengths that the settings are told


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a training run works with but the model."""

    config: TrainConfig
    """Complete: what the settings left open follows from the documents."""
    data: DataDirectory
    tokens: Store
    tokenizer: Tokenizer
    inputs: Features
    """What the artefact keeps."""
    training_inputs: Callable[..., Any]
    """The same, quicker where a document is read many times."""
    parts: Mapping[str, Part]
    """Of each split; and of train and validation together, as "refit", where the settings ask for that."""
    seconds: float
    """Spent on it."""


def find_data(config: TrainConfig) -> Path:
    """The data directory that the settings mean: a name under ``data_dir``, a path, or the newest."""
    if config.data is None:
        return newest(config.data_dir)
    named = config.data_dir / config.data
    return Path(config.data) if Path(config.data).is_dir() and not named.is_dir() else named


def prepare(config: TrainConfig, data: DataDirectory) -> Prepared:
    """Make everything ready; raises DataError if no document of a split has a label that is known."""
    started = perf_counter()
    tokens = data.store(config.store)
    parts = data.parts(config.tier)
    for split in ("validation", "test"):
        if not (parts[split].labels != UNSEEN).any():
            raise DataError(f"{data.layout.root}: no {split} document has a label that a training document has")
    lengths = parts["train"].lengths
    size = {"documents": len(lengths), "tokens": int(lengths.sum()), "length": int(np.percentile(lengths, LONG))}
    config = config.completed(**size)
    if config.refit:
        parts["refit"] = together(parts["train"], parts["validation"])
    tokenizer = read_tokenizer(data)
    training, validation = (_batches(tokens, parts[split]) for split in ("train", "validation"))
    learn = config.kind.runtime().learn
    inputs, training_inputs = learn(training, validation=validation, tokenizer=tokenizer, max_length=config.max_length)
    tokens = copy(tokens)  # mapped anew, if it is: what was read of it need not stay in memory
    seconds = perf_counter() - started
    return Prepared(config, data, tokens, tokenizer, inputs, training_inputs, parts, seconds)


def read_tokenizer(data: DataDirectory) -> Tokenizer:
    """The vocabulary of a data directory; raises ArtefactError if it is none, or of another size."""
    path = data.layout.tokenizer
    try:
        tokenizer = Tokenizer.from_json(files.parse_object(path.read_bytes()))
        if tokenizer.size != data.manifest.vocabulary:
            raise ValueError(f"it has {tokenizer.size:,} words, and the manifest counts {data.manifest.vocabulary:,}")
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path} is damaged ({error}); rebuild it: textclf preprocess --overwrite") from error
    return tokenizer


def _batches(tokens: Store, part: Part) -> Iterator[Batch]:
    for start in range(0, len(part), BATCH):
        rows = part.rows[start : start + BATCH]
        yield *tokens.gather(rows), rows
