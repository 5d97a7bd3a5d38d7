"""Every setting of every verb, as frozen dataclasses, and the table of tiers. Knows nothing about files or models.

What the user leaves open is taken from the tier or from the model, in `TrainConfig.create` and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from textclf.errors import UsageError

STORES: Final = ("packed", "files")
PRECISIONS: Final = ("auto", "float32", "bfloat16")

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Tier:
    """A nested, stratified part of the training split, and how long to train on it."""

    share: float
    """Fraction of the training split, before the two bounds."""
    at_least: int
    """Documents, where the training split has as many."""
    at_most: int | None
    """Documents; the cap keeps tiny tiny on millions of documents. None: no cap."""
    epochs: int
    """Passes over the tier at the most; early stopping usually ends sooner."""
    batch_size: int
    """Documents per optimizer step."""
    purpose: str

    def size(self, documents: int) -> int:
        """Documents of the tier in a training split of so many documents."""
        size = max(round(self.share * documents), self.at_least)
        return min(size, documents, self.at_most or documents)


TIERS: Final[Mapping[str, Tier]] = {
    #             share  at least  at most  epochs  batch size
    "tiny": Tier(0.05, 100, 500, 6, 16, "find bugs in seconds"),
    "small": Tier(0.20, 400, 5_000, 30, 32, "see how the model behaves"),
    "mid": Tier(0.50, 1_000, 50_000, 30, 64, "develop"),
    "full": Tier(1.00, 0, None, 30, 64, "the final experiment"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessConfig:
    """`textclf preprocess`: which corpus, which columns, how to split and tokenize it, and where to put it."""

    source: str = "bbc_news"
    """A corpus name, an owner/name on the Hub, a file, or a folder."""
    name: str | None = None
    """Name of the data directory. None: made from the source."""
    data_dir: Path = Path("data")
    config: str | None = None
    """Configuration of a Hub dataset."""
    revision: str | None = None
    """Branch, tag or commit of a Hub dataset."""
    validation: Path | None = None
    test: Path | None = None
    text_column: tuple[str, ...] = ()
    """Columns that make up the text, joined in order. Empty: by the usual names."""
    label_column: str | None = None
    id_column: str | None = None
    encoding: str | None = None
    """Of text files. None: UTF-8, with or without a byte-order mark."""
    validation_size: float = 0.1
    """Fraction of the source's training split, where the source has no validation split."""
    test_size: float = 0.1
    """Fraction of the source's training split, where the source has no test split."""
    strict: bool = False
    """Refuse labels that only validation or test has."""
    lowercase: bool = True
    max_vocab: int = 100_000
    """Words at the most, the most frequent first."""
    min_count: int = 1
    """Occurrences in the training split that make a word part of the vocabulary."""
    num_workers: int | None = None
    """Processes that tokenize and write. None: one per processor."""
    seed: int = 0
    """Of the splits and tiers that we draw."""
    overwrite: bool = False
    """Replace a data directory made from other settings."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Sizes and learning rate of a model, where the user names none. None: not a setting of this model."""

    embedding_size: int | None
    hidden_size: int
    """Units of the hidden layer; of each direction in an LSTM."""
    dropout: float
    """Share of the units before the output layer, and of an LSTM's inputs, that training drops."""
    word_dropout: float | None
    """Share of the tokens that training reads as ``<unk>``."""
    max_length: int | None
    """Tokens read from the start of a document."""
    lr: float
    """Adam's learning rate."""


PRESETS: Final[Mapping[str, Preset]] = {
    #       embedding  hidden  dropout  word dropout  max length  lr
    "mlp": Preset(None, 128, 0.5, None, None, 5e-3),
    "lstm": Preset(128, 96, 0.5, 0.2, 256, 2e-3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """`textclf train`: which tier of which data, which model, and how to train it."""

    tier: str
    model: str
    data: str | None = None
    """A name under ``data_dir``, or a path. None: the newest."""
    data_dir: Path = Path("data")
    run_dir: Path = Path("runs")
    """Folder that holds the runs."""
    epochs: int
    """Passes over the tier at the most."""
    batch_size: int
    """Documents per optimizer step."""
    lr: float
    """Adam's learning rate."""
    patience: int = 5
    """Epochs without a better validation loss after which training stops."""
    clip_norm: float = 1.0
    """Largest gradient norm that a step may have."""
    embedding_size: int | None
    hidden_size: int
    dropout: float
    word_dropout: float | None
    max_length: int | None
    """Tokens read from the start of a document. None: all of them."""
    seed: int = 0
    """Of the initial weights, the order of the documents, and dropout."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    precision: str = "auto"
    """float32 or bfloat16. auto: bfloat16 autocast on CUDA, float32 elsewhere."""
    store: str = "packed"
    """Where batches are read from: packed, or the per-document files."""
    num_workers: int | None = None
    """Loader processes. None: 0 for packed, which is faster without; one per processor for files."""

    @classmethod
    def create(cls, *, tier: str = "mid", model: str = "mlp", **given: Any) -> "TrainConfig":
        """Fill what is missing or None from the tier, the model, and the defaults.

        Raises UsageError on a tier or model that is in neither table and on a setting of another model, TypeError on
        one that does not exist.
        """
        given = {name: value for name, value in given.items() if value is not None}
        for name, choices in (("store", STORES), ("precision", PRECISIONS)):
            if given.get(name, choices[0]) not in choices:
                raise UsageError(f"no {name} named {given[name]!r}; there are {', '.join(choices)}")
        length = _row(TIERS, tier, "tier")
        preset = _row(PRESETS, model, "model")
        if foreign := [name for name, usual in asdict(preset).items() if usual is None and name in given]:
            raise UsageError(f"--{foreign[0].replace('_', '-')} is not a setting of the {model}; leave it out")
        defaults = {"epochs": length.epochs, "batch_size": length.batch_size, **asdict(preset)}
        return cls(tier=tier, model=model, **{**defaults, **given})

    def to_json(self) -> dict[str, Any]:
        """All settings, as JSON can hold them."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrainConfig":
        """Build the settings that `to_json` described."""
        return cls(**{**values, "data_dir": Path(values["data_dir"]), "run_dir": Path(values["run_dir"])})


def _row(table: Mapping[str, Row], name: str, kind: str) -> Row:
    if name not in table:
        raise UsageError(f"no {kind} named {name!r}; there are {', '.join(table)}")
    return table[name]
