"""A training run on the terminal: the layers, a progress bar, and a line per epoch. All of it goes to stderr."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from textclf.artefacts import runs
from textclf.cli import terminal
from textclf.system import escaping
from textclf.system.wording import counted
from textclf.training.display import Display
from textclf.training.setup import Setup

if TYPE_CHECKING:
    from textclf.training.learner import Learner
    from textclf.training.loop import Batches, Epoch
    from textclf.training.meters import Meter

REFRESH_SECONDS = 0.5
"""How often the bar reads loss and accuracy; on a GPU each time forces a sync."""


class TerminalDisplay(Display):
    """Shows a run on stderr; the bar only where that is a terminal."""

    def begin(self, run: runs.RunLayout, setup: Setup, learner: "Learner", *, first_epoch: int) -> None:
        """Show the model, and what it is trained on."""
        from textclf.models import summary
        from textclf.training import device

        manifest, config, lengths = setup.data.manifest, setup.config, setup.parts["train"].lengths
        sizes = f"{counted(len(lengths), 'document')}, {counted(len(manifest.labels), 'class', 'classes')}"
        terminal.above_bar(f"{escaping.line(manifest.name)}, tier {config.tier}: {sizes}")
        terminal.above_bar(f"on {device.name(learner.device)}, into {escaping.line(run.root)}")
        if config.max_length:
            whole = 1 - float((lengths > config.max_length).mean())
            read = counted(config.max_length, "token")
            terminal.above_bar(f"reading the first {read}, all of {whole:.0%} of the documents")
        terminal.above_bar(f"\n{summary(learner.model)}\n")
        self._show_bar(len(lengths), config.epochs, first_epoch=first_epoch)

    def note(self, line: str) -> None:
        """Show a line."""
        terminal.message(line)

    def begin_refit(self, *, documents: int, epochs: int) -> None:
        """Show that training continues, with a new bar."""
        self._bar.close()
        terminal.above_bar(
            f"refit on train and validation: {counted(documents, 'document')}, {counted(epochs, 'epoch')}"
        )
        self._show_bar(documents, epochs)

    def _show_bar(self, documents: int, epochs: int, *, first_epoch: int = 1) -> None:
        self._bar: tqdm[Any] = tqdm(
            total=epochs * documents,
            initial=(first_epoch - 1) * documents,
            unit=" documents",
            unit_scale=True,
            disable=terminal.no_bar(),
            leave=False,
            dynamic_ncols=True,
            mininterval=REFRESH_SECONDS,
        )

    def watch(self, batches: "Batches", meter: "Meter") -> Iterator[Any]:
        """Move the bar with each batch; its estimate assumes that training does not stop early."""
        for batch in batches:
            seen = meter.documents
            yield batch
            if self._bar.update(meter.documents - seen):
                score = meter.score()
                self._bar.set_postfix_str(f"loss {score.loss:.4f}, accuracy {score.accuracy:.4f}", refresh=False)

    def epoch(self, epoch: "Epoch") -> None:
        """Add a line."""
        terminal.above_bar(
            f"epoch {epoch.number:>3}   train: loss {epoch.train.loss:.4f}, accuracy {epoch.train.accuracy:.4f}"
            f"   validation: loss {epoch.validation.loss:.4f}, accuracy {epoch.validation.accuracy:.4f}"
            f"   {epoch.train.documents / epoch.seconds:>7,.0f} documents/s{'   best' if epoch.is_best else ''}"
        )

    def end(self, metrics: Mapping[str, Any]) -> None:
        """Show the figures of the finished model."""
        self._bar.close()
        split = "test" if "test" in metrics else "validation"
        figures = metrics[split]
        terminal.above_bar(
            f"\n{split}: accuracy {figures['accuracy']:.4f}, macro-F1 {figures['macro_f1']:.4f}, "
            f"loss {figures['loss']:.4f} on {counted(figures['documents'], 'document')}, "
            f"{_of_epoch(metrics)}; {metrics['seconds']['total']:.1f} s in all"
        )
        for warning in metrics.get("warnings", ()):
            terminal.above_bar(f"warning: {warning}")


def _of_epoch(metrics: Mapping[str, Any]) -> str:
    """Which weights were measured."""
    best, refit = metrics["best_epoch"], metrics["refit"]
    more = f"after {counted(refit['epochs'], 'more epoch')} on train + validation" if refit else ""
    return more or f"with the weights of epoch {best}"
