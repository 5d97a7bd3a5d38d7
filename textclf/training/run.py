"""One training run: setup -> fit -> finish, in a run directory. A stopped run continues from its last checkpoint."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from textclf import __version__
from textclf.artefacts import runs
from textclf.config import REFIT_EPOCHS, TrainConfig
from textclf.models import summary
from textclf.models.user.code import naming_line
from textclf.system import failures, files, memory
from textclf.system.signals import Interrupt
from textclf.system.startup import no_spinning, refuse_few_threads
from textclf.training import device, encoding, loop, shared_memory, word_table
from textclf.training.batches import BatchLoader
from textclf.training.checkpoint import PACE, Checkpointer, Pace, load_best
from textclf.training.companion import join
from textclf.training.display import Display
from textclf.training.finish import Trained, finish, logits_of
from textclf.training.initial_weights import InitialWeights
from textclf.training.learner import Learner
from textclf.training.loader_processes import LoaderError
from textclf.training.loop import Batches, EarlyStopping, StepOptions, Watch
from textclf.training.meters import Meter
from textclf.training.ranks import ALONE, LostRankError
from textclf.training.refit import Refit
from textclf.training.setup import Setup, WordTable, required
from textclf.training.tracking import Tracker, quiet_writer_thread

if TYPE_CHECKING:
    from textclf.training.distributed import Distributed

PACKAGES: Final = ("torch", "numpy", "datasets", "scikit-learn", "tensorboard", "safetensors")

OTHER_THREADS: Final = 3
"""Beside those that compute: for gradients, for batches and for TensorBoard."""

GPU_CHECK_EVERY: Final = 100
"""Check for NaN every this many steps on a GPU, where each check forces a sync."""


class Start(NamedTuple):
    """A run before its first step."""

    learner: Learner
    batches: Mapping[str, BatchLoader]
    """Of train and validation."""
    time: float
    """By `perf_counter`, before the data was read."""
    initial: InitialWeights | None
    """What the learner starts from, if that is another run."""


@no_spinning()
def train(setup: Setup, *, display: Display | None = None, pace: Pace | None = None) -> runs.RunLayout:
    """Train in a new run directory, which is made once the model is; raises what `resume` raises."""
    setup = _with_what_it_reads(setup, display or Display())
    config = setup.config
    with _naming_failures(setup, config.run_dir), _started(setup, InitialWeights.of(setup)) as start:
        _describe(start, display or Display())
        run = runs.create(config.run_dir, corpus=setup.data.manifest.name, tier=config.tier, model=config.model)
        with runs.training(run), _naming_resume(run):
            files.write_json(run.config, _record(setup, start))
            setup.ranks.remember(run.root)
            return _fit_and_finish(setup, start, run, display=display or Display(), pace=pace or PACE)


@no_spinning()
def resume(
    setup: Setup, run: runs.RunLayout, *, display: Display | None = None, pace: Pace | None = None
) -> runs.RunLayout:
    """Train a run to its end, from its last checkpoint if it has one.

    Raises UsageError if there is no such device or the user's class fails, DivergedError if the loss is not a number,
    ResourceError if disk, memory or loader processes give out, InterruptedRunError or TerminatedRunError on a signal;
    the run can then be resumed.
    """
    setup = _with_what_it_reads(setup, display or Display(), run=run)
    initial = None if run.last.exists() else InitialWeights.of(setup, of_run=run)
    with _naming_failures(setup, run.root), _naming_resume(run), _started(setup, initial) as start:
        return _fit_and_finish(setup, start, run, display=display or Display(), pace=pace or PACE)


def _with_what_it_reads(setup: Setup, display: Display, *, run: runs.RunLayout | None = None) -> Setup:
    """The setup with the vectors of words and of documents that its settings name; ``run``: the one that is resumed."""
    roomy = _with_room_for_batches(setup, display)
    setup = encoding.with_vectors(word_table.with_words(roomy, display, run=run), display, run=run)
    if _reads(setup.config):
        setup.ranks.tell({"is_reading": False, "words": setup.words and setup.words.record})
    return setup


def _reads(config: TrainConfig) -> bool:
    """Whether the first of several ranks has something to read that the others wait for."""
    return config.encoder is not None or config.vectors is not None or bool(config.unlabelled)


def _hear(setup: Setup, ranks: "Distributed") -> Setup | None:
    """The setup with what the first rank says of what it has read; None if it found the run finished.

    The vectors of words come with the weights. Those of documents stay with the first, which alone learns from them.
    """
    while (said := ranks.hear()) is not None:
        if not said["is_reading"]:
            words = said["words"]
            return replace(setup, words=WordTable(None, words)) if words else setup
    return None


def _with_room_for_batches(setup: Setup, display: Display) -> Setup:
    """The setup; without loader processes, and with a note, if shared memory is too small for their batches."""
    refuse_few_threads(torch.get_num_threads() + OTHER_THREADS)
    with _naming_failures(setup, shared_memory.FOLDER):
        why = shared_memory.lack(setup.loader("train", setup.ranks.pick(setup.config.device)))
    if why is None:
        return setup
    display.note(f"{why}: training goes on without loader processes, as with --num-workers 0")
    return replace(setup, config=replace(setup.config, num_workers=0))


@contextmanager
def _naming_failures(setup: Setup, folder: Path) -> Iterator[None]:
    """Say what to change when memory or the disk of a folder is full, or which line of the user's class fails."""
    made = setup.config.user_model
    with (
        naming_line(made.code.file) if made else nullcontext(),
        device.naming_lack_of_memory(batch_size=required(setup.config.batch_size)),
        failures.naming(folder),
    ):
        yield


