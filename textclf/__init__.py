"""textclf: text classification, from a corpus to a label.

>>> import textclf
>>> textclf.preprocess(source="bbc_news")
>>> textclf.train(tier="small")
>>> textclf.load_model("runs/latest").predict(["Shares fell after the bank cut its forecast"])

`import textclf` takes no time: what a function needs is imported when it is called, and predicting never imports torch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

__version__ = "0.1.0"
__all__ = ["Classifier", "Prediction", "TextclfError", "load_model", "preprocess", "resume", "train"]

if TYPE_CHECKING:
    from textclf.errors import TextclfError
    from textclf.inference.classifier import Classifier, Prediction, load_model

_HOMES: Final = {
    "Classifier": "textclf.inference.classifier",
    "Prediction": "textclf.inference.classifier",
    "load_model": "textclf.inference.classifier",
    "TextclfError": "textclf.errors",
}
_PATHS: Final = {"data_dir", "run_dir", "test", "validation"}


def preprocess(source: str | Path = "bbc_news", **settings: Any) -> Path:
    """Build a data directory from a corpus name, a Hub dataset, a file or a folder, and return its path.

    Keywords are the fields of `config.PreprocessConfig`. It uses one process by default, as a script must guard its
    main module (``if __name__ == "__main__":``) before it may start more. Raises `TextclfError`.
    """
    from textclf.config import PreprocessConfig
    from textclf.dataset import build

    config = PreprocessConfig(source=str(source), **{"num_workers": 1, **_plain(settings)})
    return build.preprocess(config)[0]


def train(**settings: Any) -> Path:
    """Train a model and return its run directory.

    Keywords are the fields of `config.TrainConfig`. If torch was imported before, training uses one of its threads and
    restores their number afterwards; else the environment variable ``OMP_WAIT_POLICY`` is set and stays, as torch keeps
    that policy, too. Raises `TextclfError`.
    """
    from textclf import training
    from textclf.config import TrainConfig

    return training.train(TrainConfig.create(**_plain(settings))).root


def resume(run: str | Path = "runs/latest", *, code: Sequence[str | Path] = ()) -> Path:
    """Train a stopped run to its end, and return its run directory; threads are treated as in `train`.

    A user's class comes from one of the files ``code``. Raises `TextclfError`.
    """
    from textclf import training
    from textclf.artefacts import runs

    return training.resume(runs.resolve(Path(run)), code=[Path(file) for file in code]).root


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the types of the configs: a `Path` for a string, a tuple for one column or a list of them."""
    plain = dict(settings)
    for name in plain.keys() & _PATHS:
        plain[name] = Path(plain[name]) if isinstance(plain[name], str) else plain[name]
    if isinstance(plain.get("data"), Path):
        plain["data"] = str(plain["data"])
    if "text_column" in plain:
        columns = plain["text_column"]
        plain["text_column"] = (columns,) if isinstance(columns, str) else tuple(columns)
    return plain


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
