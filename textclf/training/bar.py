"""The progress bar of a run that is trained from Python."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from textclf.progress import bar, of_items
from textclf.system import escaping
from textclf.training.display import Display

if TYPE_CHECKING:
    from textclf.artefacts.runs import RunLayout
    from textclf.training.learner import Learner
    from textclf.training.loop import Batches, Epoch
    from textclf.training.meters import Meter
    from textclf.training.setup import Setup

REFRESH_SECONDS: Final = 0.5

LINE: Final = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
"""What fits 80 columns, unlike tqdm's own line with speed and figures."""


class TrainingBar(Display):
    """One bar for a run, with the validation accuracy of the last epoch; it stays."""

    def __init__(self, make_bar: Callable[..., Any] = bar) -> None:
        self._make_bar = make_bar

        self._bar: Any = None

    def note(self, line: str) -> None:
        """Show a line."""
        from tqdm.auto import tqdm

        tqdm.write(escaping.line(line), file=sys.stderr)

    def items(self, items: Iterable[Any], title: str, total: int | None) -> Iterable[Any]:
        """Pass items through with a bar that goes when they end."""
        return of_items(items, title, total)

    def begin(self, run: "RunLayout", setup: "Setup", learner: "Learner", *, first_epoch: int) -> None:
        """Show an empty bar, or where the run is resumed."""
        documents, epochs = len(setup.parts["train"]), setup.config.epochs
        self._bar = self._make_bar(
            desc=f"epoch {first_epoch}",
            total=epochs * documents,
            initial=(first_epoch - 1) * documents,
            unit_scale=True,
            mininterval=REFRESH_SECONDS,
            bar_format=LINE,
        )

    def watch(self, batches: "Batches", meter: "Meter") -> Iterator[Any]:
        """Move the bar with each batch; its estimate assumes that training does not stop early."""
        for batch in batches:
            seen = meter.documents
            yield batch
            self._bar.update(meter.documents - seen)

    def epoch(self, epoch: "Epoch") -> None:
        """Show the figures of the epoch."""
        self._bar.set_description_str(f"epoch {epoch.number}", refresh=False)
        self._bar.set_postfix_str(f"validation accuracy {epoch.validation.accuracy:.4f}")

    def begin_refit(self, *, documents: int, epochs: int) -> None:
        """Make room for more documents."""
        self._bar.set_description_str("refit", refresh=False)
        self._bar.total = self._bar.n + epochs * documents

    def begin_companion(self, title: str, *, documents: int, epochs: int) -> None:
        """Make room for its documents."""
        self._bar.set_description_str(title, refresh=False)
        self._bar.total = self._bar.n + epochs * documents

    def end(self, metrics: Mapping[str, Any]) -> None:
        """Fill the bar, as training may have ended early, and show the accuracy of the finished model."""
        split = "test" if "test" in metrics else "validation"
        self._bar.total = self._bar.n
        self._bar.set_description_str("trained", refresh=False)
        self._bar.set_postfix_str(f"{split} accuracy {metrics[split]['accuracy']:.4f}")

    def close(self) -> None:
        """Leave the bar as it is, also where training was stopped."""
        if self._bar is not None:
            self._bar.close()