@contextmanager
def _naming_resume(run: runs.RunLayout) -> Iterator[None]:
    """Say how to resume when another process has died: it was killed perhaps, and nothing is wrong."""
    try:
        yield
    except LoaderError as error:
        raise LoaderError(f"{error}, or resume it: textclf train --resume {run.root}") from error
    except LostRankError as error:
        raise LostRankError(f"{error}; resume it: textclf train --resume {run.root}") from error


def _describe(start: Start, display: Display) -> None:
    if start.initial is not None:
        for line in start.initial.describe():
            display.note(line)


@contextmanager
def _started(setup: Setup, initial: InitialWeights | None = None) -> Iterator[Start]:
    """A run before its first step; its loader processes end with it, however it ends."""
    time = perf_counter() - setup.seconds
    processor = setup.ranks.pick(setup.config.device)
    batches = {part: setup.loader(part, processor) for part in ("train", "validation")}
    with closing(batches["train"]):
        yield Start(_learner(setup, batches["train"], processor, initial), batches, time, initial)


def _learner(setup: Setup, batches: BatchLoader, processor: torch.device, initial: InitialWeights | None) -> Learner:
    """The model before its first step. The first of several ranks makes it from whole batches, and hands it out."""
    if setup.ranks.count == 1:
        return setup.learner(batches, processor, initial)
    if setup.ranks.rank > 0:
        return setup.learner(None, processor)
    with closing(replace(setup, ranks=ALONE).loader("train", processor)) as whole:
        return setup.learner(whole, processor, initial)


def _fit_and_finish(setup: Setup, start: Start, run: runs.RunLayout, *, display: Display, pace: Pace) -> runs.RunLayout:
    """Train until early stopping, refit if the settings say so, and finish."""
    config, learner, processor = setup.config, start.learner, start.learner.device
    stopping = early_stopping(config)
    alone = replace(setup, ranks=ALONE)
    memory.return_freed_memory()
    checkpointer = Checkpointer(run, learner, stopping, settings=config.shaping_steps(), pace=pace)
    progress = checkpointer.resume()
    if start.initial is not None:
        checkpointer.save(progress)  # so that a resume does not need the other run
    setup.ranks.hand_out(learner, stopping, progress, run.root)
    display.begin(run, setup, learner, first_epoch=progress.epoch + 1)
    best = files.read_lines(run.history)[stopping.best_epoch - 1]["validation"] if progress.epoch else None
    with (
        quiet_writer_thread(),
        Tracker(run.root, first_epoch=progress.epoch + 1, several=setup.data.is_multi, best=best) as tracker,
        _interrupt(setup, run) as interrupt,
    ):
        if progress.epoch == 0:
            tracker.introduce(summary(learner.model), config.to_json())
        options = step_options(setup, processor)
        observers = (tracker, checkpointer, display)
        fitting = replace(options, watch=_watcher(setup, interrupt, display, checkpointer))
        train_seconds = _fit(checkpointer, start.batches, fitting, observers, epochs=config.epochs)
        evaluating = StepOptions(processor, options.objective)  # in float32, as the artefact will compute
        memory.return_freed_memory()
        validation = logits_of(checkpointer.best(), alone.loader("validation", processor), options=evaluating)
        is_refit = config.refits(best_epoch=stopping.best_epoch)
        if is_refit:
            refit = Refit(setup, replace(evaluating, ranks=setup.ranks), after=checkpointer.progress.epoch)
            refitting = replace(options, watch=_watcher(setup, interrupt, display))
            validation, seconds = _refit(refit, learner, validation, refitting, tracker=tracker, display=display)
            train_seconds += seconds
        else:
            load_best(run.best, learner.average.module)
        model, begun = learner.end(), perf_counter()
        joining = replace(evaluating, seed=config.seed, watch=_watcher(alone, interrupt, display))
        joined = join(alone, model, validation, options=joining, display=display)
        train_seconds += perf_counter() - begun
        setup.clear_cache()
        started = start.time - progress.seconds
        trained = Trained(model, joined, evaluating, stopping.best_epoch, is_refit, train_seconds, started)
        memory.return_freed_memory()
        metrics = finish(alone, run, trained, tracker=tracker, test=config.test)
    runs.seal(run)
    display.end(metrics)
    return run


