"""What TensorBoard shows of a run. Tags follow the lecture: ``Loss/train``, ``Accuracy/validation`` and so on."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from textclf.evaluation import plots
from textclf.evaluation.calibration import reliability
from textclf.evaluation.metrics import confusion
from textclf.models.arithmetic import softmax
from textclf.training.loop import Epoch
from textclf.training.meters import Score

MOST_CURVES: Final = 20
"""Classes that get a precision-recall curve."""


class Examined(NamedTuple):
    """A finished model on the test split: D documents, C classes."""

    epoch: int
    names: Sequence[str]
    labels: NDArray[np.int64]
    """Shape (D,)."""
    raw: NDArray[np.float32]
    """Logits before calibration, shape (D, C)."""
    logits: NDArray[np.float32]
    """Calibrated logits, shape (D, C)."""
    mistakes: str
    """Markdown."""
    words: Sequence[str]
    embeddings: NDArray[np.float32]
    """One row a word."""


@contextmanager
def left_to_the_next_call() -> Iterator[None]:
    """Say nothing when TensorBoard's thread cannot write its file: the next call of the writer raises that again."""
    hook = threading.excepthook
    threading.excepthook = lambda failure: None if isinstance(failure.exc_value, OSError) else hook(failure)
    try:
        yield
    finally:
        threading.excepthook = hook


class Tracker:
    """Writes one event file into the run directory; the horizontal axis is the epoch."""

    def __init__(self, run: Path, *, first_epoch: int = 1) -> None:
        self._writer = SummaryWriter(str(run), purge_step=first_epoch)

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def introduce(self, summary: str, settings: Mapping[str, Any]) -> None:
        """Show the model's layers and their sizes, and what the run was told."""
        self._writer.add_text("Model", _preformatted(summary), 0)
        self._writer.add_text("Settings", _preformatted(json.dumps(settings, indent=2)), 0)

    def epoch(self, epoch: Epoch) -> None:
        """Add a point to every curve."""
        self._score("train", epoch.train._asdict(), epoch.number)
        self._score("validation", epoch.validation._asdict(), epoch.number)
        self._writer.add_scalar("Training/learning_rate", epoch.learning_rate, epoch.number)
        self._writer.add_scalar("Training/gradient_norm", epoch.gradient_norm, epoch.number)
        self._writer.add_scalar("Training/documents_per_second", epoch.train.documents / epoch.seconds, epoch.number)
        for stage, seconds in epoch.profile.items():
            self._writer.add_scalar(f"Seconds/{stage}", seconds, epoch.number)
        self._writer.flush()

    def refit(self, score: Score, epoch: int) -> None:
        """Add a point to the curves of the training that includes the validation documents."""
        self._score("refit", score._asdict(), epoch)

    def finish(self, settings: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        """Show the test score at the epoch its weights are from, and a row of the HParams table."""
        self._score("test", metrics["test"], metrics["best_epoch"])
        figures = {
            f"Final/{split}_{name}": metrics[split][name]
            for split in ("validation", "test")
            for name in ("accuracy", "macro_f1", "loss")
        }
        shown = {
            name: value if isinstance(value, int | float | str) else str(value) for name, value in settings.items()
        }
        # SummaryWriter.add_hparams would open an event file in a folder of its own, which TensorBoard lists as a run
        for summary in hparams(shown, figures):
            self._writer._get_file_writer().add_summary(summary)
        for name, value in figures.items():
            self._writer.add_scalar(name, value, metrics["best_epoch"])

    def examine(self, found: Examined) -> None:
        """Show how the finished model errs on test: confusion, reliability, PR curves, the surest mistakes, its words.

        Words go to the projector tab, which lays them out by their embeddings.
        """
        step, names = found.epoch, found.names
        raw, calibrated = reliability(found.labels, found.raw), reliability(found.labels, found.logits)
        answers, probabilities = found.logits.argmax(axis=1), softmax(found.logits)
        counts = confusion(found.labels, answers, classes=len(names))
        figures = {
            "Confusion": plots.confusion(counts, names),
            "Reliability": plots.reliability(calibrated, before=raw),
        }
        for name, figure in figures.items():
            self._writer.add_image(f"Test/{name}", plots.pixels(figure), step, dataformats="HWC")
        for place, name in enumerate(names[:MOST_CURVES]):
            self._writer.add_pr_curve(
                f"Precision and recall/{name}", found.labels == place, probabilities[:, place], step
            )
        self._writer.add_text("Test/mistakes", found.mistakes, step)
        if found.words:
            self._writer.add_embedding(found.embeddings, metadata=list(found.words), global_step=step, tag="words")

    def _score(self, split: str, score: Mapping[str, float], epoch: int) -> None:
        self._writer.add_scalar(f"Loss/{split}", score["loss"], epoch)
        self._writer.add_scalar(f"Accuracy/{split}", score["accuracy"], epoch)


def _preformatted(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
