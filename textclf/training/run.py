"""One training run, from settings to a run directory with a model that predicts; stopped, it can go on."""

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from textclf import __version__
from textclf.artefacts import artefact, runs
from textclf.artefacts.artefact import Abstention, Artefact
from textclf.artefacts.card import model_card
from textclf.config import REFIT_EPOCHS, TrainConfig
from textclf.dataset.directory import DataDirectory
from textclf.errors import ArtefactError
from textclf.evaluation.abstention import learn, unknown_shares
from textclf.evaluation.calibration import fit_temperature
from textclf.evaluation.metrics import Metrics, measure
from textclf.evaluation.predictions import Predictions
from textclf.models import parameters, summary, user
from textclf.models.model import EMBEDDING
from textclf.models.user import UserModel
from textclf.models.user.code import naming_line
from textclf.system import files
from textclf.system.interrupt import Interrupt
from textclf.text.tokenizer import UNK_ID
from textclf.training import device, loop
from textclf.training.batches import BatchLoader
from textclf.training.checkpoint import PACE, Checkpointer, Pace, Progress, load_best
from textclf.training.loop import Batches, Epoch, StepOptions
from textclf.training.meters import Meter
from textclf.training.objective import Softmax
from textclf.training.prepared import Prepared, find_data, prepare
from textclf.training.session import Session, complete, given, network_arguments
from textclf.training.tracking import Examined, Tracker, left_to_the_next_call

PACKAGES: Final = ("torch", "numpy", "datasets", "scikit-learn", "tensorboard", "safetensors")

MISTAKES: Final = 20  # documents that TensorBoard lists
FIRST_WORD: Final = UNK_ID + 1  # embeddings of both models begin with the words, by falling count
WORDS: Final = 1000  # that the projector shows
NO_EMBEDDINGS: Final = np.empty((0, 0), dtype=np.float32)  # of a user's network that calls them otherwise

GPU_CHECK_EVERY: Final = 100
"""Steps from one check for NaN to the next on a GPU, where each check forces a sync."""


class Display:
    """Shows a run to whoever waits for it; this one shows nothing."""

    def begin(self, run: runs.RunLayout, session: Session, summary: str, *, first_epoch: int) -> None:
        """Training begins, with the model of this summary."""

    def watch(self, batches: Batches, meter: Meter) -> Batches:
        """Pass training batches through."""
        return batches

    def epoch(self, epoch: Epoch) -> None:
        """An epoch has ended."""

    def begin_refit(self, *, documents: int, epochs: int) -> None:
        """The model is trained once more, on train and validation."""

    def end(self, metrics: Mapping[str, Any]) -> None:
        """The model was tested."""


def train(
    config: TrainConfig, *, display: Display | None = None, prepared: Prepared | None = None, pace: Pace = PACE
) -> runs.RunLayout:
    """Train a model in a new run directory, on what was prepared for these settings if anything was.

    Raises UsageError, DataError or ArtefactError if the data or the device cannot be used, DivergedError if the loss is
    no number any more, ResourceError if disk, memory or loader processes give out, InterruptedRunError or
    TerminatedRunError on a signal; the run can then be resumed.
    """
    ready = prepared or prepare(config, DataDirectory.open(find_data(config)))
    with _naming_failures(ready.config, config.run_dir):
        session = complete(ready)
        run = runs.create(config.run_dir, corpus=session.data.manifest.name, tier=config.tier, model=config.model)
        files.write_json(run.config, _record(session))
        return _complete(session, run, display or Display(), pace)


def resume(
    run: runs.RunLayout, *, display: Display | None = None, pace: Pace = PACE, code: Sequence[Path] = ()
) -> runs.RunLayout:
    """Go on with a run from its last checkpoint; it ends as if it had never been stopped.

    A user's class comes from one of the files ``code``. Raises what `train` raises, and UsageError if the data or the
    code is not that which the run began with.
    """
    runs.refuse_links(run)
    made = runs.data_of(run)
    config = settings_of(run, code=code)
    data = DataDirectory.open(made.path, fingerprint=made.fingerprint, described=made.described)
    runs.clear_temporaries(run)
    if run.metrics.exists():  # it has ended
        if runs.sealed(run) is None:  # but for its last moment
            runs.seal(run)
        runs.set_latest(run)
        return run
    ready = prepare(config, data)
    with _naming_failures(ready.config, run.root):
        return _complete(complete(ready), run, display or Display(), pace)


@contextmanager
def _naming_failures(config: TrainConfig, folder: Path) -> Iterator[None]:
    """Name what to change where memory or disk give out, and the line of a user's file that fails."""
    with (
        naming_line(config.user_model.code.file) if config.user_model else nullcontext(),
        device.naming_lack_of_memory(batch_size=given(config.batch_size)),
        files.naming_full_disk(folder),
    ):
        yield


