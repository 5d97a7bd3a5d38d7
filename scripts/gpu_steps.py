"""How fast a device takes training steps, beside a copy and a random gather on it: documents/s, bytes, bandwidth.

Documents are drawn, not read: their number, length and vocabulary decide the speed. The steps are those of
`textclf.training.loop`, with the documents on the device and with the loader.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import product
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from textclf.models import bag_mlp, cnn, lstm
from textclf.models.bag_mlp.features import BagInputs
from textclf.models.model import Architecture
from textclf.models.sequences.features import Sequences
from textclf.text.arrays import offsets, places
from textclf.training import loop
from textclf.training.batches import BatchLoader, EpochSampler, TokenDataset, make_loader
from textclf.training.learner import Adam, Learner
from textclf.training.loop import StepOptions
from textclf.training.objective import Softmax
from textclf.training.resident import ResidentLoader

Figures = dict[str, Any]

CLASSES: Final = 8
VIEWS: Final = 2
SKEW: Final = 3.0
"""Features are drawn as this power of a uniform number: few are frequent, as words are."""
FLOAT: Final = 4
"""Bytes of a weight."""


class Sizes(NamedTuple):
    """What is measured, in numbers."""

    copied: int
    """Bytes of the tensor that is copied."""
    features: int
    width: int
    per_document: int
    """Features of a document."""
    documents: int
    batch: int
    loaded: int
    """Documents of an epoch with the loader, which is slower."""
    vocabulary: int
    longest: int
    """Tokens of the longest document; the shortest has a tenth of them."""
    sequences: int
    """Documents of the models that read tokens in order."""
    workers: int


ON_CARD: Final = Sizes(2 << 30, 4_000_000, 64, 764, 65_536, 1024, 16_384, 50_000, 256, 32_768, 8)
"""A table of 1 GB, with its moments 3 GB: no card has a cache of that size."""
ON_CPU: Final = Sizes(1 << 24, 5_000, 16, 40, 512, 128, 512, 500, 20, 256, 0)
"""To see that all of it runs; the figures say nothing."""


class Drawn:
    """Weighted bags of drawn features, called as a `FeatureCache`; also the store of documents without tokens."""

    def __init__(self, sizes: Sizes) -> None:
        random = np.random.default_rng(0)
        self._size = sizes.per_document // VIEWS
        count = sizes.documents * VIEWS * self._size
        drawn = random.random(count, dtype=np.float32) ** SKEW
        self.features = np.minimum(drawn * sizes.features, sizes.features - 1).astype(np.int32)
        self.weights = random.random(count, dtype=np.float32)
        self._documents = sizes.documents

    def gather(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """No tokens."""
        return np.empty(0, dtype=np.int32), np.zeros(len(indices), dtype=np.int64)

    def __call__(
        self, _tokens: NDArray[np.int32], _lengths: NDArray[np.int64], rows: NDArray[np.int64] | None = None
    ) -> BagInputs:
        """The bags of these documents."""
        if rows is None:
            raise ValueError("documents are found by their rows")
        bags = (np.arange(VIEWS)[:, None] * self._documents + rows).ravel()
        at = places(bags * self._size, np.full(len(bags), self._size))
        starts = np.arange(len(bags), dtype=np.int64) * self._size
        return BagInputs(self.features[at], starts, self.weights[at])


class DrawnTokens:
    """A store of documents of drawn tokens."""

    def __init__(self, sizes: Sizes) -> None:
        random = np.random.default_rng(0)
        self.lengths = random.integers(max(sizes.longest // 10, 1), sizes.longest + 1, sizes.sequences)
        self._starts = offsets(self.lengths)[:-1]
        drawn = random.random(int(self.lengths.sum()), dtype=np.float32) ** SKEW
        self._tokens = (2 + drawn * (sizes.vocabulary - 3)).astype(np.int32)

    def gather(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Token ids end to end, and lengths."""
        return self._tokens[places(self._starts[indices], self.lengths[indices])], self.lengths[indices]


class Measured(NamedTuple):
    """A model and its documents."""

    name: str
    architecture: Architecture
    inputs: Any
    store: Any
    lengths: NDArray[np.int64]
    arguments: Figures
    """Of its network, but for the classes."""


def measure(device: torch.device, sizes: Sizes, *, tell: Callable[[str], None]) -> Figures:
    """All figures of a device; ``tell`` gets a line about each, and about what is left out."""
    record: Figures = {"sizes": sizes._asdict(), "rows": []}
    record |= {"copy": copy_bandwidth(device, sizes), "gather": gather_bandwidth(device, sizes)}
    tell(f"copy {record['copy'] / 1e9:,.1f} GB/s, random gather {record['gather'] / 1e9:,.1f} GB/s (read and written)")
    for model in models(sizes):
        for is_resident, precision in _ways(model, device):
            row = steps(model, device, sizes, is_resident=is_resident, precision=precision)
            if "bytes_per_document" in row:
                row["share_of_copy"] = row["bytes_per_document"] * row["documents_per_second"] / record["copy"]
            record["rows"].append(row)
            tell(shown(row))
        if device.type != "cuda" and model.name != "mlp":
            tell(f"left out: {model.name} in bfloat16, which needs a CUDA device")
    return record


def _ways(model: Measured, device: torch.device) -> Iterator[tuple[bool, str]]:
    """Whether the documents are on the device, and the type of matrix products."""
    precisions = ["float32"]
    if device.type == "cuda":
        precisions = ["bfloat16"] if model.name == "mlp" else ["bfloat16", "float32"]
    yield from product((True, False), precisions)


