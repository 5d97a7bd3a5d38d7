"""The layers of a network, for people, and how many parameters it has."""

from torch import nn


def summary(model: nn.Module) -> str:
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


def parameters(model: nn.Module) -> int:
    """Number of trained parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
