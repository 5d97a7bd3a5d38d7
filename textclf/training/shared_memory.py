"""The shared memory through which loader processes hand over batches: looked at before the first of them starts.

Torch puts each tensor of a batch there, and Python the locks of its queues. On Linux it is the file system /dev/shm,
which has 64 MB in a container unless it was started with more (``docker run --shm-size``). See
https://docs.pytorch.org/docs/stable/multiprocessing.html#sharing-strategies.
"""

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from torch import Tensor
from torch.utils.data import get_worker_info

from textclf.system.wording import counted

FOLDER: Final = Path("/dev/shm")  # noqa: S108  the one that the C library uses
_PAGE: Final = 4096  # bytes; a tensor takes whole pages
_FILES: Final = 6  # that a loader process and the queues to it keep open
_OTHER_FILES: Final = 10  # that training opens meanwhile


def lack(loader: Any, *, folder: Path = FOLDER) -> str | None:
    """Why the processes of a `BatchLoader` could not hand over their batches; None: they can, or it has none.

    Each tensor on its way is an open file. The batch of the longest documents is made once, in this process, to see
    how large batches may become.
    """
    if not loader.num_workers or sys.platform != "linux":
        return None
    import resource  # which Windows does not have

    try:
        multiprocessing.Lock()
        free = _free(folder)
    except OSError as error:
        return f"{folder} cannot be used ({error.strerror or error})"
    most = loader.num_workers * loader.prefetch_factor + 1  # made and not yet used, and the one in use
    tensors = _largest_batch(loader)
    processes = counted(loader.num_workers, "loader process", "loader processes")
    files = most * len(tensors) + loader.num_workers * _FILES + _OTHER_FILES + _open_files()
    if files > (limit := resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        return f"{processes} may need {files} open files, and the limit is {limit} (ulimit -n)"
    needed = most * sum(tensors)
    if needed <= free:
        return None
    return f"{folder} has {counted(free, 'free byte')}, and {processes} may need {needed:,}"


def hand_over(batch: Any) -> Any:
    """In a loader process: put the tensors of a batch into shared memory, where a failure reaches the main process.

    Left to the queue, its thread would print a traceback, and the main process wait for the batch until its timeout.
    """
    if get_worker_info() is not None:
        for tensor in batch:
            if isinstance(tensor, Tensor) and tensor.numel():
                tensor.share_memory_()
    return batch


def _free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _largest_batch(loader: Any) -> list[int]:
    """Bytes of each tensor of the batch of the longest documents."""
    longest = np.argsort(loader.dataset.lengths)[-loader.batch_sampler.batch_size :]
    batch = loader.collate_fn(loader.dataset.__getitems__(longest))
    return [-(-tensor.nbytes // _PAGE) * _PAGE for tensor in batch if isinstance(tensor, Tensor)]
