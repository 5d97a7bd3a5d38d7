"""What models share that make batches on a device, of documents that are all there: rows end to end, sent and gathered.

Nothing here makes the host wait for the device. A size that only the device knows would; sizes are therefore computed
on the host, from lengths that it keeps.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textclf.text.arrays import offsets


class Rows(NamedTuple):
    """Where R rows of different lengths are in the values on the device. The host knows it, and sends what it needs."""

    starts: NDArray[np.int64]
    """Shape (R,)."""
    lengths: NDArray[np.int64]
    """Shape (R,)."""


class Pieces:
    """Collects arrays on a device, up to a limit of bytes."""

    def __init__(self, device: torch.device, limit: float) -> None:
        self._device, self._room = device, limit
        self._pieces: list[list[Tensor]] = []

    def add(self, *arrays: Tensor) -> bool:
        """Append a piece to each array; False if there is no room for it."""
        self._room -= sum(array.nbytes for array in arrays)
        if self._room < 0:
            return False
        self._pieces.append([array.to(self._device, non_blocking=True) for array in arrays])
        return True

    def join(self) -> list[Tensor]:
        """The arrays. For a moment the largest is there twice."""
        joined = []
        for place in range(len(self._pieces[0])):
            joined.append(torch.cat([pieces[place] for pieces in self._pieces]))
            for pieces in self._pieces:
                pieces[place] = torch.empty(0)
        self._pieces.clear()
        return joined


def send(array: NDArray[Any], device: torch.device) -> Tensor:
    """Copy an array to a device; to a CUDA device from pinned memory, while both go on."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


class Awaited:
    """Numbers on their way from a device, asked for now and read later."""

    def __init__(self, numbers: Tensor) -> None:
        self._numbers = numbers.to("cpu", non_blocking=True)
        self._event = torch.cuda.Event() if numbers.is_cuda else None
        if self._event is not None:
            self._event.record()

    def read(self) -> list[int]:
        """Wait until they are there, and no longer: work that was given to the device later goes on."""
        if self._event is not None:
            self._event.synchronize()
        numbers: list[int] = self._numbers.tolist()
        return numbers


def own(places: NDArray[np.integer], share: slice) -> NDArray[np.integer]:
    """The documents of a batch that this process reads: its share, or the first as a stand-in where it has none."""
    return places[share] if len(places) > (share.start or 0) else places[:1]


def bounds(parts: Iterable[NDArray[Any]]) -> NDArray[np.int64]:
    """Where each of P parts begins and the last one ends, if they are end to end: shape (P + 1,)."""
    return offsets(np.array([len(part) for part in parts], dtype=np.int64))
