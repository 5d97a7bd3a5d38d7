"""Which processor to train on, in which precision, with which random numbers, and what if its memory is too small."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

import torch
from torch import Tensor

from textclf.errors import ResourceError, UsageError
from textclf.system.wording import counted


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
            f"this machine has {counted(torch.cuda.device_count(), 'CUDA device')}, and no {name}; try --device auto"
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


def free_memory(device: torch.device) -> float:
    """Bytes that can still be allocated on a CUDA device; of others, which share the machine's memory, no limit."""
    if device.type != "cuda":
        return inf
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def random_state(device: torch.device) -> Tensor:
    """Where the device's random numbers are, shape (N,), uint8: to go on with the same."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else torch.get_rng_state()


def set_random_state(device: torch.device, state: Tensor) -> None:
    """Go on with the random numbers that came next then; raises RuntimeError if it is of another kind of device."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.set_rng_state(state)


@contextmanager
def naming_lack_of_memory(*, batch_size: int) -> Iterator[None]:
    """Raise ResourceError with the batch size to try, when memory runs out; other errors as they are."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch.OutOfMemoryError is a RuntimeError; the CPU's allocator raises a plain one.
        is_lack = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
        if not is_lack:
            raise
        advice = f"try --batch-size {batch_size // 2}" if batch_size > 1 else "try a smaller --hidden-size"
        raise ResourceError(f"out of memory with batches of {counted(batch_size, 'document')}; {advice}") from error
