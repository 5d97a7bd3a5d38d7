"""One trial of a search for settings: a model that is trained to predict its validation documents, and is not kept."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from textclf.system import memory
from textclf.system.startup import no_spinning, refuse_few_threads
from textclf.training import device, loop
from textclf.training.companion import join
from textclf.training.finish import logits_of
from textclf.training.loop import Epoch, StepOptions, Watch
from textclf.training.run import OTHER_THREADS, early_stopping, step_options
from textclf.training.setup import Setup, required


class Tried(NamedTuple):
    """What a trial came to. D validation documents, C classes."""

    logits: NDArray[np.float32]
    """Shape (D, C), of the best epoch, with the companions: those that the run of these settings is measured by."""
    epochs: int
    best_epoch: int


@no_spinning()
def run(setup: Setup, *, watch: Watch, goes_on: Callable[[Epoch], bool]) -> Tried | None:
    """Train as a run of this setup would until its refit; writes nothing.

    ``watch`` sees the training batches pass, and ``goes_on`` each epoch: if it returns False, training stops, and so
    does this function with None. Raises what `textclf.training.run.resume` raises.
    """
    refuse_few_threads(torch.get_num_threads() + OTHER_THREADS)
    config, processor = setup.config, device.pick(setup.config.device)
    options, stopping = step_options(setup, processor), early_stopping(config)
    evaluating = StepOptions(processor, options.objective)
    found = np.zeros((len(setup.parts["validation"]), len(setup.data.manifest.labels)), dtype=np.float32)
    batches = {part: setup.loader(part, processor) for part in ("train", "validation")}
    number = 0
    with device.naming_lack_of_memory(batch_size=required(config.batch_size)), closing(batches["train"]):
        learner = setup.learner(batches["train"], processor)
        for epoch in loop.fit(
            learner,
            batches,
            epochs=range(1, config.epochs + 1),
            stopping=stopping,
            options=replace(options, watch=watch),
        ):
            number = epoch.number
            if epoch.is_best:
                found = logits_of(learner.average, batches["validation"], options=evaluating)
            if not goes_on(epoch):
                return None
        joined = join(setup, learner.end(), found, options=replace(evaluating, seed=config.seed, watch=watch))
    memory.return_freed_memory()
    return Tried(joined.validation, number, stopping.best_epoch)
