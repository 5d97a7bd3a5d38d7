"""What a training run works with: documents, inputs, model, optimizer and batches, put together from settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np
import torch
from torch import nn
from torch.optim import Adam, Optimizer

from textclf import loading
from textclf.config import TrainConfig
from textclf.errors import DataError
from textclf.loading import BatchLoader, EpochSampler, InOrder, TokenDataset
from textclf.machine import processors
from textclf.models import ARCHITECTURES
from textclf.store.directory import UNSEEN, DataDirectory, newest
from textclf.text import Inputs
from textclf.training import device
from textclf.training.loop import EarlyStopping

EVALUATION_BATCH: Final = 256  # documents; larger than in training, as no gradients are kept
PREPARE_BATCH: Final = 1024  # documents read at a time before training
MOST_WORKERS: Final = 8  # loader processes; more only wait for each other


@dataclass(frozen=True, slots=True)
class Session:
    """All that the training loop and its end need."""

    config: TrainConfig
    data: DataDirectory
    inputs: Inputs
    model: nn.Module
    optimizer: Optimizer
    batches: dict[str, BatchLoader]
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
    """Put data, model and optimizer together, as the settings say."""
    started = perf_counter()
    processor = device.pick(config.device)
    parts = loading.datasets(data, tier=config.tier, store=config.store)
    for split in ("validation", "test"):
        if not (parts[split].labels != UNSEEN).any():
            raise DataError(f"{data.layout.root}: no {split} document has a label that a training document has")
    inputs = _prepare(config, parts["train"], data.manifest.vocabulary)
    torch.manual_seed(config.seed % 2**63)
    model = _build(config, data).to(processor)
    optimizer = Adam(model.parameters(), lr=config.lr, fused=processor.type != "mps")  # five times faster on a CPU, too
    batches = _loaders(config, parts, inputs, processor)
    stopping = EarlyStopping(config.patience)
    return Session(config, data, inputs, model, optimizer, batches, stopping, processor, perf_counter() - started)


def _prepare(config: TrainConfig, documents: TokenDataset, vocabulary: int) -> Inputs:
    """Learn from the training documents how to make the model's inputs."""
    starts = range(0, len(documents), PREPARE_BATCH)
    examples = (documents.__getitems__(range(start, min(start + PREPARE_BATCH, len(documents)))) for start in starts)
    return ARCHITECTURES[config.model].prepare(examples, vocabulary=vocabulary, max_length=config.max_length)


def _build(config: TrainConfig, data: DataDirectory) -> nn.Module:
    """A model with fresh weights; settings end here, and it is built from plain arguments."""
    sizes = {name: getattr(config, name) for name in ("embedding_size", "hidden_size", "dropout", "word_dropout")}
    return ARCHITECTURES[config.model].module(
        vocabulary=data.manifest.vocabulary,
        classes=len(data.manifest.labels),
        **{name: value for name, value in sizes.items() if value is not None},
    )


def _loaders(
    config: TrainConfig, parts: Mapping[str, TokenDataset], inputs: Inputs, processor: torch.device
) -> dict[str, BatchLoader]:
    """A DataLoader for each split: train shuffled anew each epoch, the others in order of length."""
    architecture = ARCHITECTURES[config.model]
    lengths = np.minimum(parts["train"].lengths, config.max_length or np.iinfo(np.int64).max)
    samplers: dict[str, EpochSampler | InOrder] = {
        split: InOrder(part.lengths, batch_size=EVALUATION_BATCH) for split, part in parts.items()
    }
    samplers["train"] = EpochSampler(
        len(parts["train"]),
        batch_size=config.batch_size,
        seed=config.seed,
        lengths=lengths if architecture.buckets else None,
    )
    collate = partial(architecture.collate, inputs=inputs)
    workers = _workers(config, processor)
    return {
        split: loading.batches(
            part, samplers[split], collate, num_workers=workers if split == "train" else 0, device=processor
        )
        for split, part in parts.items()
    }


def _workers(config: TrainConfig, processor: torch.device) -> int:
    """Loader processes: as told, or none where the packed store keeps a CPU busy without them."""
    if config.num_workers is not None:
        return config.num_workers
    return 0 if config.store == "packed" and processor.type == "cpu" else min(processors(), MOST_WORKERS)
