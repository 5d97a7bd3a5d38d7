"""A training run on the terminal: the model, a progress bar, a line an epoch. All of it on stderr."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tqdm import tqdm

from textclf.artefacts import runs
from textclf.training import device
from textclf.training.loop import Batches, Epoch
from textclf.training.meters import Meter
from textclf.training.run import Display
from textclf.training.session import Session

REFRESH_SECONDS = 0.5
"""How often the bar asks for loss and accuracy: on a GPU each time waits for the steps that are under way."""


class TerminalDisplay(Display):
    """Shows a run on stderr; where that is no terminal, without the bar."""

    def begin(self, run: runs.RunLayout, session: Session, summary: str, *, first_epoch: int) -> None:
        """Show the model and what it will be trained on."""
        manifest, config = session.data.manifest, session.config
        documents = manifest.tiers[config.tier]
        self._say(f"{manifest.name}, tier {config.tier}: {documents:,} documents, {len(manifest.labels):,} classes")
        self._say(f"on {device.name(session.device)}, into {run.root}")
        if config.max_length:
            cut = float((session.batches["train"].dataset.lengths > config.max_length).mean())  # type: ignore[attr-defined]
            self._say(f"reading the first {config.max_length} tokens, all of {1 - cut:.0%} of the documents")
        self._say(f"\n{summary}\n")
        self._show_bar(documents, config.epochs, first_epoch=first_epoch)

    def begin_refit(self, *, documents: int, epochs: int) -> None:
        """Say so."""
        self._bar.close()
        self._say(f"once more, on train and validation: {documents:,} documents, {epochs} epochs")
        self._show_bar(documents, epochs)

    def _show_bar(self, documents: int, epochs: int, *, first_epoch: int = 1) -> None:
        self._bar: tqdm[Any] = tqdm(
            total=epochs * documents,
            initial=(first_epoch - 1) * documents,
            unit=" documents",
            unit_scale=True,
            disable=None,
            leave=False,
            dynamic_ncols=True,
            mininterval=REFRESH_SECONDS,
        )

    def watch(self, batches: Batches, meter: Meter) -> Iterator[Any]:
        """Move the bar as batches go by; its estimate assumes that training does not stop early."""
        for batch in batches:
            seen = meter.documents
            yield batch
            if self._bar.update(meter.documents - seen):
                score = meter.score()
                self._bar.set_postfix_str(f"loss {score.loss:.4f}, accuracy {score.accuracy:.4f}", refresh=False)

    def epoch(self, epoch: Epoch) -> None:
        """Add a line."""
        self._say(
            f"epoch {epoch.number:>3}   train: loss {epoch.train.loss:.4f}, accuracy {epoch.train.accuracy:.4f}"
            f"   validation: loss {epoch.validation.loss:.4f}, accuracy {epoch.validation.accuracy:.4f}"
            f"   {epoch.train.documents / epoch.seconds:>7,.0f} documents/s{'   best' if epoch.is_best else ''}"
        )

    def end(self, metrics: Mapping[str, Any]) -> None:
        """Show the figures of the best weights."""
        self._bar.close()
        test = metrics["test"]
        self._say(
            f"\ntest: accuracy {test['accuracy']:.4f}, macro-F1 {test['macro_f1']:.4f}, loss {test['loss']:.4f} "
            f"on {test['documents']:,} documents, with the weights of epoch {metrics['best_epoch']}; "
            f"{metrics['seconds']['total']:.1f} s in all"
        )

    def _say(self, line: str) -> None:
        tqdm.write(line, file=sys.stderr)
