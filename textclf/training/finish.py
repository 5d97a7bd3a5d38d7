"""The end of a run: from the trained model to probabilities, thresholds, figures, the artefact and its card."""

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from textclf.artefacts import model_folder, runs
from textclf.artefacts.artefact import Abstention, Artefact
from textclf.artefacts.card import facts, model_card
from textclf.artefacts.encoder_view import EncoderView
from textclf.config import NONE, REFIT_EPOCHS
from textclf.dataset.directory import Part
from textclf.dataset.manifest import Manifest
from textclf.evaluation.calibration import learn_from
from textclf.evaluation.metrics import Metrics
from textclf.evaluation.multi_label import MultiMetrics
from textclf.evaluation.predictions import Predictions, unknown_shares
from textclf.evaluation.scoring import Calibrated, Scoring, scoring_of
from textclf.models import parameters
from textclf.system import files, memory
from textclf.training import device, initial_weights, loop
from textclf.training.batches import BatchLoader
from textclf.training.class_weights import logit_shift
from textclf.training.doubts import doubts
from textclf.training.loop import StepOptions
from textclf.training.setup import Setup, required, required_encoded
from textclf.training.tracking import Tracker

if TYPE_CHECKING:
    from textclf.training.companion import Joined

MOST_LABELS: Final = 1_000
"""Labels of which metrics.json has figures, at most."""


AnyMetrics = Metrics | MultiMetrics


class Trained(NamedTuple):
    """A model that takes no more steps. D validation documents, C classes."""

    model: nn.Module
    """What predicts."""
    joined: "Joined"
    """Its companions, and the logits (D, C) of all of documents that they had not learned from."""
    options: StepOptions
    """How the model is evaluated."""
    best_epoch: int
    is_refit: bool
    """Whether it took more steps after the last epoch, on train and validation."""
    train_seconds: float
    started: float
    """When the run would have started, by `perf_counter`, had it never been stopped."""

    @property
    def validation(self) -> NDArray[np.float32]:
        """The logits of the validation documents."""
        return self.joined.validation

    @property
    def view(self) -> EncoderView | None:
        """The classifier of an encoder's vectors, if the model has one."""
        return self.joined.view


def finish(
    setup: Setup, run: runs.RunLayout, trained: Trained, *, tracker: Tracker, test: bool = True
) -> dict[str, Any]:
    """Measure the model, write all files of a finished run but the checksums, and return the metrics.

    Without ``test`` the test split is neither read nor evaluated, and the metrics have no "test"; those of each label
    are then on validation.
    """
    scoring, validation = scoring_of(setup.data), setup.parts["validation"]
    how = scoring.calibrate(validation.classes, trained.validation, shift=logit_shift(setup.class_weights))
    unknown = unknown_shares(setup.data, validation.rows, setup.tokenizer)
    abstention = learn_from(*scoring.confident(validation.classes, trained.validation, how), unknown)
    measured = {"validation": scoring.measure(validation.classes, trained.validation, how)}
    if test:
        tested = setup.parts["test"]
        logits = logits_of(trained.model, setup.loader("test", trained.options.device), options=trained.options)
        if trained.view:
            logits = trained.view.join(logits, required_encoded(setup).vectors.of(tested.rows))
        measured["test"] = scoring.measure(tested.classes, logits, how)
    metrics = _metrics(setup, run, trained, measured, how.temperature)
    metrics |= _by_label(setup, scoring, how, *((tested, logits) if test else (validation, trained.validation)))
    made = _artefact(setup, run, trained, metrics=metrics, how=how, abstention=abstention)
    tracker.finish(metrics)
    model_folder.save(run.model, made, card=_card(setup, run, made, metrics))
    memory.return_freed_memory()  # of the files that were written: figures need more
    files.write_json(run.metrics, metrics)
    runs.set_latest(run)
    if test:
        predictions = Predictions(run.root.name, setup.data, "test", tested.rows, tested.classes, logits, made)
        tracker.examine(predictions, trained.best_epoch)
    return metrics


def logits_of(model: nn.Module, batches: BatchLoader, *, options: StepOptions) -> NDArray[np.float32]:
    """Logits (D, C) of the documents of a part, in its order, though the batches are sorted by length."""
    found, _ = loop.predict(model, batches, options=options)
    logits = np.empty_like(found)
    logits[batches.batch_sampler.order] = found  # type: ignore[union-attr]
    return logits


