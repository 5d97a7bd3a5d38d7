"""What TensorBoard shows of a run. Tags follow the lecture: ``Loss/train``, ``Accuracy/validation`` and so on."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from textclf.evaluation import plots
from textclf.evaluation.calibration import binned
from textclf.evaluation.metrics import confusion
from textclf.evaluation.predictions import Predictions
from textclf.models.model import EMBEDDING
from textclf.system import escaping
from textclf.text.tokenizer import UNK_ID
from textclf.training.loop import Epoch
from textclf.training.meters import Score

MOST_CURVES: Final = 20
"""Classes that get a precision-recall curve."""

MISTAKES: Final = 20  # documents that are listed
FIRST_WORD: Final = UNK_ID + 1  # embeddings begin with the words, the most frequent first
WORDS: Final = 1000  # in the projector
NO_EMBEDDINGS: Final = np.empty((0, 0), dtype=np.float32)  # of a user's network that calls them otherwise


@contextmanager
def quiet_writer_thread() -> Iterator[None]:
    """Print no traceback when TensorBoard's thread cannot write: the next call of the writer raises the error again."""
    hook = threading.excepthook
    threading.excepthook = lambda failure: None if isinstance(failure.exc_value, OSError) else hook(failure)
    try:
        yield
    finally:
        threading.excepthook = hook


class Tracker:
    """Writes one event file into the run directory; the horizontal axis is the epoch.

    several: whether documents may have several labels, so that micro-F1 is not the accuracy.
    """

    def __init__(self, run: Path, *, first_epoch: int = 1, several: bool = False) -> None:
        self._writer = SummaryWriter(str(run), purge_step=first_epoch)
        self._several = several

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def introduce(self, summary: str, settings: Mapping[str, Any]) -> None:
        """Show the model's layers and their sizes, and all settings."""
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
        """Add the test score at the epoch of its weights, and a row to the table of hyperparameters."""
        splits = [split for split in ("validation", "test") if split in metrics]
        names = ("accuracy", *(("micro_f1",) if self._several else ()), "macro_f1", "loss")
        figures = {f"Final/{split}_{name}": metrics[split][name] for split in splits for name in names}
        if "test" in metrics:
            self._score("test", metrics["test"], metrics["best_epoch"])
        shown = {
            name: value if isinstance(value, int | float) else escaping.line(value) for name, value in settings.items()
        }
        # SummaryWriter.add_hparams would write an event file into a folder of its own, which TensorBoard lists as a run
        for summary in hparams(shown, figures):
            self._writer._get_file_writer().add_summary(summary)
        for name, value in figures.items():
            self._writer.add_scalar(name, value, metrics["best_epoch"])

    def examine(self, found: Predictions, epoch: int) -> None:
        """Show where the finished model is wrong on test: confusion, reliability, PR curves, the surest mistakes.

        The words go to the projector tab, which lays them out by their embeddings.
        """
        outcome = found.outcome
        before, after = (binned(*outcome.confident(how)) for how in (outcome.how._replace(temperature=1.0), None))
        figures = {"reliability": plots.reliability(after, before=before)}
        if not found.trained.is_multi:  # a document of several labels is in no one cell
            counts = confusion(found.labels, found.raw.argmax(axis=1), classes=len(found.names))
            figures["confusion"] = plots.confusion(counts, found.names)
        for name, figure in figures.items():
            self._writer.add_image(f"Test/{name}", plots.pixels(figure), epoch, dataformats="HWC")
        for place, name in enumerate(found.names[:MOST_CURVES]):
            self._writer.add_pr_curve(
                f"Precision and recall/{escaping.line(name)}",
                outcome.truth[:, place],
                outcome.probabilities[:, place],
                epoch,
            )
        self._writer.add_text("Test/mistakes", _mistakes(found), epoch)
        words = found.trained.tokenizer.words[FIRST_WORD : FIRST_WORD + WORDS]
        embeddings = found.trained.weights.get(EMBEDDING, NO_EMBEDDINGS)[FIRST_WORD : FIRST_WORD + len(words)]
        if len(embeddings):
            self._writer.add_embedding(
                embeddings, metadata=list(map(escaping.line, words[: len(embeddings)])), global_step=epoch, tag="words"
            )

    def _score(self, split: str, score: Mapping[str, float], epoch: int) -> None:
        self._writer.add_scalar(f"Loss/{split}", score["loss"], epoch)
        self._writer.add_scalar(f"Accuracy/{split}", score["accuracy"], epoch)
        self._writer.add_scalar(f"Macro-F1/{split}", score["macro_f1"], epoch)
        if self._several:
            self._writer.add_scalar(f"Micro-F1/{split}", score["micro_f1"], epoch)


def _preformatted(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _mistakes(found: Predictions) -> str:
    """A Markdown table of the mistakes that the model is surest of."""
    lines = ["| document | label | answer | probability | text |", "|---|---|---|---|---|"]
    outcome = found.outcome
    for place in outcome.mistakes(MISTAKES):
        answer, probability = outcome.answer(place), f"{outcome.sureness(place):.3f}"
        cells = (found.document(place), found.label(place), answer, probability, found.text(place))
        lines.append(f"| {' | '.join(map(escaping.table_cell, cells))} |")
    return "\n".join(lines)
