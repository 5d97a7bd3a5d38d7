"""The models, one folder each, behind one Protocol (`textclf.models.model.Model`) and one table.

A folder holds what a model reads (features), its network, its forward pass in numpy (predict), and its ONNX graph. To
add one: write the folder, and a line below. Nothing here knows a config, a path, or a data directory.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from textclf.errors import UsageError
from textclf.models import bag_mlp, cnn, lstm, user
from textclf.models.model import Model
from textclf.settings import nearest

if TYPE_CHECKING:
    from torch import nn

MODELS: Final[Mapping[str, Model]] = {
    "mlp": bag_mlp,
    "lstm": lstm,
    "cnn": cnn,
}


def find(name: str) -> Model:
    """The built-in model of that name; raises UsageError if there is none. Runs no code of others."""
    if name not in MODELS:
        raise UsageError(f"no model named {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]


def find_user_model(name: str) -> user.UserModel | None:
    """The class that the user names, as ``FILE.py:CLASS`` or as an installed package offers it; None for a built-in.

    Raises UsageError if there is no model of that name, or if the file or the class cannot be used.
    """
    if name in MODELS:
        return None
    found = user.named(name)
    if found is None:
        raise UsageError(unknown(name))
    return found


def is_known(name: str) -> bool:
    """Whether there can be such a model: it is built-in, installed, or names a file, which is not looked for."""
    return name in MODELS or ":" in name or name.endswith(".py") or name in user.code.entry_points()


def unknown(name: str) -> str:
    """What is said of a name that no model has."""
    known = (*MODELS, *user.code.entry_points())
    others = f"there are {', '.join(known)}, and a class of your own: FILE.py:CLASS"
    return f"no model named {name!r}; {nearest(name, known)}{others}"


def summary(model: "nn.Module") -> str:
    """A line for each layer: its name, kind, shape of its parameters, and how many they are."""
    rows = [
        (name, str(layer).split("(")[0], " ".join(str(tuple(p.shape)) for p in own), f"{sum(p.numel() for p in own):,}")
        for name, layer in model.named_modules()
        if (own := list(layer.parameters(recurse=False)))
    ]
    rows.append(("total", "", "", f"{parameters(model):,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {shapes:<{widths[2]}}  {count:>{widths[3]}}"
        for name, kind, shapes, count in rows
    )


def parameters(model: "nn.Module") -> int:
    """Number of trained parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
