"""Which processor to train on, and in which precision."""

import torch

from textclf.errors import UsageError


def pick(name: str) -> torch.device:
    """The device of that name; ``auto``: CUDA, else MPS, else the CPU. Raises UsageError if there is none such here."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"no device {name!r}; there are auto, cpu, cuda, cuda:N and mps") from error
    if device.type not in {"cpu", "cuda", "mps"}:
        raise UsageError(f"no device {name!r}; there are auto, cpu, cuda, cuda:N and mps")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"this machine has {torch.cuda.device_count()} CUDA devices, and {name} is none of them; try --device auto"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("this machine has no MPS device; try --device auto")
    return device


def autocast(precision: str, device: torch.device) -> torch.dtype | None:
    """Type of matrix products: bfloat16 if asked for, or by default where CUDA is fast at it; None leaves float32."""
    by_default = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.bfloat16 if precision == "bfloat16" or (precision == "auto" and by_default) else None


def name(device: torch.device) -> str:
    """The device for people: its type, and the model of a GPU."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