def settings_of(run: runs.RunLayout, *, code: Sequence[Path] = ()) -> TrainConfig:
    """The settings that a run began with, with a user's class from one of the files ``code``.

    Raises ArtefactError if its config.json does not say them, UsageError if that class is not there.
    """
    try:
        record = runs.read_json(run.config)
        network = record.get("network")
        user_model = user.of_record(network, code=code, root=run.root) if network else None
        return TrainConfig.from_json(record["settings"], user_model=user_model)
    except (LookupError, TypeError, ValueError) as error:
        raise ArtefactError(f"{run.config} is damaged, or from another version ({error})") from error


def _complete(session: Session, run: runs.RunLayout, display: Display, pace: Pace) -> runs.RunLayout:
    """Train to the end, test once, and leave the model that predicts."""
    started = perf_counter()
    checkpointer = Checkpointer(
        run,
        session.learner,
        session.stopping,
        settings=session.config.shaping_steps(),
        processor=session.device,
        pace=pace,
    )
    progress = checkpointer.resume()
    layers = summary(session.learner.model)
    display.begin(run, session, layers, first_epoch=progress.epoch + 1)
    with (
        left_to_the_next_call(),
        Tracker(run.root, first_epoch=progress.epoch + 1) as tracker,
        Interrupt(f"go on: textclf train --resume {run.root}") as interrupt,
    ):
        if progress.epoch == 0:
            tracker.introduce(layers, session.config.to_json())
        options = StepOptions(
            session.device,
            Softmax(session.config.label_smoothing),
            seed=session.config.seed,
            autocast=device.autocast(session.config.precision, session.device),
            clip_norm=session.config.clip_norm,
            check_every=1 if session.device.type == "cpu" else GPU_CHECK_EVERY,
            watch=lambda batches, meter: interrupt.between_steps(display.watch(batches, meter)),
        )

        def watch(batches: Batches, meter: Meter) -> Batches:
            shown = checkpointer.watch(display.watch(batches, meter), meter)
            return interrupt.between_steps(shown, save=lambda: checkpointer.save_mid_epoch(meter))

        try:
            train_seconds = _fit(session, checkpointer, progress, tracker, display, replace(options, watch=watch))
            validated = _predict(session, checkpointer.best(), "validation")
            if session.config.refit:
                train_seconds += _refit(session, run, tracker, display, options)
            else:
                load_best(run.best, session.learner.average.module)
            final = session.end()
        finally:
            for batches in session.batches.values():
                batches.close()
        logits, labels = _predict(session, final, "test")
        temperature, validation, abstention = _calibrate(session, *validated)
        metrics = _metrics(session, run, temperature, validation, measure(labels, logits / np.float32(temperature)))
        total = session.seconds + progress.seconds + perf_counter() - started
        metrics["seconds"] = {"load": session.seconds, "train": train_seconds, "total": total}
        tracker.finish(session.config.to_json(), metrics)
        trained = _artefact(session, final, metrics, abstention)
        card = _card(session, run, trained, metrics)
        artefact.save(run.model, trained, card=card)
        files.write_json(run.metrics, metrics)
        runs.set_latest(run)
        found = Predictions(run.root.name, session.data, "test", *_in_order(session, "test", labels, logits), trained)
        tracker.examine(_examined(found, session.stopping.best_epoch))
    runs.seal(run)
    display.end(metrics)
    return run


def _fit(
    session: Session,
    checkpointer: Checkpointer,
    progress: Progress,
    tracker: Tracker,
    display: Display,
    options: StepOptions,
) -> float:
    """Train, and keep every epoch as it ends; returns the seconds spent on it, those before a stop included."""
    history = checkpointer.run.history
    started = perf_counter() - progress.seconds
    over = session.stopping.is_over(progress.epoch)
    epochs = range(progress.epoch + 1, progress.epoch + 1 if over else session.config.epochs + 1)
    try:
        for epoch in loop.fit(
            session.learner,
            session.batches,
            epochs=epochs,
            stopping=session.stopping,
            options=options,
            mid_epoch=progress.mid_epoch,
        ):
            tracker.epoch(epoch)
            with history.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_epoch_record(epoch)) + "\n")
            progress = Progress(epoch.number, perf_counter() - started)
            checkpointer.epoch(progress)
            display.epoch(epoch)
    finally:
        checkpointer.keep_best()
    return progress.seconds


def _refit(session: Session, run: runs.RunLayout, tracker: Tracker, display: Display, options: StepOptions) -> float:
    """Train for some more epochs, on train and validation together; returns the seconds spent on it."""
    started = perf_counter()
    batches, searched = session.batches["refit"], len(files.read_lines(run.history))
    epochs = range(searched + 1, searched + 1 + REFIT_EPOCHS)
    display.begin_refit(documents=_documents(batches), epochs=len(epochs))
    for number, score in zip(epochs, loop.refit(session.learner, batches, epochs=epochs, options=options), strict=True):
        tracker.refit(score, number)
    return perf_counter() - started


