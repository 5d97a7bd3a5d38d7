"""The models, one folder each, behind one Protocol (`textclf.models.model.Model`) and one table.

A folder holds what a model reads (features), its network, its forward pass in numpy (predict), and its ONNX graph. To
add one: write the folder, and a line below. Nothing here knows a config, a path, or a data directory.
"""

from collections.abc import Mapping
from typing import Final

from textclf.errors import UsageError
from textclf.models import bag_mlp, cnn, lstm
from textclf.models.model import Model

MODELS: Final[Mapping[str, Model]] = {
    "mlp": bag_mlp,
    "lstm": lstm,
    "cnn": cnn,
}


def find(name: str) -> Model:
    """The model of that name; raises UsageError if there is none."""
    if name not in MODELS:
        raise UsageError(f"no model named {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]