def copy_bandwidth(device: torch.device, sizes: Sizes) -> float:
    """Bytes per second, read and written, of a copy of a large tensor."""
    source = torch.ones(sizes.copied // FLOAT, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / seconds_of(lambda: target.copy_(source), device)


def gather_bandwidth(device: torch.device, sizes: Sizes) -> float:
    """Bytes per second, read and written, of a gather of random rows from a table."""
    table = torch.ones((sizes.features, sizes.width), device=device)
    rows = torch.randint(sizes.features, (sizes.features,), generator=torch.Generator().manual_seed(0)).to(device)
    found = torch.empty_like(table)
    seconds = seconds_of(lambda: torch.index_select(table, 0, rows, out=found), device)
    return (2 * found.nbytes + rows.nbytes) / seconds


def seconds_of(work: Callable[[], object], device: torch.device, *, repeats: int = 10) -> float:
    """Mean seconds of some work on a device, after a first time that is not counted."""
    work()
    wait(device)
    started = perf_counter()
    for _ in range(repeats):
        work()
    wait(device)
    return (perf_counter() - started) / repeats


def wait(device: torch.device) -> None:
    """Wait until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def models(sizes: Sizes) -> Iterator[Measured]:
    """The models with documents for each; the next is made when the last is measured."""
    bags = Drawn(sizes)
    lengths = np.full(sizes.documents, sizes.per_document)
    arguments: Figures = {"features": sizes.features, "views": VIEWS, "hidden_size": sizes.width, "dropout": 0.5}
    yield Measured("mlp", bag_mlp.architecture(), bags, bags, lengths, arguments)
    del bags
    tokens = DrawnTokens(sizes)
    for kind in (lstm, cnn):
        preset = kind.PRESET
        chosen = {name: getattr(preset, name) for name in ("embedding_size", "hidden_size", "dropout", "word_dropout")}
        if sizes is ON_CPU:
            chosen |= {"embedding_size": 8, "hidden_size": 8}
        inputs, name = Sequences(sizes.vocabulary, sizes.longest, pieces=1), kind.__name__.rpartition(".")[2]
        arguments = {"vocabulary": sizes.vocabulary, **chosen}
        yield Measured(name, kind.architecture(), inputs, tokens, tokens.lengths, arguments)


def steps(model: Measured, device: torch.device, sizes: Sizes, *, is_resident: bool, precision: str) -> Figures:
    """Train for two epochs, the second of which is measured."""
    torch.manual_seed(0)
    network = model.architecture.network(classes=CLASSES, **model.arguments).to(device)
    learner = Learner.of(network, Adam(network, lr=1e-3, fused=device.type != "mps"))
    autocast = torch.bfloat16 if precision == "bfloat16" else None
    options = StepOptions(device, Softmax(0.05), autocast=autocast, clip_norm=1.0, check_every=10**9)
    with closing(loader(model, device, sizes, is_resident=is_resident)) as batches:
        loop.train_epoch(learner, batches, 1, options=options)
        wait(device)
        started = perf_counter()
        meter, clock = loop.train_epoch(learner, batches, 2, options=options)
        wait(device)
        elapsed, profile = perf_counter() - started, clock.stop()
        row: Figures = {
            "model": model.name,
            "precision": precision,
            "resident": is_resident and batches.is_resident,  # type: ignore[attr-defined]
            "documents_per_second": meter.documents / elapsed,
            "waiting_for_data": (profile["load"] + profile["collate"]) / sum(profile.values()),
        }
        if row["resident"] and model.name == "mlp":
            entries, rows = (
                sum(map(len, each)) for each in zip(*((b.features, b.columns) for b in batches), strict=True)
            )
            row["bytes_per_document"] = least_bytes(entries, rows, width=sizes.width) / meter.documents
    return row


def least_bytes(entries: int, rows: int, *, width: int) -> int:
    """Bytes that a step of the mlp must at least read and write, in a table that no cache holds.

    entries: features of the batch, each a row of ``width`` weights to read, with its id and weight, and the same two
    again column by column. rows: distinct features, whose gradient is written and read once, and whose weights and
    second moment, one number, Adam reads and writes. Sums of bags are small, and stay in a cache.
    """
    row = width * FLOAT
    return entries * (row + 16) + rows * (2 * row + 2 * (row + FLOAT))


def loader(model: Measured, device: torch.device, sizes: Sizes, *, is_resident: bool) -> BatchLoader:
    """Batches of a model's documents."""
    count = len(model.lengths) if is_resident else min(len(model.lengths), sizes.loaded)
    labels = np.random.default_rng(0).integers(CLASSES, size=count)
    lengths = model.lengths[:count]
    dataset = TokenDataset(model.store, np.arange(count), labels, lengths)
    by_length = lengths if model.architecture.sorts_by_length else None
    sampler = EpochSampler(count, batch_size=sizes.batch, seed=0, lengths=by_length)
    hold = model.architecture.resident
    return make_loader(
        dataset,
        sampler,
        partial(model.architecture.collate, inputs=model.inputs),
        num_workers=sizes.workers,
        device=device,
        kind=partial(ResidentLoader, hold=hold, processor=device) if is_resident and hold else BatchLoader,
    )


def shown(row: Figures) -> str:
    """A line about the steps of a model."""
    how = "on the device" if row["resident"] else "by the loader"
    line = f"{row['model']:<5} {row['precision']:<9} documents {how}: {row['documents_per_second']:>12,.0f} documents/s"
    if "bytes_per_document" not in row:
        return f"{line}, {row['waiting_for_data']:.1%} of the time waiting for data"
    return f"{line}, {row['bytes_per_document'] / 1e6:.2f} MB each, {row['share_of_copy']:.1%} of a copy's bandwidth"
