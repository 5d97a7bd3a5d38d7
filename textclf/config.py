"""The settings of each command, as frozen dataclasses, and the table of tiers. Knows no files.

A setting that the user does not give comes from the tier (`TrainConfig.create`), or from the model and the number and
length of the training documents (`TrainConfig.completed`); nothing else fills settings.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import log2, sqrt
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from textclf.errors import UsageError
from textclf.models import find, find_user_model
from textclf.models.model import Model
from textclf.models.user import UserModel
from textclf.settings import Choice, Range, Rule, check, check_names, checked, nearest

STORES: Final = ("packed", "files")
PRECISIONS: Final = ("auto", "float32", "bfloat16")
TENSORS: Final = ("all", "none")
TASKS: Final = ("auto", "single", "multi")
SELECT_BY: Final = ("margin", "entropy", "least-confidence", "random", "diverse")
TENSORS_UP_TO: Final = 200_000
"""Maximum number of documents that get a tensor file each by default: a file takes 4 KB, however short the text is."""
MOST_WORKERS: Final = 1_024
"""Maximum number of processes: more is a typing error, and would stop the machine."""

Count = Annotated[int, Range(0)]
Size = Annotated[int, Range(1, 2**31 - 1)]
Positive = Annotated[float, Range(0, with_low=False)]
Share = Annotated[float, Range(0, 1, with_high=False)]
SplitSize = Annotated[float, Range(0, 1, with_low=False, with_high=False)]
Workers = Annotated[int, Range(1, MOST_WORKERS)]
Folds = Annotated[int, Range(2, 100)]
Shots = Annotated[int, Range(2, 1_000_000)]
Loaders = Annotated[int, Range(0, MOST_WORKERS)]

LARGEST_BATCH: Final = 8
"""Largest default batch, as a multiple of the smallest."""

FEW_DOCUMENTS: Final = 1_000
"""Number of training documents below which the smallest default batch is halved, as an epoch would have too few steps.

Below it the validation loss is noisy as well, so the patience is at least FEW_PATIENCE epochs.
"""

FEW_PATIENCE: Final = 2

REFIT_AT_MOST: Final = 50_000
"""Maximum number of training documents with which a run is refitted by default: more gain nothing from validation."""

REFIT_EPOCHS: Final = 2
"""Extra epochs on train + validation after early stopping."""

REFIT_FROM: Final = 4
"""First best epoch with which a run is refitted by default.

Over 69 runs on 23 corpora and noisy or small parts of them, measured on a fifth of their training documents, two more
epochs lowered the loss wherever the validation loss had fallen for four epochs, by 5 % on average. Where it had fallen
for one or two, they raised it by 4 %, and the error of the probabilities from 0.06 to 0.09.
"""

EPOCHS_WITH_REFIT: Final = 1
"""Default maximum of epochs of a run that starts from the weights of another, before its refit, which is two more."""
EPOCHS_WITHOUT_REFIT: Final = 3
"""The same without a refit, as many as with one. Not measured: validation ends a run that needs fewer."""

MOST_PARTS: Final = 100_000
"""Default maximum number of subwords."""

PARTS_UP_TO: Final = 5_000_000
"""Maximum number of training tokens with which subwords are learned by default: with more, words alone suffice."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Tier:
    """A nested, stratified part of the training split, and how long to train on it."""

    share: float
    """Fraction of the training split, before the next two limits."""
    at_least: int
    """Minimum number of documents, if the training split has that many."""
    at_most: int | None
    """Maximum number of documents, so that tiny stays tiny on millions of them. None: no maximum."""
    epochs: int
    """Maximum number of epochs; early stopping usually ends training sooner."""
    purpose: str

    def size(self, documents: int) -> int:
        """Number of documents of the tier, given the number in the training split."""
        size = max(round(self.share * documents), self.at_least)
        return min(size, documents, self.at_most or documents)


