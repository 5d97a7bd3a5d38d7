"""textclf: text classification, from a corpus to a label.

>>> import textclf
>>> textclf.preprocess(source="bbc_news")
>>> textclf.train(tier="small")
>>> textclf.load_model("runs/latest").predict(["Shares fell after the bank cut its forecast"])

`import textclf` takes no time: what a function needs is imported when it is called, and predicting never imports torch.
"""

import textclf.system.search_path  # noqa: F401  first, so that no other module comes from the current folder

# isort: split
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

__version__ = "0.1.0"
__all__ = ["Classifier", "Prediction", "TextClassifier", "TextclfError", "load_model", "preprocess", "resume", "train"]

if TYPE_CHECKING:
    from textclf.errors import TextclfError
    from textclf.estimator import TextClassifier
    from textclf.inference.classifier import Classifier, Prediction, load_model

_HOMES: Final = {
    "Classifier": "textclf.inference.classifier",
    "Prediction": "textclf.inference.classifier",
    "load_model": "textclf.inference.classifier",
    "TextClassifier": "textclf.estimator",
    "TextclfError": "textclf.errors",
}


def preprocess(source: Any = "bbc_news", **settings: Any) -> Path:
    """Build a data directory from a corpus name, a Hub dataset, files, a folder or documents; return its path.

    Documents in memory are a data frame of pandas or polars, an Arrow table, a ``datasets.Dataset``, pairs (text,
    label), or a mapping of splits, such as ``{"train": ..., "test": ...}``. Keywords are the fields of
    `config.PreprocessConfig`, checked before anything is read or written. It uses one process by default, as a script
    must guard its main module (``if __name__ == "__main__":``) before it may start more. Raises `TextclfError`.
    """
    from textclf import sources
    from textclf.config import PreprocessConfig
    from textclf.dataset import build
    from textclf.settings import check_names

    check_names(PreprocessConfig, settings)
    held = source if sources.is_in_memory(source) else None
    given: dict[str, Any] = {"source": source if held is None else "in memory", "num_workers": 1, **settings}
    return build.preprocess(PreprocessConfig(**given), held=held)[0]


def train(**settings: Any) -> Path:
    """Train a model and return its run directory.

    Keywords are the fields of `config.TrainConfig`, checked before anything is read or written. If torch was imported
    before, training uses one of its threads and restores their number afterwards; else the environment variable
    ``OMP_WAIT_POLICY`` is set and stays, as torch keeps that policy, too. Raises `TextclfError`.
    """
    from textclf import training
    from textclf.config import TrainConfig

    return training.train(TrainConfig.create(**settings)).root


def resume(run: str | Path = "runs/latest", *, code: str | Path | Iterable[str | Path] = ()) -> Path:
    """Train a stopped run to its end, and return its run directory; threads are treated as in `train`.

    A user's class comes from a file ``code``, or one of several. Raises `TextclfError`.
    """
    from textclf import training
    from textclf.artefacts import runs
    from textclf.settings import Rule, checked, paths

    return training.resume(runs.resolve(checked("run", run, Rule(Path))), code=paths("code", code)).root


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
