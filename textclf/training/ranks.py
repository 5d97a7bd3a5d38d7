"""Ranks: the processes that train one model together, each on its share of every batch. Here is the one that is alone.

All ranks take the same steps from the same weights. Each computes the logits of its own documents; all know the logits
and labels of the whole batch, so that the loss is that of one process with this batch, and so are scores and decisions.
`textclf.training.distributed` has the ranks that torchrun starts.

Shapes: V views of the documents, B documents in a batch of all ranks, S in the share of this rank, C classes.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Protocol

from textclf.errors import ResourceError

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn

    from textclf.training.checkpoint import Progress
    from textclf.training.learner import Learner
    from textclf.training.loop import EarlyStopping


class LostRankError(ResourceError):
    """Another rank has ended; training can be resumed."""


class Ranks(Protocol):
    """What training asks of the ranks."""

    @property
    def rank(self) -> int:
        """Which of them this process is; the first, 0, alone writes files and shows progress."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def local_count(self) -> int:
        """How many of them are on this machine."""

    @property
    def share(self) -> slice:
        """Which documents of a batch this rank reads."""

    def pick(self, name: str) -> "torch.device":
        """The device of this rank; raises UsageError if there is none of that name."""

    def gather(self, own: "Tensor", documents: int) -> "Tensor":
        """Logits (V, B, C) of a batch of B documents from those of this rank's share, (V, S, C), and of the others."""

    def sum_gradients(self, model: "nn.Module") -> None:
        """Add up the gradients of all ranks: each has those of the batch's loss through its own documents."""

    def own_random_numbers(self, device: "torch.device") -> AbstractContextManager[None]:
        """Meanwhile each rank draws other random numbers; before and after, all have the same."""

    def agree(self, number: int) -> int:
        """The largest number that a rank had given before the last step, or this rank now, if it is alone."""

    def remember(self, run: "Path") -> None:
        """Go on with this run if torchrun starts all ranks again."""

    def tell(self, message: "dict[str, Any]") -> None:
        """Say to the others what the first has read, or that it is still reading: none waits for hours then."""

    def hand_out(self, learner: "Learner", stopping: "EarlyStopping", progress: "Progress", run: "Path") -> None:
        """Give the others what the first starts from."""

    def wait(self) -> None:
        """Wait until all ranks have come here."""


class Alone:
    """One process, which has every batch to itself."""

    rank = 0
    count = local_count = 1
    share = slice(None)

    def pick(self, name: str) -> "torch.device":
        """The device of that name."""
        from textclf.training import device

        return device.pick(name)

    def gather(self, own: "Tensor", documents: int) -> "Tensor":
        """The logits as they are."""
        return own

    def sum_gradients(self, model: "nn.Module") -> None:
        """The gradients are complete."""

    def own_random_numbers(self, device: "torch.device") -> AbstractContextManager[None]:
        """Any are its own."""
        return nullcontext()

    def agree(self, number: int) -> int:
        """With itself."""
        return number

    def remember(self, run: "Path") -> None:
        """Nobody starts it again."""

    def tell(self, message: "dict[str, Any]") -> None:
        """To nobody."""

    def hand_out(self, learner: "Learner", stopping: "EarlyStopping", progress: "Progress", run: "Path") -> None:
        """To nobody."""

    def wait(self) -> None:
        """For nobody."""


ALONE: Final = Alone()
