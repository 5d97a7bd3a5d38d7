"""textclf: text classification, from a corpus to a label.

>>> import textclf
>>> textclf.preprocess(source="bbc_news")
>>> textclf.train(tier="small")
>>> textclf.load_model("runs/latest").predict(["Shares fell after the bank cut its forecast"])

`import textclf` takes no time: what a function needs is imported when it is called, and predicting never imports torch.
"""

import textclf.system.search_path  # noqa: F401  first, so that no other module comes from the current folder

# isort: split
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Never

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "Data",
    "Drift",
    "Prediction",
    "Run",
    "Selection",
    "Suspects",
    "TextClassifier",
    "TextclfError",
    "Tuned",
    "drift",
    "load_model",
    "preprocess",
    "resume",
    "runs",
    "select",
    "suspects",
    "train",
    "tune",
]

if TYPE_CHECKING:
    from textclf.errors import TextclfError
    from textclf.estimator import TextClassifier
    from textclf.experiments.drift import Drift
    from textclf.experiments.select import Selection
    from textclf.experiments.suspects import Suspects
    from textclf.experiments.tune import Tuned
    from textclf.inference.classifier import Classifier, Prediction, load_model
    from textclf.results import Data, Run
    from textclf.sources import Documents

_HOMES: Final = {
    "Classifier": "textclf.inference.classifier",
    "Data": "textclf.results",
    "Drift": "textclf.experiments.drift",
    "Prediction": "textclf.inference.classifier",
    "Run": "textclf.results",
    "Suspects": "textclf.experiments.suspects",
    "load_model": "textclf.inference.classifier",
    "Selection": "textclf.experiments.select",
    "TextClassifier": "textclf.estimator",
    "TextclfError": "textclf.errors",
    "Tuned": "textclf.experiments.tune",
}


def preprocess(  # noqa: PLR0913 (written out, so that an editor and a notebook complete them)
    source: "str | PathLike[str] | Sequence[str | PathLike[str]] | Documents" = "bbc_news",
    *,
    name: str | None = None,
    data_dir: str | PathLike[str] = Path("data"),
    subset: str | None = None,
    revision: str | None = None,
    validation: "str | PathLike[str] | Sequence[str | PathLike[str]] | Documents" = (),
    test: "str | PathLike[str] | Sequence[str | PathLike[str]] | Documents" = (),
    text_column: str | Sequence[str] = (),
    label_column: str | None = None,
    label_columns: str | Sequence[str] = (),
    label_separator: str | None = None,
    task: Literal["auto", "single", "multi"] = "auto",
    id_column: str | None = None,
    columns: str | Sequence[str] = (),
    delimiter: str | None = None,
    quote: str | None = None,
    encoding: str | None = None,
    input_format: str = "auto",
    part: str | None = None,
    label_prefix: str | None = None,
    validation_size: float = 0.1,
    test_size: float | None = 0.1,
    strict: bool = False,
    whole_labels: bool = False,
    lowercase: bool = True,
    max_vocab: int = 100_000,
    max_parts: int | None = None,
    min_count: int = 1,
    tensors: Literal["all", "none"] | None = None,
    num_workers: int | None = 1,
    seed: int = 0,
    corrections: str | PathLike[str] | Sequence[str | PathLike[str]] = (),
    add: str | PathLike[str] | Sequence[str | PathLike[str]] = (),
    overwrite: bool = False,
    progress: bool | None = None,
    **unknown: Never,
) -> "Data":
    """Build a data directory from a corpus name, a Hub dataset, files, a folder or documents in memory.

    Documents in memory are a data frame of pandas or polars, an Arrow table, a ``datasets.Dataset``, pairs (text,
    label), or a mapping of splits, such as ``{"train": ..., "test": ...}``; ``validation`` and ``test`` are held in
    memory as the source is, or named. Keywords are explained at `config.PreprocessConfig` and checked before anything
    is read or written. Bars show the ``progress`` in a notebook and on a terminal, unless it is False. It uses one
    process by default, as a script must guard its main module (``if __name__ == "__main__":``) before it may start
    more. Raises `TextclfError`.
    """
    given: dict[str, Any] = locals()
    from textclf import api

    return api.preprocess(given)


def train(  # noqa: PLR0913
    data: "str | PathLike[str] | Sequence[str | PathLike[str]] | Documents | None" = None,
    *,
    tier: Literal["tiny", "small", "mid", "full"] = "mid",
    shots: int | None = None,
    model: str | PathLike[str] = "mlp",
    data_dir: str | PathLike[str] = Path("data"),
    run_dir: str | PathLike[str] = Path("runs"),
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    patience: int | None = None,
    min_gain: float | None = None,
    monitor: Literal["loss", "accuracy", "macro_f1", "micro_f1"] = "loss",
    class_weights: "str | Mapping[str, float]" = "none",
    clip_norm: float = 1.0,
    label_smoothing: float | None = None,
    refit: bool | None = None,
    test: bool = True,
    embedding_size: int | None = None,
    hidden_size: int | None = None,
    dropout: float | None = None,
    word_dropout: float | None = None,
    max_length: int | None = None,
    vectors: str | None = None,
    freeze_vectors: bool = False,
    encoder: str | None = None,
    encoder_limit: int = 2_000_000,
    bundle: bool = True,
    unlabelled: str | PathLike[str] | Sequence[str | PathLike[str]] = (),
    unlabelled_column: str | None = None,
    init_from: str | PathLike[str] | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    store: Literal["packed", "files"] = "packed",
    num_workers: int | None = None,
    resident: bool | None = None,
    progress: bool | None = None,
    **unknown: Never,
) -> "Run":
    """Train a model and return its run.

    The data is a data directory (its name in ``data_dir``, its path, or by default the newest), or whatever
    `preprocess` makes one from with its default settings: documents in memory, a corpus of the catalogue, files.
    Keywords are explained at `config.TrainConfig` and checked before anything is read or written; what is None follows
    from the tier, the model and the documents. A bar shows the ``progress`` in a notebook and on a terminal, unless it
    is False. If torch was imported before, training uses one of its threads and restores their number afterwards; else
    the environment variable ``OMP_WAIT_POLICY`` is set and stays, as torch keeps that policy, too. Threads train in
    turns. Raises `TextclfError`.
    """
    given: dict[str, Any] = locals()
    from textclf import api

    return api.train(given)


