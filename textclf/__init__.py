"""textclf: text classification, from a corpus to a label.

>>> import textclf
>>> textclf.preprocess(source="bbc_news")
>>> textclf.train(tier="small")
>>> textclf.load_model("runs/latest").predict(["Shares fell after the bank cut its forecast"])
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Classifier", "Prediction", "TextclfError", "load_model", "preprocess", "train"]

if TYPE_CHECKING:
    from textclf.api import preprocess, train
    from textclf.errors import TextclfError
    from textclf.inference.classifier import Classifier, Prediction, load_model

_HOMES = {
    "Classifier": "textclf.inference.classifier",
    "Prediction": "textclf.inference.classifier",
    "load_model": "textclf.inference.classifier",
    "TextclfError": "textclf.errors",
    "preprocess": "textclf.api",
    "train": "textclf.api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import textclf` costs nothing, and predicting never loads torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'textclf' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
