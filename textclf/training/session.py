"""What a training run works with: documents, inputs, model, optimizer and batches, put together from settings."""

from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Final, TypeVar

import numpy as np
import torch
from torch import nn

from textclf.config import TrainConfig
from textclf.dataset.directory import DataDirectory
from textclf.models.bag_mlp.feature_cache import FeatureCache
from textclf.models.model import Features
from textclf.system.startup import processors
from textclf.text.tokenizer import Tokenizer
from textclf.training import device
from textclf.training.batches import (
    BatchLoader,
    EpochSampler,
    LengthSortedSampler,
    SkipCached,
    TokenDataset,
    make_loader,
    to_device,
)
from textclf.training.learner import Learner
from textclf.training.loop import EarlyStopping
from textclf.training.optimizer import Adam
from textclf.training.prepared import Prepared, prepare

MOST_WORKERS: Final = 8  # loader processes; more only wait for each other

Setting = TypeVar("Setting", int, float)


@dataclass(frozen=True, slots=True)
class Session:
    """All that the training loop and its end need."""

    config: TrainConfig
    data: DataDirectory
    tokenizer: Tokenizer
    inputs: Features
    learner: Learner
    batches: dict[str, BatchLoader]
    """Of each split; and of train and validation together, as "refit", where the settings ask for that."""
    stopping: EarlyStopping
    device: torch.device
    training_inputs: Any
    """The same as the inputs, quicker where a document is read many times."""
    seconds: float
    """Spent putting it together."""

    def end(self) -> nn.Module:
        """Take no more steps: let go of what they alone need, more than half of the memory; returns the model."""
        if isinstance(self.training_inputs, FeatureCache):
            self.training_inputs.clear()
        return self.learner.end()


def assemble(config: TrainConfig, data: DataDirectory) -> Session:
    """Put data, model and optimizer together, as the settings say; what they leave open follows from the documents."""
    return complete(prepare(config, data))


def complete(prepared: Prepared) -> Session:
    """Add the model, the optimizer and the batches to what is ready."""
    started = perf_counter()
    config, data = prepared.config, prepared.data
    processor = device.pick(config.device)
    batches = _loaders(prepared, processor)
    learner = begin(config, prepared.inputs, batches["train"], classes=len(data.manifest.labels), processor=processor)
    stopping = EarlyStopping(given(config.patience), min_gain=config.min_gain)
    seconds = prepared.seconds + perf_counter() - started
    return Session(
        config,
        data,
        prepared.tokenizer,
        prepared.inputs,
        learner,
        batches,
        stopping,
        processor,
        prepared.training_inputs,
        seconds,
    )


def begin(
    config: TrainConfig, inputs: Features, batches: BatchLoader, *, classes: int, processor: torch.device
) -> Learner:
    """A model to be trained on these batches, and its optimizer; settings end here: they become plain arguments."""
    architecture = config.kind.architecture()
    torch.manual_seed(config.seed % 2**63)
    model = architecture.network(**network_arguments(config, inputs, classes=classes)).to(processor)
    if architecture.head_start is not None:
        batches.batch_sampler.epoch = 0  # type: ignore[union-attr]  # their order, too, follows from the seed
        architecture.head_start(model, (to_device(batch, processor) for batch in batches))
    return Learner.of(model, Adam(model.parameters(), lr=given(config.lr), fused=processor.type != "mps"))


def network_arguments(config: TrainConfig, inputs: Features, *, classes: int) -> dict[str, Any]:
    """Keyword arguments of the network: the sizes that follow from the data, and the settings that it has."""
    settings = {name: getattr(config, name) for name in config.kind.architecture().settings}
    given = {name: value for name, value in settings.items() if value is not None}
    return {**inputs.sizes, "classes": classes, **given}


def _loaders(prepared: Prepared, processor: torch.device) -> dict[str, BatchLoader]:
    """A DataLoader for each part: what is trained on is shuffled anew each epoch, the rest is in order of length."""
    config, architecture = prepared.config, prepared.config.kind.architecture()
    inputs, tokens = prepared.training_inputs, prepared.tokens
    if isinstance(inputs, FeatureCache) and config.store == "packed":
        tokens = SkipCached(tokens, inputs.has)
    collate = partial(architecture.collate, inputs=inputs)
    loaders = {}
    for name, part in prepared.parts.items():
        trained_on = name in ("train", "refit")
        lengths = np.minimum(part.lengths, config.max_length or np.iinfo(np.int64).max)
        sampler = (
            EpochSampler(
                len(part),
                batch_size=given(config.batch_size),
                seed=config.seed,
                lengths=lengths if architecture.sorts_by_length else None,
            )
            if trained_on
            else LengthSortedSampler(part.lengths)
        )
        workers = _workers(config, processor) if trained_on else 0
        dataset = TokenDataset(tokens, *part)
        loaders[name] = make_loader(
            dataset, sampler, collate, num_workers=workers, device=processor, ids=prepared.data.documents.id
        )
    return loaders


def given(value: Setting | None) -> Setting:
    """A setting that `TrainConfig.completed` has filled in."""
    if value is None:
        raise ValueError("the settings are not complete")
    return value


def _workers(config: TrainConfig, processor: torch.device) -> int:
    """Loader processes: as told, or none where the packed store keeps a CPU busy without them."""
    if config.num_workers is not None:
        return config.num_workers
    return 0 if config.store == "packed" and processor.type == "cpu" else min(processors(), MOST_WORKERS)