TIERS: Final[Mapping[str, Tier]] = {
    #             share  at least  at most  epochs
    "tiny": Tier(0.05, 100, 500, 6, "find bugs in seconds"),
    "small": Tier(0.20, 400, 5_000, 30, "see how the model behaves"),
    "mid": Tier(0.50, 1_000, 50_000, 30, "develop"),
    "full": Tier(1.00, 0, None, 30, "the final experiment"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessConfig:
    """`textclf preprocess`: which corpus, which columns, how to split and tokenize it, and where to put it."""

    source: tuple[str, ...] = ("bbc_news",)
    """A corpus name, an owner/name on the Hub, a folder, or files; names of files may be patterns or URLs, as in
    data/*.csv and s3://bucket/*.csv."""
    name: str | None = None
    """Name of the data directory. None: made from the source."""
    data_dir: Path = Path("data")
    subset: str | None = None
    """Configuration of a Hub dataset."""
    revision: str | None = None
    """Branch, tag or commit of a Hub dataset."""
    validation: tuple[str, ...] = ()
    """A folder, or files, with the validation split."""
    test: tuple[str, ...] = ()
    text_column: tuple[str, ...] = ()
    """Columns that make up the text, joined in order. Empty: the column with a usual name."""
    label_column: str | None = None
    label_columns: tuple[str, ...] = ()
    """Columns that say with 1 or 0 whether a document has the label that each is named for, in place of label_column;
    anger..trust stands for those from one to another."""
    label_separator: str | None = None
    """What is between several labels in one cell."""
    task: Annotated[str, Choice(TASKS)] = "auto"
    """Whether a document has a single label or multiple ones. auto: as the source has them."""
    id_column: str | None = None
    columns: tuple[str, ...] = ()
    """Names of all columns, in order, of a CSV or TSV file without a header line."""
    delimiter: str | None = None
    """Character between the fields of a CSV or TSV file. None: that of the format, or another one that is plain."""
    quote: str | None = None
    """Character around fields of a CSV or TSV file, or "" for none. None: a double quote, and none with tabs."""
    encoding: str | None = None
    """Encoding of text files. None: UTF-8, with or without a byte-order mark."""
    input_format: str = "auto"
    """Format of the files. auto: by their names and, where these do not say, by their beginnings."""
    part: str | None = None
    """The list of documents in a JSON file (a dotted path), or the sheet of a workbook, that has several."""
    label_prefix: str | None = None
    """How words begin that are labels, in fastText lines. None: __label__; empty: the first word is the label."""
    validation_size: SplitSize = 0.1
    """Fraction of the source's training split, where the source has no validation split."""
    test_size: SplitSize | None = 0.1
    """Fraction of the source's training split, where the source has no test split. None: no test split is drawn."""
    strict: bool = False
    """Refuse labels that only validation or test has."""
    whole_labels: bool = False
    """Accept labels that look like lists of labels: each is a class of its own."""
    lowercase: bool = True
    max_vocab: Size = 100_000
    """Maximum number of words; the most frequent are kept."""
    max_parts: Count | None = None
    """Maximum number of subwords. None: MOST_PARTS, or 0 if there are more than PARTS_UP_TO training tokens."""
    min_count: Size = 1
    """Minimum number of occurrences in the training split for a word to enter the vocabulary."""
    tensors: Annotated[str, Choice(TENSORS)] | None = None
    """Whether each document gets a tensor file of its own. None: all do, if there are at most TENSORS_UP_TO."""
    num_workers: Workers | None = None
    """Number of processes that tokenize and write. None: one per processor."""
    seed: Count = 0
    """Random seed for the splits and tiers that are drawn."""
    corrections: tuple[str, ...] = ()
    """Reviewed lists of wrong labels, applied in this order; names of files may be patterns or URLs."""
    add: tuple[str, ...] = ()
    """Files, folders or URLs whose documents join a data directory that is there: see `textclf.dataset.grow`."""
    overwrite: bool = False
    """Replace a data directory made from other settings."""

    def __post_init__(self) -> None:
        """Check the fields; raises UsageError."""
        check(self)

    def has_tensors(self, *, documents: int, up_to: int = TENSORS_UP_TO) -> bool:
        """Whether each document gets a tensor file, given the number of documents."""
        return documents <= up_to if self.tensors is None else self.tensors == "all"

    def parts(self, *, tokens: int) -> int:
        """Maximum number of subwords, given the number of training tokens."""
        if self.max_parts is not None:
            return self.max_parts
        return MOST_PARTS if tokens <= PARTS_UP_TO else 0


NONE: Final = "none"
BALANCED: Final = "balanced"

MOST_ENCODED: Final = 2_000_000
"""Default maximum of tokens that a sentence encoder reads: about ten minutes."""

MONITORS: Final = ("loss", "accuracy", "macro_f1", "micro_f1")

MULTI_PATIENCE: Final = 3
"""Epochs without a better validation loss, where documents may have several labels."""
MULTI_GAIN: Final = 0.002


LEAVES_STEPS_ALONE: Final = {
    "data", "data_dir", "run_dir", "epochs", "test", "store", "num_workers", "resident", "encoder_limit", "bundle",
}  # fmt: skip
"""Settings that change no training step: folders, how documents are read, the maximum of epochs, what is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """`textclf train`: which tier of which data, which model, and how to train it."""

    tier: str
    shots: Shots | None = None
    """Documents of each label of the tier to train on, a tenth of them as validation; `seed` draws them. The other
    documents of train and validation are not read. None: all documents."""
    model: str
    """Name in `textclf.models.MODELS`, or of the user's class."""
    user_model: UserModel | None = None
    """The user's class, if the model is not built in; JSON does not have it."""
    data: str | None = None
    """A path, a name under ``data_dir``, or a unique beginning of one. None: the newest."""
    data_dir: Path = Path("data")
    run_dir: Path = Path("runs")
    """Folder that holds the runs."""
    epochs: Size
    """Maximum number of epochs: by tier, and few from the weights of another run."""
    batch_size: Size | None = None
    """Documents per optimizer step. None: from their number, for about as many steps per epoch as the preset says."""
    lr: Positive | None = None
    """Adam's learning rate. None: from the model and the batch size."""
    patience: Size | None = None
    """Epochs without a better validation loss after which training stops. None: the preset, more for few documents."""
    min_gain: Share | None = None
    """Fraction by which an epoch must lower the validation loss to be better. None: the preset."""
    monitor: Annotated[str, Choice(MONITORS)] = "loss"
    """The validation figure by which the best epoch is chosen."""
    class_weights: str = "none"
    """Weight of each class in the training loss: none, balanced, or a JSON object from label to weight."""
    clip_norm: Positive = 1.0
    """Maximum gradient norm of a step."""
    label_smoothing: Share | None = None
    """Share of the target's probability that is spread over all classes. None: the preset, 0 for several labels."""
    refit: bool | None = None
    """Train REFIT_EPOCHS more on train + validation. None: if the best epoch is REFIT_FROM or later, or training starts
    from another run, and preset, tier (one with all training documents) and their number allow it."""
    test: bool = True
    """Evaluate the finished model on the test split. False: the split is not read, as while settings are chosen."""
    embedding_size: Size | None = None
    """Length of a word's embedding. None: the preset, more for the lstm on many long documents."""
    hidden_size: Size | None = None
    """Units of the hidden layer or direction, or filters per width. None: the preset, more for the lstm on many long
    documents, less for the mlp on long text."""
    dropout: Share | None = None
    """None: the preset."""
    word_dropout: Share | None = None
    """None: the preset."""
    max_length: Size | None = None
    """Tokens read from the start of a document. None: all for the mlp, else the preset, or less if 95 % are shorter."""
    vectors: str | None = None
    """Vectors of words that the embeddings begin with, of an lstm or a cnn: a file or folder, or a name. None: none."""
    freeze_vectors: bool = False
    """Whether these vectors stay as they are, and only the other columns of the embeddings learn."""
    encoder: str | None = None
    """A sentence encoder whose vectors a second classifier learns from: its name, or a folder. None: none."""
    encoder_limit: Size = MOST_ENCODED
    """Maximum number of tokens that the encoder reads."""
    bundle: bool = True
    """Whether the model has a copy of the encoder's files. False: it names the encoder, which must be added where it
    predicts."""
    unlabelled: tuple[str, ...] = ()
    """Files of texts without labels; from them and the documents word vectors are learned, and from these a second
    classifier. Names may be patterns or URLs."""
    unlabelled_column: str | None = None
    """The column of the texts in these files. None: that of the documents, or a usual name."""
    init_from: Path | None = None
    """Directory of the run whose weights training starts from, as far as both know the same. None: from chance."""
    seed: Count = 0
    """Random seed for weights, data order and dropout."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    precision: Annotated[str, Choice(PRECISIONS)] = "auto"
    """float32 or bfloat16. auto: bfloat16 autocast on CUDA, float32 elsewhere."""
    store: Annotated[str, Choice(STORES)] = "packed"
    """Where token ids are read: the packed copy, or the file of each document."""
    num_workers: Loaders | None = None
    """Number of loader processes. None: 0 for the packed store on a CPU, else one per processor."""
    resident: bool | None = None
    """Keep the documents of train and validation on the device, if they fit. None: on CUDA."""

    def __post_init__(self) -> None:
        """Check the fields; raises UsageError."""
        check(self)
        _check_vectors(self)
        if self.unlabelled and not self.bundle:
            raise UsageError("--no-bundle is for an encoder, and word vectors are part of the model: leave it out")

    @classmethod
    def create(cls, *, tier: str | None = None, model: str | None = None, **given: Any) -> "TrainConfig":
        """Fill settings that are missing or None from the tier and the defaults, but for what `completed` fills.

        The model is a name in `textclf.models.MODELS`, or what `textclf.models.find_user_model` finds and runs.
        Raises UsageError for an unknown tier or model, for a setting that does not exist or that the model does not
        have, and for a value that a setting cannot have.
        """
        check_names(cls, given)
        given = {name: value for name, value in given.items() if value is not None}
        if isinstance(weights := given.get("class_weights"), Mapping):
            given["class_weights"] = json.dumps(dict(weights), ensure_ascii=False)
        tier = "mid" if tier is None else checked("tier", tier, Rule(str))
        model = "mlp" if model is None else checked("model", model, Rule(str))
        length = _row(TIERS, tier, "tier")
        user_model = find_user_model(model)
        model = user_model.name if user_model else model
        preset = (user_model or find(model)).PRESET
        if foreign := [name for name, usual in asdict(preset).items() if usual is None and name in given]:
            whose = f"{model}; add {foreign[0]} to its __init__, or" if user_model else f"the {model};"
            raise UsageError(f"--{foreign[0].replace('_', '-')} is not a setting of {whose} leave it out")
        epochs = length.epochs
        if "init_from" in given:
            is_refit = given.get("refit", preset.refits and tier == "full")
            epochs = min(epochs, EPOCHS_WITH_REFIT if is_refit else EPOCHS_WITHOUT_REFIT)
        return cls(tier=tier, model=model, user_model=user_model, **{"epochs": epochs, **given})

    @property
    def kind(self) -> Model:
        """What the model brings."""
        return self.user_model or find(self.model)

    def completed(self, *, documents: int, tokens: int, length: int, is_multi: bool = False) -> "TrainConfig":
        """Fill settings from the model and the training documents: their number, tokens, 95th percentile of lengths.

        is_multi: whether a document may have several labels.

        The rules were chosen on validation splits of corpora from 2,000 to 15,000 documents.
        """
        preset = self.kind.preset_for(documents=documents, tokens=tokens)
        usual = 2 ** round(log2(max(documents, 1) / preset.steps))
        few = documents < FEW_DOCUMENTS
        smallest = preset.smallest_batch // 2 if few else preset.smallest_batch
        batch_size = self.batch_size or min(max(usual, smallest), LARGEST_BATCH * preset.smallest_batch)
        patience = max(preset.patience, FEW_PATIENCE if few else 0, MULTI_PATIENCE if is_multi else 0)
        gain, smoothing = (MULTI_GAIN, 0.0) if is_multi else (preset.min_gain, preset.label_smoothing)
        may_refit = preset.refits and self._has_all(documents) and documents <= REFIT_AT_MOST
        return replace(
            self,
            embedding_size=self.embedding_size or preset.embedding_size,
            hidden_size=self.hidden_size or preset.hidden_size,
            dropout=preset.dropout if self.dropout is None else self.dropout,
            word_dropout=preset.word_dropout if self.word_dropout is None else self.word_dropout,
            batch_size=batch_size,
            lr=self.lr or preset.lr * sqrt(batch_size / preset.smallest_batch),
            patience=self.patience or patience,
            min_gain=gain if self.min_gain is None else self.min_gain,
            label_smoothing=smoothing if self.label_smoothing is None else self.label_smoothing,
            max_length=self.max_length or (preset.max_length and min(preset.max_length, length)),
            refit=self._refit(may_refit),
        )

    def _has_all(self, documents: int) -> bool:
        """Whether no training document is left out but for an experiment: then those of validation count, too.

        Over six development corpora with 8, 16 and 64 documents of each label, learning from all of them gave 0.4 to
        0.8 points of accuracy. Folds in place of the tenth that is validation, to choose the epochs, the weights of the
        classifiers and the temperature, did not give more.
        """
        return self.tier == "full" or self.shots is not None or documents < TIERS[self.tier].at_least

    def _refit(self, may_refit: bool) -> bool | None:
        """Whether there is a refit, given whether there may be one by default; None: the best epoch decides.

        One that starts from another run is over soon, and has learned for more epochs than it counts.
        """
        if self.refit is not None:
            return self.refit
        return (True if self.init_from else None) if may_refit else False

    def refits(self, *, best_epoch: int) -> bool:
        """Whether a run of these completed settings with this best epoch is refitted."""
        return best_epoch >= REFIT_FROM if self.refit is None else self.refit

    def to_json(self) -> dict[str, Any]:
        """All settings, as JSON values."""
        values = asdict(replace(self, user_model=None))
        del values["user_model"]
        values["unlabelled"] = list(self.unlabelled)
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}

    def shaping_steps(self) -> dict[str, Any]:
        """The settings that must not change when a run is resumed, as JSON values."""
        return {name: value for name, value in self.to_json().items() if name not in LEAVES_STEPS_ALONE}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], *, user_model: UserModel | None = None) -> "TrainConfig":
        """Build the settings that `to_json` described; the user's class, if there was one, must be given again.

        Raises LookupError, TypeError or ValueError if they are none: a file may be damaged.
        """
        try:
            return cls(**{**values, "user_model": user_model})
        except UsageError as error:
            raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectsConfig:
    """`textclf suspects`: which data, and how its documents are predicted by models that have not seen them."""

    data: str | None = None
    """A path, a name under ``data_dir``, or a unique beginning of one. None: the newest."""
    data_dir: Path = Path("data")
    folds: Folds = 5
    """Parts that the documents are divided into: each is predicted by a model that was trained on the others."""
    limit: Size | None = None
    """Maximum number of rows, the most suspect first. None: as many as confident learning estimates."""
    seed: Count = 0
    """Random seed for the folds, and for weights, data order and dropout."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""

    def __post_init__(self) -> None:
        """Check the fields; raises UsageError."""
        check(self)


TUNE_SECONDS: Final = 600.0
"""How long `textclf tune` searches, if neither a time nor a number of trials is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneConfig:
    """`textclf tune`: what is tuned on which data, by which figure, and for how long."""

    data: str | None = None
    """A path, a name under ``data_dir``, or a unique beginning of one. None: the newest."""
    data_dir: Path = Path("data")
    run_dir: Path = Path("runs")
    """Folder that holds the runs; the folder of the search is made there, too."""
    tier: str = "mid"
    model: str = "mlp"
    """Name in `textclf.models.MODELS`, or of the user's class, as ``FILE.py:CLASS``."""
    time: Positive | None = None
    """Seconds of search, over all its sessions. None: TUNE_SECONDS, or no limit if ``trials`` is given."""
    trials: Size | None = None
    """Number of trials, the defaults included. None: as many as the time allows."""
    metric: str | None = None
    """The validation figure to raise: see `textclf.evaluation.goal`. None: accuracy, or micro-f1 of several labels."""
    max_size: Size | None = None
    """Maximum bytes of the exported model. None: nothing is exported."""
    folds: Folds | None = None
    """Parts of train + validation, each predicted by a model trained on the others. None: validation is predicted."""
    vectors: str | None = None
    """As `TrainConfig` has it, like the next four: what every trial learns from."""
    encoder: str | None = None
    encoder_limit: Size = MOST_ENCODED
    unlabelled: tuple[str, ...] = ()
    unlabelled_column: str | None = None
    seed: Count = 0
    """Random seed for the search, and for weights, data order and dropout."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""

    def __post_init__(self) -> None:
        """Check the fields; raises UsageError."""
        check(self)
        _check_vectors(self)

    @property
    def learns_from(self) -> dict[str, Any]:
        """The settings of `TrainConfig` that every trial has."""
        names = ("vectors", "encoder", "encoder_limit", "unlabelled", "unlabelled_column")
        return {name: getattr(self, name) for name in names}

    @property
    def seconds(self) -> float | None:
        """Maximum seconds of search; None: no limit."""
        return TUNE_SECONDS if self.time is None and self.trials is None else self.time


@dataclass(frozen=True, slots=True)
class SelectConfig:
    """`textclf select`: how many texts are chosen, and by what."""

    n: Size = 100
    """Number of texts to choose."""
    by: Annotated[str, Choice(SELECT_BY)] = "margin"
    """What makes a text worth a label: see `textclf.experiments.select`."""
    seed: Count = 0
    """Random seed for ``random``, and for the clusters of ``diverse``."""

    def __post_init__(self) -> None:
        """Check the fields; raises UsageError."""
        check(self)


def _check_vectors(config: TrainConfig | TuneConfig) -> None:
    """Raise UsageError if vectors of documents are to be made in two ways, or a column is named of no file."""
    if config.unlabelled_column is not None and not config.unlabelled:
        raise UsageError("--unlabelled-column is of the files of --unlabelled: add --unlabelled FILE")
    if config.unlabelled and config.encoder is not None:
        raise UsageError("--encoder and --unlabelled both make vectors of documents: leave out one of them")


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The differences between two records, in words: "seed was 0 and is 1"."""
    names = [*before, *(name for name in now if name not in before)]
    differing = [name for name in names if before.get(name) != now.get(name)]
    return [f"{name} was {before.get(name)!r} and is {now.get(name)!r}" for name in differing]


def _row(table: Mapping[str, Row], name: str, kind: str) -> Row:
    if name not in table:
        raise UsageError(f"no {kind} named {name!r}; {nearest(name, table)}there are {', '.join(table)}")
    return table[name]