def resume(
    run: "str | PathLike[str]" = "runs/latest",
    *,
    code: str | PathLike[str] | Iterable[str | PathLike[str]] = (),
    progress: bool | None = None,
) -> "Run":
    """Train a stopped run to its end, and return it; threads and progress are as in `train`.

    A user's class comes from a file ``code``, or one of several. Raises `TextclfError`.
    """
    from textclf import api

    return api.resume(run, code=code, progress=progress)


def tune(  # noqa: PLR0913
    data: str | PathLike[str] | None = None,
    *,
    tier: Literal["tiny", "small", "mid", "full"] = "mid",
    model: str | PathLike[str] = "mlp",
    time: float | None = None,
    trials: int | None = None,
    metric: str | None = None,
    max_size: int | None = None,
    folds: int | None = None,
    vectors: str | None = None,
    encoder: str | None = None,
    encoder_limit: int = 2_000_000,
    unlabelled: str | PathLike[str] | Sequence[str | PathLike[str]] = (),
    unlabelled_column: str | None = None,
    data_dir: str | PathLike[str] = Path("data"),
    run_dir: str | PathLike[str] = Path("runs"),
    seed: int = 0,
    device: str = "auto",
    resume: str | PathLike[str] | None = None,
    progress: bool | None = None,
    **unknown: Never,
) -> "Tuned":
    """Search the settings of a model by trials on validation, and train a run with the best; needs ``textclf[tune]``.

    The data directory is named, or by default the newest; ``time`` is in seconds and ``max_size`` in bytes. Keywords
    are explained at `config.TuneConfig`. ``resume`` is the ``folder`` of a search that was stopped; of the other
    keywords it takes ``time``, ``trials`` and ``progress`` alone. ``run`` is the run, ``validation`` what its settings
    gain over the defaults. Threads and progress are as in `train`. Raises `TextclfError`.
    """
    given: dict[str, Any] = locals()
    from textclf import api

    return api.tune(given)


def suspects(  # noqa: PLR0913
    data: str | PathLike[str] | None = None,
    *,
    data_dir: str | PathLike[str] = Path("data"),
    folds: int = 5,
    limit: int | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: bool | None = None,
    **unknown: Never,
) -> "Suspects":
    """List the labels of a data directory that are probably wrong, the most suspect first.

    Each document is predicted by a model that has not seen it. The data directory is named, or by default the newest;
    keywords are explained at `config.SuspectsConfig`. ``found`` has a record per suspect, as for
    ``pandas.DataFrame(suspects.found)``; ``write`` makes the list that a person reviews, and that ``corrections`` of
    `preprocess` takes. Threads and progress are as in `train`. Raises `TextclfError`.
    """
    given: dict[str, Any] = locals()
    from textclf import api

    return api.suspects(given)


def select(  # noqa: PLR0913
    texts: Iterable[str],
    *,
    n: int = 100,
    by: Literal["margin", "entropy", "least-confidence", "random", "diverse"] = "margin",
    seed: int = 0,
    labelled: Iterable[str] = (),
    run: str | PathLike[str] = "runs/latest",
    code: str | PathLike[str] | Iterable[str | PathLike[str]] = (),
) -> "Selection":
    """Choose the texts to label next, by a run's own probabilities, the most wanted first.

    ``chosen`` has a record per text, whose id is its place among the texts, from 0; ``write`` makes the list for the
    labeller. Those that are ``labelled`` already are not chosen, and of texts that are nearly the same one is. Memory
    does not grow with an iterator of texts. Raises `TextclfError`.
    """
    given: dict[str, Any] = {"n": n, "by": by, "seed": seed}
    from textclf import api

    return api.select(texts, given, labelled=labelled, run=run, code=code)


def drift(
    texts: Iterable[str],
    *,
    run: str | PathLike[str] = "runs/latest",
    code: str | PathLike[str] | Iterable[str | PathLike[str]] = (),
) -> "Drift":
    """Compare new texts with the documents that a run was tested on.

    ``found`` has the names of what has changed, ``sentences`` says so in words; it is false where nothing has. Memory
    does not grow with an iterator of texts. The run's data must still be there. Raises `TextclfError`.
    """
    from textclf import api

    return api.drift(texts, run=run, code=code)


def runs(run_dir: str | PathLike[str] = "runs") -> "list[Run]":
    """The runs in a folder, the newest first: those that are finished, stopped or just being trained."""
    from textclf import api

    return api.runs_in(run_dir)


def __getattr__(name: str) -> Any:
    """Import a public class or function when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'textclf' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for completion in an editor or a notebook."""
    return sorted([*__all__, "__version__"])
