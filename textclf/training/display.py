"""What shows a training run to the user. Needs no torch, so that a command can make one before torch loads."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textclf.artefacts.runs import RunLayout
    from textclf.training.learner import Learner
    from textclf.training.loop import Batches, Epoch
    from textclf.training.meters import Meter
    from textclf.training.setup import Setup


class Display:
    """Shows nothing; a subclass overrides what it wants to show."""

    def begin(self, run: "RunLayout", setup: "Setup", learner: "Learner", *, first_epoch: int) -> None:
        """Training starts, or continues with this epoch."""

    def note(self, line: str) -> None:
        """Something that the user should know."""

    def items(self, items: Iterable[Any], _title: str, _total: int | None) -> Iterable[Any]:
        """Pass through what takes long before training begins."""
        return items

    def watch(self, batches: "Batches", meter: "Meter") -> "Batches":
        """Pass the training batches of one epoch through."""
        return batches

    def epoch(self, epoch: "Epoch") -> None:
        """An epoch has ended."""

    def begin_refit(self, *, documents: int, epochs: int) -> None:
        """Training continues on train and validation."""

    def begin_companion(self, title: str, *, documents: int, epochs: int) -> None:
        """Another classifier, whose title it is, begins to learn."""

    def end(self, metrics: Mapping[str, Any]) -> None:
        """The run has ended with these metrics."""