def _calibrate(
    session: Session, logits: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[float, Metrics, Abstention]:
    """From the logits of validation documents: the temperature, how well the model did on them, when to abstain."""
    temperature = fit_temperature(labels, logits)
    calibrated = logits / np.float32(temperature)
    unknown = unknown_shares(session.data, session.data.rows("validation"), session.tokenizer)
    return temperature, measure(labels, calibrated), learn(labels, calibrated, unknown)


def _documents(batches: BatchLoader) -> int:
    """How many documents an epoch goes through."""
    return len(batches.dataset)  # type: ignore[arg-type]


def _predict(session: Session, model: nn.Module, split: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits and labels of a split, in float32: the weights that predict will be used so."""
    logits, labels = loop.predict(model, session.batches[split], options=StepOptions(session.device, Softmax()))
    return logits.numpy(), labels.numpy()


def _in_order(
    session: Session, split: str, labels: NDArray[np.int64], logits: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Rows of documents.parquet, and what was predicted of them: batches go by length."""
    order = session.batches[split].batch_sampler.order  # type: ignore[union-attr]
    return session.data.rows(split)[order], labels, logits


def _examined(found: Predictions, epoch: int) -> Examined:
    """What TensorBoard shows of the finished model."""
    confidence = found.probabilities.max(axis=1)
    mistakes = ["| document | label | answer | probability | text |", "|---|---|---|---|---|"]
    for place in found.mistakes(MISTAKES):
        answer, probability = found.names[found.answers[place]], f"{confidence[place]:.3f}"
        cells = (found.document(place), found.label(place), answer, probability, found.text(place))
        mistakes.append(f"| {' | '.join(cell.replace('|', ' ') for cell in cells)} |")
    trained = found.trained
    words = trained.tokenizer.words[FIRST_WORD : FIRST_WORD + WORDS]
    embeddings = trained.weights.get(EMBEDDING, NO_EMBEDDINGS)[FIRST_WORD : FIRST_WORD + len(words)]
    return Examined(
        epoch,
        found.names,
        found.labels,
        found.raw,
        found.logits,
        "\n".join(mistakes),
        words[: len(embeddings)],
        embeddings,
    )


def _metrics(
    session: Session, run: runs.RunLayout, temperature: float, validation: Metrics, test: Metrics
) -> dict[str, Any]:
    """The figures of the finished model, as metrics.json holds them."""
    epochs = files.read_lines(run.history)
    best_epoch = session.stopping.best_epoch
    refit = None
    if session.config.refit:
        refit = {"documents": _documents(session.batches["refit"]), "epochs": REFIT_EPOCHS}
    return {
        "corpus": session.data.manifest.name,
        "tier": session.config.tier,
        "model": session.config.model,
        "seed": session.config.seed,
        **_network(session),
        "parameters": parameters(session.learner.model),
        "train": epochs[best_epoch - 1]["train"],
        "validation": validation._asdict(),
        "test": test._asdict(),
        "temperature": temperature,
        "epochs": len(epochs),
        "best_epoch": best_epoch,
        "refit": refit,
        "device": device.name(session.device),
    }


def _artefact(session: Session, model: nn.Module, metrics: Mapping[str, Any], abstention: Abstention) -> Artefact:
    """The trained model, without torch."""
    return Artefact(
        model=session.config.model,
        weights={name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()},
        tokenizer=session.tokenizer,
        inputs=session.inputs,
        labels=session.data.manifest.labels,
        temperature=metrics["temperature"],
        trained={name: metrics[name] for name in ("corpus", "tier", "seed", "refit", "validation", "test")},
        abstention=abstention,
        user_model=_user_model(session),
    )


def _user_model(session: Session) -> UserModel | None:
    """The user's class, with the arguments that its network was made with."""
    made = session.config.user_model
    classes = len(session.data.manifest.labels)
    return made and UserModel(made.code, network_arguments(session.config, session.inputs, classes=classes))


def _network(session: Session) -> dict[str, Any]:
    """What is said of a user's class beside the settings."""
    made = _user_model(session)
    return {"network": made.record()} if made else {}


def _card(session: Session, run: runs.RunLayout, trained: Artefact, metrics: Mapping[str, Any]) -> str:
    """The model card; the libraries are those that the run began with."""
    return model_card(
        metrics,
        session.data.counts(session.config.tier),
        session.data.manifest,
        size=artefact.size(trained),
        versions=runs.read_json(run.config)["versions"],
    )


def _record(session: Session) -> dict[str, Any]:
    """What config.json says: enough to train the same model again."""
    data = session.data
    return {
        "settings": session.config.to_json(),
        **_network(session),
        "data": {
            "path": str(data.layout.root.resolve()),
            "name": data.manifest.name,
            "fingerprint": data.manifest.fingerprint,
            "described": data.manifest.described(),
        },
        "versions": _versions(),
        "machine": {"processor": platform.machine(), "threads": torch.get_num_threads()},
    }


def _versions() -> dict[str, str]:
    """Versions of Python and of the packages that are installed; textclf may be an uninstalled checkout."""
    versions = {"python": platform.python_version(), "textclf": __version__}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def _epoch_record(epoch: Epoch) -> dict[str, Any]:
    """A line of history.jsonl."""
    return {**epoch._asdict(), "train": epoch.train._asdict(), "validation": epoch.validation._asdict()}