def _metrics(
    setup: Setup, run: runs.RunLayout, trained: Trained, measured: Mapping[str, AnyMetrics], temperature: float
) -> dict[str, Any]:
    """The figures of the finished model, as metrics.json holds them."""
    config, history = setup.config, files.read_lines(run.history)
    joined = trained.joined
    has_learned_all = trained.is_refit or ((joined.share or joined.view) and "refit" in setup.parts)
    epochs = REFIT_EPOCHS if trained.is_refit else 0
    of_encoder = {"encoder": 1} if joined.view else {}
    refit = {"documents": len(setup.parts["refit"]), "epochs": epochs, **of_encoder} if has_learned_all else None
    doubtful = _doubts(setup, history[trained.best_epoch - 1], measured["validation"].accuracy)
    initial = runs.read_json(run.config).get("init_from")
    if initial and not initial["unseen"]:
        doubtful.append(initial_weights.doubt(initial["run"]))
    return {
        "corpus": setup.data.manifest.name,
        "tier": config.tier,
        **({} if config.shots is None else {"shots": config.shots}),
        "model": config.model,
        "seed": config.seed,
        **setup.network_record(),
        "parameters": parameters(trained.model) + (joined.view.parameters if joined.view else 0),
        "train": history[trained.best_epoch - 1]["train"],
        **{split: figures._asdict() for split, figures in measured.items()},
        **({"init_from": initial} if initial else {}),
        "temperature": temperature,
        "epochs": len(history),
        "best_epoch": trained.best_epoch,
        "refit": refit,
        **({"companion": {"share": joined.share}} if joined.share else {}),
        **({"vectors": setup.words.record} if setup.words else {}),
        **({"encoder": joined.view.record()} if joined.view else {}),
        **({"warnings": doubtful} if doubtful else {}),
        "device": device.name(trained.options.device),
        "seconds": {
            "load": setup.seconds,
            "train": trained.train_seconds,
            "total": perf_counter() - trained.started,
        },
    }


def _by_label(
    setup: Setup, scoring: Scoring, how: Calibrated, part: Part, logits: NDArray[np.float32]
) -> dict[str, Any]:
    """Precision, recall, F1 and documents of each label, if they are few enough to be read."""
    names = setup.data.manifest.labels
    return {"labels": scoring.by_label(part.classes, logits, how, names=names)} if len(names) <= MOST_LABELS else {}


def _doubts(setup: Setup, epoch: Mapping[str, Any], accuracy: float) -> list[str]:
    """Why the model may be worthless."""
    if setup.data.is_multi or setup.config.class_weights != NONE:  # whose answers are not the most probable ones
        return []
    most_frequent = np.bincount(setup.parts["train"].labels).argmax()
    return doubts(
        epoch,
        classes=len(setup.data.manifest.labels),
        lr=required(setup.config.lr),
        accuracy=accuracy,
        majority=setup.parts["validation"].labels == most_frequent,
    )


def _artefact(
    setup: Setup,
    run: runs.RunLayout,
    trained: Trained,
    *,
    metrics: Mapping[str, Any],
    how: Calibrated,
    abstention: Abstention,
) -> Artefact:
    """The trained model, without torch."""
    kept = ("corpus", "tier", "shots", "seed", "refit", "validation", "test", "vectors", "encoder")
    return Artefact(
        model=setup.config.model,
        weights={name: tensor.cpu().numpy() for name, tensor in trained.model.state_dict().items()},
        tokenizer=setup.tokenizer,
        inputs=setup.features,
        labels=setup.data.manifest.labels,
        temperature=how.temperature,
        shift=how.shift,
        thresholds=how.thresholds,
        trained={**{name: metrics[name] for name in kept if name in metrics}, "card": _facts(setup, run, metrics)},
        abstention=abstention,
        user_model=setup.user_model(),
        columns=setup.data.manifest.columns,
        view=trained.view,
    )


def _card(setup: Setup, run: runs.RunLayout, made: Artefact, metrics: Mapping[str, Any]) -> str:
    """The model card."""
    documents, data = _described(setup)
    return model_card(metrics, documents, data, size=model_folder.size(made), versions=_versions(run))


def _facts(setup: Setup, run: runs.RunLayout, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What the card says, for programs."""
    return facts(metrics, *_described(setup), versions=_versions(run))


def _described(setup: Setup) -> tuple[Mapping[str, int], Manifest]:
    """Training documents per label, and the data."""
    return setup.data.counts_of(setup.parts["train"].rows), setup.data.manifest


def _versions(run: runs.RunLayout) -> Mapping[str, str]:
    """The library versions that the run started with."""
    versions: Mapping[str, str] = runs.read_json(run.config)["versions"]
    return versions
