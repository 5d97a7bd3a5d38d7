"""The refit: more epochs on train and validation, after the validation loss has stopped falling.

A model that has learned from the validation documents can no longer be measured on them. So each is predicted just
before the first step that learns from it, and these logits calibrate the model (prequential evaluation:
https://doi.org/10.2307/2981683).
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from textclf.config import REFIT_EPOCHS
from textclf.dataset.directory import UNSEEN
from textclf.training import loop
from textclf.training.batches import BatchLoader, to_device
from textclf.training.learner import Learner
from textclf.training.loop import Batches, StepOptions
from textclf.training.meters import Meter, Score
from textclf.training.setup import Setup


@dataclass(frozen=True, slots=True)
class Refit:
    """How a run goes on after its last epoch."""

    setup: Setup
    evaluating: StepOptions
    """How the model is evaluated."""
    after: int
    """Number of the last epoch."""

    @property
    def documents(self) -> int:
        """Number of documents of train and validation."""
        return len(self.setup.parts["refit"])

    def run(
        self,
        learner: Learner,
        logits: NDArray[np.float32],
        *,
        options: StepOptions,
        shown: Callable[[Score, int], None],
    ) -> NDArray[np.float32]:
        """Train REFIT_EPOCHS more; returns the validation logits, (D, C), from just before documents were learned.

        ``logits`` are those of the best epoch, which stay for documents of unknown labels: they are not learned.
        ``shown`` gets the score and the number of each epoch.
        """
        epochs = range(self.after + 1, self.after + 1 + REFIT_EPOCHS)
        predicted = logits.copy()
        with closing(self.setup.loader("refit", options.device)) as batches:

            def watch(loaded: Batches, meter: Meter) -> Batches:
                watched = options.watch(loaded, meter)
                is_first = batches.batch_sampler.epoch == epochs[0]  # type: ignore[union-attr]
                return self._predict_first(watched, batches, learner, predicted) if is_first else watched

            scores = loop.refit(learner, batches, epochs=epochs, options=replace(options, watch=watch))
            for number, score in zip(epochs, scores, strict=True):
                shown(score, number)
        return predicted

    def _predict_first(
        self, loaded: Batches, batches: BatchLoader, learner: Learner, predicted: NDArray[np.float32]
    ) -> Iterator[Any]:
        """Pass training batches through; before that, put the logits of validation documents into ``predicted``."""
        validation = np.flatnonzero(self.setup.parts["validation"].labels > UNSEEN)
        first = self.documents - len(validation)  # of the validation documents, which follow those of train
        for places, batch in zip(batches.batch_sampler.batches(), loaded, strict=True):  # type: ignore[union-attr]
            is_validation = places >= first
            if is_validation.any():
                predicted[validation[places[is_validation] - first]] = self._logits(learner, batch)[is_validation]
            yield batch

    @torch.inference_mode()
    def _logits(self, learner: Learner, batch: Any) -> NDArray[np.float32]:
        """Logits of a batch by the mean of the weights, shape (B, C)."""
        logits = self.evaluating.logits(learner.average.eval(), to_device(batch, self.evaluating.device))
        mean: NDArray[np.float32] = logits.mean(dim=0).cpu().numpy()
        return mean
