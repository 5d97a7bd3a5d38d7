"""A training run on the terminal: the layers, a progress bar, and a line per epoch. All of it goes to stderr.

Loss, accuracy and macro-F1 of an epoch are those a person chooses by; history.jsonl and TensorBoard have all figures.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from tqdm import tqdm

from textclf.artefacts import runs
from textclf.cli import terminal
from textclf.cli.display import listed, option_of, progress, value_of
from textclf.system import escaping
from textclf.system.wording import counted
from textclf.training.display import Display
from textclf.training.doubts import rests_on_few, still_falling
from textclf.training.setup import Setup, required

if TYPE_CHECKING:
    from textclf.training.learner import Learner
    from textclf.training.loop import Batches, Epoch
    from textclf.training.meters import Meter

LARGE_LOSS: Final = 1_000

REFRESH_SECONDS: Final = 0.5
"""How often the bar reads the loss; on a GPU each time forces a sync."""

BAR: Final = "{desc}  {percentage:3.0f}% |{bar}| {remaining} left{postfix}"
"""The time left is that of all epochs, and less if training stops early."""

COLUMNS: Final = ("train loss", "validation: loss", "accuracy", "macro-F1", "documents/s")
COLUMNS_OF_SEVERAL: Final = ("train loss", "validation: loss", "micro-F1", "macro-F1", "documents/s")
"""Of a line for each epoch, after its number; F1 and accuracy are those of validation."""


class TerminalDisplay(Display):
    """Shows a run on stderr; the bar only where that is a terminal."""

    def begin(self, run: runs.RunLayout, setup: Setup, learner: "Learner", *, first_epoch: int) -> None:
        """Show the model, and what it is trained on."""
        from textclf.models import summary
        from textclf.training import device

        manifest, config, lengths = setup.data.manifest, setup.config, setup.parts["train"].lengths
        sizes = f"{counted(len(lengths), 'document')}, {counted(len(manifest.labels), 'class', 'classes')}"
        terminal.above_bar(f"{escaping.line(manifest.name)}, tier {runs.part_of(config.to_json())}: {sizes}")
        terminal.above_bar(terminal.wrapped(f"on {device.name(learner.device)}, into {escaping.line(run.root)}"))
        patience = counted(required(config.patience), "epoch")
        limit = f"at most {counted(config.epochs, 'epoch')}"
        terminal.above_bar(f"{limit}; stops after {patience} without a better validation loss")
        terminal.details(f"data {setup.data.layout.root}, fingerprint {manifest.fingerprint}")
        settings = [f"{option_of(name)} {value_of(value)}" for name, value in config.to_json().items()]
        terminal.details(listed("settings", settings))
        if config.max_length:
            whole = 1 - float((lengths > config.max_length).mean())
            read = counted(config.max_length, "token")
            terminal.above_bar(f"reading the first {read}, all of {whole:.0%} of the documents")
        terminal.above_bar(f"\n{summary(learner.model)}\n\n{header(config.epochs, several=setup.data.is_multi)}")
        self._epochs, self._several = config.epochs, setup.data.is_multi
        self._show_bar(len(lengths), config.epochs, "at most", first_epoch=first_epoch)

    def note(self, line: str) -> None:
        """Show a line."""
        terminal.message(line)

    def items(self, items: Iterable[Any], title: str, total: int | None) -> Iterable[Any]:
        """Pass items through with a bar."""
        return progress(items, title, total)

    def begin_refit(self, *, documents: int, epochs: int) -> None:
        """Show that training continues, with a new bar."""
        self._bar.close()
        terminal.above_bar(
            f"refit on train and validation: {counted(documents, 'document')}, {counted(epochs, 'epoch')}"
        )
        self._show_bar(documents, epochs, "of the refit")

    def begin_companion(self, title: str, *, documents: int, epochs: int) -> None:
        """Show a new bar."""
        self._bar.close()
        self._show_bar(documents, epochs, f"of the {title}")

    def _show_bar(self, documents: int, epochs: int, which: str, *, first_epoch: int = 1) -> None:
        self._titles = (f"epoch {number}/{epochs} {which}" for number in count(first_epoch))
        self._bar: tqdm[Any] = tqdm(
            total=epochs * documents,
            initial=(first_epoch - 1) * documents,
            bar_format=BAR,
            disable=terminal.no_bar(),
            leave=False,
            dynamic_ncols=True,
            mininterval=REFRESH_SECONDS,
        )

    def watch(self, batches: "Batches", meter: "Meter") -> Iterator[Any]:
        """Move the bar with each batch; an epoch that was resumed in the middle begins there."""
        self._bar.set_description_str(next(self._titles), refresh=False)
        self._bar.update(meter.documents)
        for batch in batches:
            seen = meter.documents
            yield batch
            if self._bar.update(meter.documents - seen):
                self._bar.set_postfix_str(f"loss {shown_loss(meter.score().loss)}", refresh=False)

    def epoch(self, epoch: "Epoch") -> None:
        """Add a line."""
        terminal.above_bar(epoch_line(epoch, epochs=self._epochs, several=self._several))

    def end(self, metrics: Mapping[str, Any]) -> None:
        """Show the figures of the finished model."""
        self._bar.close()
        split = "test" if "test" in metrics else "validation"
        figures = metrics[split]
        main = f"micro-F1 {figures['micro_f1']:.4f}" if self._several else f"accuracy {figures['accuracy']:.4f}"
        terminal.above_bar(
            f"\n{split}: {main}, macro-F1 {figures['macro_f1']:.4f}, "
            f"loss {shown_loss(figures['loss'])} on {counted(figures['documents'], 'document')}"
        )
        terminal.above_bar(f"{_of_epoch(metrics)}; {metrics['seconds']['total']:,.1f} s in all")
        if advice := rests_on_few(metrics["validation"]["documents"]):
            terminal.above_bar(terminal.wrapped(advice))
        advice = still_falling(metrics["best_epoch"], epochs=self._epochs)
        if advice and "init_from" not in metrics:  # which are few on purpose
            terminal.above_bar(advice)
        for warning in metrics.get("warnings", ()):
            terminal.warning_above_bar(warning)


def header(epochs: int, *, several: bool = False) -> str:
    """The line above those of `epoch_line`, of a run of at most this many epochs; several: labels per document."""
    return "  ".join(("epoch".rjust(_width(epochs)), *(COLUMNS_OF_SEVERAL if several else COLUMNS)))


def epoch_line(epoch: "Epoch", *, epochs: int, several: bool = False) -> str:
    """The figures of an epoch, below their names in `header`; at most 80 columns wide."""
    figures = (
        shown_loss(epoch.train.loss),
        shown_loss(epoch.validation.loss),
        f"{epoch.validation.micro_f1 if several else epoch.validation.accuracy:.4f}",
        f"{epoch.validation.macro_f1:.4f}",
        f"{epoch.train.documents / epoch.seconds:,.0f}",
    )
    cells = (figure.rjust(len(name)) for figure, name in zip(figures, COLUMNS, strict=True))
    return "  ".join((str(epoch.number).rjust(_width(epochs)), *cells, *(["best"] if epoch.is_best else [])))


def _width(epochs: int) -> int:
    return max(len("epoch"), len(str(epochs)))


def shown_loss(loss: float) -> str:
    """A loss in at most nine characters."""
    return f"{loss:.4f}" if loss < LARGE_LOSS else f"{loss:.3g}"


def _of_epoch(metrics: Mapping[str, Any]) -> str:
    """Which weights were measured."""
    best, refit = metrics["best_epoch"], metrics["refit"]
    return f"after {runs.more_training(refit)}" if refit else f"with the weights of epoch {best}"
