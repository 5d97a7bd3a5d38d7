"""What TensorBoard shows of a run. Tags follow the lecture: ``Loss/train``, ``Accuracy/validation`` and so on.

``Loss/best`` and so on are the validation figures of the best epoch so far.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from textclf.evaluation.calibration import binned
from textclf.evaluation.confusions import confusions
from textclf.evaluation.predictions import Predictions, Tokens
from textclf.models.model import EMBEDDING
from textclf.system import escaping
from textclf.text.tokenizer import UNK_ID
from textclf.training import hparams_table
from textclf.training.loop import Epoch
from textclf.training.meters import Score

MOST_CURVES: Final = 20
"""Classes that get a precision-recall curve."""

MISTAKES: Final = 20  # documents that are listed
CONFUSIONS: Final = 20  # pairs of labels that are listed
BINS: Final = 10  # of the probability of an answer
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
    best: the validation figures of the best epoch before the first one.
    """

    def __init__(
        self, run: Path, *, first_epoch: int = 1, several: bool = False, best: Mapping[str, float] | None = None
    ) -> None:
        self._writer = SummaryWriter(str(run), purge_step=first_epoch)
        self._best = best
        names = {"Accuracy": "accuracy", "Macro-F1": "macro_f1", "Loss": "loss"}
        self._figures = names | {"Micro-F1": "micro_f1"} if several else names

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def introduce(self, summary: str, settings: Mapping[str, Any]) -> None:
        """Show the model's layers and their sizes, all settings, and a row in the table of hyperparameters."""
        self._writer.add_text("Model", _preformatted(summary), 0)
        self._writer.add_text("Settings", _preformatted(json.dumps(settings, indent=2)), 0)
        columns = {f"{tag}/{split}": f"{split} {tag}" for split in ("test", "best") for tag in self._figures}
        for part in hparams_table.start(settings, columns):
            self._add(part)

    def epoch(self, epoch: Epoch) -> None:
        """Add a point to every curve."""
        self._score("train", epoch.train._asdict(), epoch.number)
        validation = epoch.validation._asdict()
        if epoch.is_best or self._best is None:
            self._best = validation
        self._score("validation", validation, epoch.number)
        self._score("best", self._best, epoch.number)
        self._writer.add_scalar("Training/learning_rate", epoch.learning_rate, epoch.number)
        self._writer.add_scalar("Training/gradient_norm", epoch.gradient_norm, epoch.number)
        self._writer.add_scalar("Training/documents_per_second", epoch.train.documents / epoch.seconds, epoch.number)
        for stage, seconds in epoch.profile.items():
            self._writer.add_scalar(f"Seconds/{stage}", seconds, epoch.number)
        self._writer.flush()

    def measured(self, figures: Mapping[str, float], epoch: int) -> None:
        """Add the validation figures of the whole model, which is more than its network, as those of its best epoch."""
        self._score("best", figures, epoch)

    def refit(self, score: Score, epoch: int) -> None:
        """Add a point to the curves of the training that includes the validation documents."""
        self._score("refit", score._asdict(), epoch)

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Add the test score, if there is one, at the epoch of its weights."""
        if "test" in metrics:
            self._score("test", metrics["test"], metrics["best_epoch"])
        self._add(hparams_table.end())

    def examine(self, found: Predictions, epoch: int) -> None:
        """Show where the finished model is wrong on test: confusions, reliability, PR curves, the surest mistakes.

        Tables in place of figures: these are drawn by `textclf report`, and would take a tenth of the time of a run.
        The words go to the projector tab, which lays them out by their embeddings.
        """
        outcome = found.outcome
        for place, name in enumerate(found.names[:MOST_CURVES]):
            self._writer.add_pr_curve(
                f"Precision and recall/{escaping.line(name)}",
                outcome.truth[:, place],
                outcome.probabilities[:, place],
                epoch,
            )
        for name, text in (("confusion", _confusions), ("reliability", _reliability), ("mistakes", _mistakes)):
            self._writer.add_text(f"Test/{name}", text(found), epoch)
        words = found.trained.tokenizer.words[FIRST_WORD : FIRST_WORD + WORDS]
        embeddings = found.trained.weights.get(EMBEDDING, NO_EMBEDDINGS)[FIRST_WORD : FIRST_WORD + len(words)]
        if len(embeddings):
            self._writer.add_embedding(
                embeddings,
                metadata=_about_words(found, words[: len(embeddings)]),
                metadata_header=["word", "class", "count"],
                global_step=epoch,
                tag="words",
            )

    def _score(self, split: str, score: Mapping[str, float], epoch: int) -> None:
        for tag, name in self._figures.items():
            self._writer.add_scalar(f"{tag}/{split}", score[name], epoch)

    def _add(self, summary: Summary) -> None:
        """Write a part of the table; `SummaryWriter.add_hparams` would make a folder for it, listed as a run."""
        self._writer._get_file_writer().add_summary(summary)


def _preformatted(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _confusions(found: Predictions) -> str:
    """Which label is most often taken for which."""
    rows = [
        (
            escaping.table_cell(pair.label),
            escaping.table_cell(pair.answer),
            f"{pair.documents:,}",
            f"{pair.share:.1%}",
        )
        for pair in confusions(found.outcome, most=CONFUSIONS)
    ]
    return _table(("label", "answer", "documents", "share of the label"), rows)


def _reliability(found: Predictions) -> str:
    """Answers by probability, and how many of them are right."""
    bins = binned(*found.outcome.confident(), bins=BINS)
    rows = [
        (f"{low:.1f} to {high:.1f}", f"{count:,}", f"{confidence:.1%}", f"{accuracy:.1%}")
        for (low, high), count, confidence, accuracy in zip(pairwise(bins.edges.tolist()), *bins[1:], strict=True)
        if count
    ]
    return _table(("probability", "answers", "mean probability", "right"), rows)


def _mistakes(found: Predictions) -> str:
    """The mistakes that the model is surest of, in Markdown: a table would break words in its narrow columns."""
    outcome, parts = found.outcome, []
    for place in outcome.mistakes(MISTAKES):
        shown = (
            found.document(place),
            found.label(place) or "none",
            outcome.answer(place) or "none",
            found.text(place),
        )
        document, label, answer, text = map(escaping.table_cell, shown)
        parts.append(f"**{document}** label: {label}, answer: {answer} ({outcome.sureness(place):.3f})\n\n> {text}")
    return "\n\n".join(parts)


def _about_words(found: Predictions, words: Sequence[str]) -> list[list[str]]:
    """Each word, the label that the model gives it alone, and how often it is in the documents trained on."""
    trained = found.trained
    ids = np.arange(FIRST_WORD, FIRST_WORD + len(words), dtype=np.int32)
    logits = trained.own_logits(ids, np.ones(len(ids), dtype=np.int64))
    answers = trained.probabilities(trained.calibrated(logits)).argmax(axis=1).tolist()
    counts = np.zeros(ids[-1] + 1, dtype=np.int64)
    for tokens, _ in Tokens(found.data, trained.tokenizer).batches(found.data.rows(trained.trained["tier"])):
        counts += np.bincount(tokens[tokens < len(counts)], minlength=len(counts))
    return [
        [escaping.line(word), escaping.line(found.names[answer]), str(count)]
        for word, answer, count in zip(words, answers, counts[FIRST_WORD:].tolist(), strict=True)
    ]
