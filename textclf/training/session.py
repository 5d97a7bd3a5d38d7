"""What a training run works with: documents, inputs, model, optimizer and batches, put together from settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final, TypeVar

import numpy as np
import torch

from textclf import atomic, loading
from textclf.config import TrainConfig
from textclf.errors import DataError
from textclf.loading import BatchLoader, EpochSampler, InOrder, TokenDataset
from textclf.machine import processors
from textclf.models import ARCHITECTURES
from textclf.store.directory import UNSEEN, DataDirectory, newest
from textclf.text import Inputs
from textclf.text.tokenizer import Tokenizer
from textclf.training import device
from textclf.training.loop import EarlyStopping, Learner
from textclf.training.optimizer import RowAdam

EVALUATION_BATCH: Final = 256  # documents; larger than in training, as no gradients are kept
PREPARE_BATCH: Final = 1024  # documents read at a time before training
LONG: Final = 95  # percentile of the lengths that the settings are told
MOST_WORKERS: Final = 8  # loader processes; more only wait for each other

Setting = TypeVar("Setting", int, float)


@dataclass(frozen=True, slots=True)
class Session:
    """All that the training loop and its end need."""

    config: TrainConfig
    data: DataDirectory
    tokenizer: Tokenizer
    inputs: Inputs
    learner: Learner
    batches: dict[str, BatchLoader]
    """Of each split; and of train and validation together, as "refit", where the settings ask for that."""
    stopping: EarlyStopping
    device: torch.device
    seconds: float
    """Spent putting it together."""


def find_data(config: TrainConfig) -> Path:
    """The data directory that the settings mean: a name under ``data_dir``, a path, or the newest."""
    if config.data is None:
        return newest(config.data_dir)
    named = config.data_dir / config.data
    return Path(config.data) if Path(config.data).is_dir() and not named.is_dir() else named


def assemble(config: TrainConfig, data: DataDirectory) -> Session:
    """Put data, model and optimizer together, as the settings say; what they leave open follows from the documents."""
    started = perf_counter()
    processor = device.pick(config.device)
    parts = loading.datasets(data, tier=config.tier, store=config.store)
    for split in ("validation", "test"):
        if not (parts[split].labels != UNSEEN).any():
            raise DataError(f"{data.layout.root}: no {split} document has a label that a training document has")
    length = int(np.percentile(parts["train"].lengths, LONG))
    size = {"documents": len(parts["train"]), "tokens": int(parts["train"].lengths.sum()), "length": length}
    config = config.completed(**size)
    if config.refit:
        parts["refit"] = loading.together(parts["train"], parts["validation"])
    tokenizer = Tokenizer.from_json(atomic.read_object(data.layout.tokenizer))
    inputs = _prepare(config, parts["train"], tokenizer)
    batches = _loaders(config, parts, inputs, processor)
    learner = begin(config, inputs, batches["train"], classes=len(data.manifest.labels), processor=processor)
    stopping = EarlyStopping(config.patience, min_gain=config.min_gain)
    seconds = perf_counter() - started
    return Session(config, data, tokenizer, inputs, learner, batches, stopping, processor, seconds)


def begin(
    config: TrainConfig, inputs: Inputs, batches: BatchLoader, *, classes: int, processor: torch.device
) -> Learner:
    """A model to be trained on these batches, and its optimizer; settings end here: they become plain arguments."""
    architecture = ARCHITECTURES[config.model]
    torch.manual_seed(config.seed % 2**63)
    sizes = {name: getattr(config, name) for name in ("embedding_size", "hidden_size", "dropout", "word_dropout")}
    sizes = {**inputs.sizes, **{name: value for name, value in sizes.items() if value is not None}}
    model = architecture.module(classes=classes, **sizes).to(processor)
    if architecture.head_start is not None:
        batches.batch_sampler.epoch = 0  # type: ignore[union-attr]  # their order, too, follows from the seed
        architecture.head_start(model, (loading.to_device(batch, processor) for batch in batches))
    # fused is five times faster, on a CPU, too
    return Learner.of(model, RowAdam(model.parameters(), lr=_given(config.lr), fused=processor.type != "mps"))


def _prepare(config: TrainConfig, documents: TokenDataset, tokenizer: Tokenizer) -> Inputs:
    """Learn from the training documents how to make the model's inputs."""
    starts = range(0, len(documents), PREPARE_BATCH)
    examples = (documents.__getitems__(range(start, min(start + PREPARE_BATCH, len(documents)))) for start in starts)
    return ARCHITECTURES[config.model].prepare(examples, tokenizer=tokenizer, max_length=config.max_length)


def _loaders(
    config: TrainConfig, parts: Mapping[str, TokenDataset], inputs: Inputs, processor: torch.device
) -> dict[str, BatchLoader]:
    """A DataLoader for each part: what is trained on is shuffled anew each epoch, the rest is in order of length."""
    architecture = ARCHITECTURES[config.model]
    collate = partial(architecture.collate, inputs=architecture.remembered(inputs))
    loaders = {}
    for name, part in parts.items():
        trained_on = name in ("train", "refit")
        lengths = np.minimum(part.lengths, config.max_length or np.iinfo(np.int64).max)
        sampler = (
            EpochSampler(
                len(part),
                batch_size=_given(config.batch_size),
                seed=config.seed,
                lengths=lengths if architecture.buckets else None,
            )
            if trained_on
            else InOrder(part.lengths, batch_size=EVALUATION_BATCH)
        )
        workers = _workers(config, processor) if trained_on else 0
        loaders[name] = loading.batches(part, sampler, collate, num_workers=workers, device=processor)
    return loaders


def _given(value: Setting | None) -> Setting:
    """A setting that `TrainConfig.completed` has filled in."""
    if value is None:
        raise ValueError("the settings are not complete")
    return value


def _workers(config: TrainConfig, processor: torch.device) -> int:
    """Loader processes: as told, or none where the packed store keeps a CPU busy without them."""
    if config.num_workers is not None:
        return config.num_workers
    return 0 if config.store == "packed" and processor.type == "cpu" else min(processors(), MOST_WORKERS)
