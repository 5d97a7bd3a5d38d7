"""A model that is trained to predict documents which it has not seen, and is not kept: nothing is written."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from textclf.system import memory
from textclf.system.startup import no_spinning, refuse_few_threads
from textclf.training import device, loop
from textclf.training.finish import logits_of
from textclf.training.loop import StepOptions, Watch
from textclf.training.run import OTHER_THREADS, early_stopping, step_options
from textclf.training.setup import Setup, required


@no_spinning()
def predict_unseen(setup: Setup, *, watch: Watch) -> NDArray[np.float32]:
    """Train on the part "train" until the loss of "validation" stops falling; logits (D, C) of the part "test".

    They are those of the best epoch: the part is predicted after each that is the best so far, so that no weights are
    kept. ``watch`` sees the training batches pass. Raises what `textclf.training.run.resume` raises.
    """
    refuse_few_threads(torch.get_num_threads() + OTHER_THREADS)
    config, processor = setup.config, device.pick(setup.config.device)
    options = step_options(setup, processor)
    evaluating = StepOptions(processor, options.objective)
    found = np.zeros((len(setup.parts["test"]), len(setup.data.manifest.labels)), dtype=np.float32)
    batches = {part: setup.loader(part, processor) for part in ("train", "validation", "test")}
    with device.naming_lack_of_memory(batch_size=required(config.batch_size)), closing(batches["train"]):
        learner = setup.learner(batches["train"], processor)
        memory.return_freed_memory()
        for epoch in loop.fit(
            learner,
            batches,
            epochs=range(1, config.epochs + 1),
            stopping=early_stopping(config),
            options=replace(options, watch=watch),
        ):
            if epoch.is_best:
                found = logits_of(learner.average, batches["test"], options=evaluating)
    setup.clear_cache()
    memory.return_freed_memory()
    return found
