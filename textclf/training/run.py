"""One training run, from settings to a run directory with a model that predicts; stopped, it can go on."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from textclf import atomic, models, runs
from textclf.config import TrainConfig
from textclf.errors import ArtefactError
from textclf.evaluation.metrics import measure
from textclf.inference import artefact
from textclf.inference.artefact import Artefact
from textclf.store.directory import DataDirectory
from textclf.text.tokenizer import Tokenizer
from textclf.training import checkpoint, device, loop
from textclf.training.card import model_card
from textclf.training.checkpoint import Progress
from textclf.training.interrupt import Interrupt
from textclf.training.loop import Batches, Epoch, Meter, Pass
from textclf.training.session import Session, assemble, find_data
from textclf.training.tracking import Tracker

PACKAGES: Final = ("textclf", "torch", "numpy", "datasets", "scikit-learn", "tensorboard", "safetensors")


class Display:
    """Shows a run to whoever waits for it; this one shows nothing."""

    def begin(self, run: runs.Layout, session: Session, summary: str, *, first_epoch: int) -> None:
        """Training begins, with the model of this summary."""

    def watch(self, batches: Batches, meter: Meter) -> Batches:
        """Pass training batches through."""
        return batches

    def epoch(self, epoch: Epoch) -> None:
        """An epoch has ended."""

    def end(self, metrics: Mapping[str, Any]) -> None:
        """The model was tested."""


def train(config: TrainConfig, *, display: Display | None = None) -> runs.Layout:
    """Train a model in a new run directory.

    Raises UsageError, DataError or ArtefactError if the data or the device cannot be used, DivergedError if the loss is
    no number any more, InterruptedRunError or TerminatedRunError on a signal; the run can then be resumed.
    """
    session = assemble(config, DataDirectory.open(find_data(config)))
    run = runs.create(config.run_dir, corpus=session.data.manifest.name, tier=config.tier, model=config.model)
    atomic.write_json(run.config, _record(session))
    checkpoint.save_last(run.last, session.model, session.optimizer, session.stopping, Progress(epoch=0, seconds=0))
    return _complete(session, run, display or Display())


def resume(run: runs.Layout, *, display: Display | None = None) -> runs.Layout:
    """Go on with a run from the last epoch that it finished; it ends as if it had never been stopped.

    Raises what `train` raises, and UsageError if the data is not that which the run began with.
    """
    root, fingerprint = runs.data_of(run)
    try:
        config = TrainConfig.from_json(runs.read_json(run.config)["settings"])
    except (LookupError, TypeError) as error:
        raise ArtefactError(f"{run.config} is damaged, or from another version ({error})") from error
    return _complete(assemble(config, DataDirectory.open(root, fingerprint=fingerprint)), run, display or Display())


def _complete(session: Session, run: runs.Layout, display: Display) -> runs.Layout:
    """Train to the end, test once, and leave the model that predicts."""
    started = perf_counter()
    progress = checkpoint.load_last(run.last, session.model, session.optimizer, session.stopping)
    summary = models.summary(session.model)
    display.begin(run, session, summary, first_epoch=progress.epoch + 1)
    with Tracker(run.root, first_epoch=progress.epoch + 1) as tracker:
        if progress.epoch == 0:
            tracker.introduce(summary, session.config.to_json())
        try:
            train_seconds = _fit(session, run, progress, tracker, display)
        finally:
            session.batches["train"].close()
        checkpoint.load_best(run.best, session.model)
        metrics = _measure(session, run)
        total = session.seconds + progress.seconds + perf_counter() - started
        metrics["seconds"] = {"load": session.seconds, "train": train_seconds, "total": total}
        tracker.finish(session.config.to_json(), metrics)
    artefact.save(
        run.model,
        _artefact(session, metrics),
        card=model_card(metrics, session.data.manifest.labels, session.data.manifest.source),
    )
    atomic.write_json(run.metrics, metrics)
    runs.set_latest(run)
    display.end(metrics)
    return run


def _fit(session: Session, run: runs.Layout, progress: Progress, tracker: Tracker, display: Display) -> float:
    """Train, and keep every epoch as it ends; returns the seconds spent on it, those before a stop included."""
    _forget_after(run.history, progress.epoch)
    started = perf_counter() - progress.seconds
    over = session.stopping.is_over(progress.epoch)
    epochs = range(progress.epoch + 1, progress.epoch + 1 if over else session.config.epochs + 1)
    with Interrupt(f"go on: textclf train --resume {run.root}") as interrupt:
        how = Pass(
            session.device,
            seed=session.config.seed,
            autocast=device.autocast(session.config.precision, session.device),
            clip_norm=session.config.clip_norm,
            watch=lambda batches, meter: interrupt.between_steps(display.watch(batches, meter)),
        )
        epochs_run = loop.fit(
            session.model, session.optimizer, session.batches, epochs=epochs, stopping=session.stopping, how=how
        )
        for epoch in epochs_run:
            if epoch.is_best:
                checkpoint.save_best(run.best, session.model)
            tracker.epoch(epoch)
            with run.history.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_epoch_record(epoch)) + "\n")
            progress = Progress(epoch.number, perf_counter() - started)
            checkpoint.save_last(run.last, session.model, session.optimizer, session.stopping, progress)
            display.epoch(epoch)
    return progress.seconds


def _measure(session: Session, run: runs.Layout) -> dict[str, Any]:
    """The figures of the best weights, as metrics.json holds them."""
    how = Pass(session.device)  # float32: the weights that predict will be used so
    measured = {}
    for split in ("validation", "test"):
        logits, labels = loop.predict(session.model, session.batches[split], how=how)
        measured[split] = measure(labels.numpy(), logits.numpy())._asdict()
    epochs = [json.loads(line) for line in run.history.read_text(encoding="utf-8").splitlines()]
    return {
        "corpus": session.data.manifest.name,
        "tier": session.config.tier,
        "model": session.config.model,
        "seed": session.config.seed,
        "parameters": models.parameters(session.model),
        "train": epochs[session.stopping.best_epoch - 1]["train"],
        **measured,
        "epochs": len(epochs),
        "best_epoch": session.stopping.best_epoch,
        "device": device.name(session.device),
    }


def _artefact(session: Session, metrics: Mapping[str, Any]) -> Artefact:
    """The trained model, without torch."""
    return Artefact(
        model=session.config.model,
        weights={name: tensor.cpu().numpy() for name, tensor in session.model.state_dict().items()},
        tokenizer=Tokenizer.from_json(atomic.read_json(session.data.layout.tokenizer)),
        inputs=session.inputs,
        labels=session.data.manifest.labels,
        trained={name: metrics[name] for name in ("corpus", "tier", "seed", "validation", "test")},
    )


def _record(session: Session) -> dict[str, Any]:
    """What config.json says: enough to train the same model again."""
    data = session.data
    return {
        "settings": session.config.to_json(),
        "data": {
            "path": str(data.layout.root.resolve()),
            "name": data.manifest.name,
            "fingerprint": data.manifest.fingerprint,
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def _epoch_record(epoch: Epoch) -> dict[str, Any]:
    """A line of history.jsonl."""
    return {**epoch._asdict(), "train": epoch.train._asdict(), "validation": epoch.validation._asdict()}


def _forget_after(history: Path, epoch: int) -> None:
    """Drop the epochs that the last checkpoint does not know of."""
    lines = history.read_text(encoding="utf-8").splitlines(keepends=True) if history.exists() else []
    atomic.write_text(history, "".join(lines[:epoch]))