@no_spinning()
def follow(setup: Setup, ranks: "Distributed") -> None:
    """Take the steps of the run that the first rank trains, and write nothing; raises what `resume` does."""
    setup, config = _with_room_for_batches(setup, Display()), setup.config
    if _reads(config):
        heard = _hear(setup, ranks)
        if heard is None:
            return
        setup = heard
    with _naming_failures(setup, config.run_dir), _started(setup) as start:
        learner, processor, stopping = start.learner, start.learner.device, early_stopping(config)
        taken = ranks.take(learner, stopping)
        if taken is None:
            return
        run, progress = runs.RunLayout(taken[0]), taken[1]
        with _naming_resume(run), _interrupt(setup, run) as interrupt:
            options = step_options(setup, processor)
            watching = replace(options, watch=_watcher(setup, interrupt, Display()))
            last = progress.epoch
            for epoch in loop.fit(
                learner,
                start.batches,
                epochs=range(last + 1, config.epochs + 1),
                stopping=stopping,
                options=watching,
                mid_epoch=progress.mid_epoch,
            ):
                last = epoch.number
            if config.refits(best_epoch=stopping.best_epoch):
                refit = Refit(setup, StepOptions(processor, options.objective, ranks=setup.ranks), after=last)
                unused = np.zeros((len(setup.parts["validation"]), len(setup.data.manifest.labels)), dtype=np.float32)
                refit.run(learner, unused, options=watching, shown=lambda _score, _epoch: None)
            ranks.wait()


def early_stopping(config: TrainConfig) -> EarlyStopping:
    """When training ends, given completed settings."""
    return EarlyStopping(required(config.patience), min_gain=required(config.min_gain), monitor=config.monitor)


def _interrupt(setup: Setup, run: runs.RunLayout) -> Interrupt:
    return Interrupt(f"resume it: textclf train --resume {run.root}", agree=setup.ranks.agree)


def step_options(setup: Setup, processor: torch.device) -> StepOptions:
    """How every step is computed."""
    config = setup.config
    return StepOptions(
        processor,
        setup.objective(processor),
        seed=config.seed,
        autocast=device.autocast(config.precision, processor),
        clip_norm=config.clip_norm,
        check_every=1 if processor.type == "cpu" else GPU_CHECK_EVERY,
        ranks=setup.ranks,
    )


def _watcher(setup: Setup, interrupt: Interrupt, display: Display, checkpointer: Checkpointer | None = None) -> Watch:
    """Shows training batches as they pass, and between two steps writes checkpoints and stops on a signal."""

    def watch(batches: Batches, meter: Meter) -> Batches:
        def save() -> None:
            if checkpointer is not None:
                checkpointer.save_mid_epoch(meter)
            setup.ranks.wait()  # who ended now would have torchrun end the others, too

        shown = display.watch(batches, meter)
        return interrupt.between_steps(checkpointer.watch(shown, meter) if checkpointer else shown, save=save)

    return watch


def _fit(
    checkpointer: Checkpointer,
    batches: Mapping[str, BatchLoader],
    options: StepOptions,
    observers: Sequence[Tracker | Checkpointer | Display],
    *,
    epochs: int,
) -> float:
    """Train from the last checkpoint until early stopping; returns the seconds spent, including those before a stop."""
    progress = checkpointer.progress
    with closing(batches["train"]), checkpointer:
        for epoch in loop.fit(
            checkpointer.learner,
            batches,
            epochs=range(progress.epoch + 1, epochs + 1),
            stopping=checkpointer.stopping,
            options=options,
            mid_epoch=progress.mid_epoch,
        ):
            for observer in observers:
                observer.epoch(epoch)
    return checkpointer.progress.seconds


def _refit(
    refit: Refit,
    learner: Learner,
    logits: NDArray[np.float32],
    options: StepOptions,
    *,
    tracker: Tracker,
    display: Display,
) -> tuple[NDArray[np.float32], float]:
    """Train on train and validation together; returns what `Refit.run` returns, and the seconds spent."""
    started = perf_counter()
    display.begin_refit(documents=refit.documents, epochs=REFIT_EPOCHS)
    predicted = refit.run(learner, logits, options=options, shown=tracker.refit)
    return predicted, perf_counter() - started


def _record(setup: Setup, start: Start) -> dict[str, Any]:
    """What config.json says: enough to train the same model again."""
    data = setup.data
    return {
        "settings": setup.config.to_json(),
        **setup.network_record(),
        **encoding.record(setup),
        **({"vectors": setup.words.record} if setup.words else {}),
        **({"init_from": start.initial.record()} if start.initial else {}),
        "data": {
            "path": str(data.layout.root.resolve()),
            "name": data.manifest.name,
            "fingerprint": data.manifest.fingerprint,
            "described": data.manifest.described(),
        },
        "versions": versions(),
        "machine": {
            "processor": platform.machine(),
            "threads": torch.get_num_threads(),
            **({"ranks": setup.ranks.count} if setup.ranks.count > 1 else {}),
        },
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that are installed; textclf may be an uninstalled checkout."""
    versions = {"python": platform.python_version(), "textclf": __version__}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
