"""What TensorBoard shows of a run. Tags follow the lecture: ``Loss/train``, ``Accuracy/validation`` and so on."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from textclf.training.loop import Epoch


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
        self._writer.flush()

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

    def _score(self, split: str, score: Mapping[str, float], epoch: int) -> None:
        self._writer.add_scalar(f"Loss/{split}", score["loss"], epoch)
        self._writer.add_scalar(f"Accuracy/{split}", score["accuracy"], epoch)


def _preformatted(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
