"""The end of a run: from the trained model to probabilities, thresholds, figures, the artefact and its card."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from textclf.artefacts import artefact, runs
from textclf.artefacts.artefact import Abstention, Artefact
from textclf.artefacts.card import model_card
from textclf.config import REFIT_EPOCHS
from textclf.evaluation.calibration import learn, unknown_shares
from textclf.evaluation.metrics import Metrics, per_class
from textclf.evaluation.predictions import Predictions
from textclf.models import parameters
from textclf.system import files, memory
from textclf.training import device, loop
from textclf.training.batches import BatchLoader
from textclf.training.doubts import doubts
from textclf.training.loop import StepOptions
from textclf.training.setup import Setup, required
from textclf.training.tracking import Tracker

MOST_LABELS: Final = 1_000
"""Labels of which metrics.json has figures, at most."""


class Trained(NamedTuple):
    """A model that takes no more steps. D validation documents, C classes."""

    model: nn.Module
    """What predicts."""
    validation: NDArray[np.float32]
    """Logits (D, C) of documents that the model had not learned from: see `textclf.training.refit`."""
    options: StepOptions
    """How the model is evaluated."""
    best_epoch: int
    is_refit: bool
    """Whether it took more steps after the last epoch, on train and validation."""
    train_seconds: float
    started: float
    """When the run would have started, by `perf_counter`, had it never been stopped."""


def finish(
    setup: Setup, run: runs.RunLayout, trained: Trained, *, tracker: Tracker, test: bool = True
) -> dict[str, Any]:
    """Measure the model, write all files of a finished run but the checksums, and return the metrics.

    Without ``test`` the test split is neither read nor evaluated, and the metrics have no "test"; those of each label
    are then on validation.
    """
    objective, validation = trained.options.objective, setup.parts["validation"]
    temperature = objective.temperature(validation.labels, trained.validation)
    calibrated = trained.validation / np.float32(temperature)
    unknown = unknown_shares(setup.data, validation.rows, setup.tokenizer)
    abstention = learn(validation.labels, calibrated, unknown)
    measured = {"validation": objective.measure(validation.labels, calibrated)}
    if test:
        tested = setup.parts["test"]
        logits = logits_of(trained.model, setup.loader("test", trained.options.device), options=trained.options)
        measured["test"] = objective.measure(tested.labels, logits / np.float32(temperature))
    metrics = _metrics(setup, run, trained, measured, temperature)
    metrics |= _by_label(setup, *((tested.labels, logits) if test else (validation.labels, trained.validation)))
    made = _artefact(setup, trained.model, metrics, abstention)
    tracker.finish(setup.config.to_json(), metrics)
    artefact.save(run.model, made, card=_card(setup, run, made, metrics))
    memory.return_freed_memory()  # of the files that were written: figures need more
    files.write_json(run.metrics, metrics)
    runs.set_latest(run)
    if test:
        predictions = Predictions(run.root.name, setup.data, "test", tested.rows, tested.labels, logits, made)
        tracker.examine(predictions, trained.best_epoch)
    return metrics


def logits_of(model: nn.Module, batches: BatchLoader, *, options: StepOptions) -> NDArray[np.float32]:
    """Logits (D, C) of the documents of a part, in its order, though the batches are sorted by length."""
    found, _ = loop.predict(model, batches, options=options)
    logits = np.empty_like(found)
    logits[batches.batch_sampler.order] = found  # type: ignore[union-attr]
    return logits


def _metrics(
    setup: Setup, run: runs.RunLayout, trained: Trained, measured: Mapping[str, Metrics], temperature: float
) -> dict[str, Any]:
    """The figures of the finished model, as metrics.json holds them."""
    config, history = setup.config, files.read_lines(run.history)
    refit = {"documents": len(setup.parts["refit"]), "epochs": REFIT_EPOCHS} if trained.is_refit else None
    doubtful = _doubts(setup, history[trained.best_epoch - 1], measured["validation"].accuracy)
    return {
        "corpus": setup.data.manifest.name,
        "tier": config.tier,
        "model": config.model,
        "seed": config.seed,
        **setup.network_record(),
        "parameters": parameters(trained.model),
        "train": history[trained.best_epoch - 1]["train"],
        **{split: figures._asdict() for split, figures in measured.items()},
        "temperature": temperature,
        "epochs": len(history),
        "best_epoch": trained.best_epoch,
        "refit": refit,
        **({"warnings": doubtful} if doubtful else {}),
        "device": device.name(trained.options.device),
        "seconds": {
            "load": setup.seconds,
            "train": trained.train_seconds,
            "total": perf_counter() - trained.started,
        },
    }


def _by_label(setup: Setup, labels: NDArray[np.int64], logits: NDArray[np.float32]) -> dict[str, Any]:
    """Precision, recall, F1 and documents of each label, if they are few enough to be read."""
    names = setup.data.manifest.labels
    return {"labels": per_class(labels, logits, names)} if len(names) <= MOST_LABELS else {}


def _doubts(setup: Setup, epoch: Mapping[str, Any], accuracy: float) -> list[str]:
    """Why the model may be worthless."""
    most_frequent = np.bincount(setup.parts["train"].labels).argmax()
    return doubts(
        epoch,
        classes=len(setup.data.manifest.labels),
        lr=required(setup.config.lr),
        accuracy=accuracy,
        majority=setup.parts["validation"].labels == most_frequent,
    )


def _artefact(setup: Setup, model: nn.Module, metrics: Mapping[str, Any], abstention: Abstention) -> Artefact:
    """The trained model, without torch."""
    kept = ("corpus", "tier", "seed", "refit", "validation", "test")
    return Artefact(
        model=setup.config.model,
        weights={name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()},
        tokenizer=setup.tokenizer,
        inputs=setup.features,
        labels=setup.data.manifest.labels,
        temperature=metrics["temperature"],
        trained={name: metrics[name] for name in kept if name in metrics},
        abstention=abstention,
        user_model=setup.user_model(),
        columns=setup.data.manifest.columns,
    )


def _card(setup: Setup, run: runs.RunLayout, made: Artefact, metrics: Mapping[str, Any]) -> str:
    """The model card; the library versions are those that the run started with."""
    return model_card(
        metrics,
        setup.data.counts(setup.config.tier),
        setup.data.manifest,
        size=artefact.size(made),
        versions=runs.read_json(run.config)["versions"],
    )
