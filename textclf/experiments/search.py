"""The trials of a search for settings: which are tried, in which order, and what each comes to.

What a trial is depends on the trials before it and on its own number alone, so that a search that was killed goes on as
if it had not been: a trial that was not finished is done again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.config import TrainConfig, TuneConfig
from textclf.dataset.directory import DataDirectory, Part, together
from textclf.dataset.read_corpus import Progress
from textclf.errors import DivergedError
from textclf.evaluation import goal
from textclf.evaluation.goal import Figures, Goal
from textclf.evaluation.scoring import Calibrated, Labels, Scoring, scoring_of
from textclf.experiments import tune_folder
from textclf.experiments.search_space import SearchSpace
from textclf.experiments.suspects import divide
from textclf.experiments.tune_folder import TuneFolder
from textclf.system import files
from textclf.training import encoding, word_table
from textclf.training.class_weights import logit_shift
from textclf.training.display import Display
from textclf.training.setup import Setup, required, set_up

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as OptunaTrial

    from textclf.training.loop import Batches, Epoch, Watch
    from textclf.training.meters import Meter
    from textclf.training.tracking import Tracker

STARTUP: Final = 4
"""Trials, the defaults among them, before TPE has seen enough: until then settings are drawn at random."""
UNPRUNED: Final = 4
"""Trials that come to their end before the median of the others may end one early."""
FEWEST_EPOCHS: Final = 3
"""Epochs that each trial has at least: how good the first are says little about the best."""
WEIGHING: Final = ("macro-f1", "f1")
"""Goals for which rare classes count as much as frequent ones, so that class weights are tried."""

Tell = Callable[[str], None]


class Trial(NamedTuple):
    """Settings that were tried."""

    number: int
    """From 0, the defaults, on."""
    settings: Mapping[str, Any]
    """Those that differ from the defaults, by name."""
    figure: float | None
    """On validation; None if the trial was ended early."""
    epochs: int
    seconds: float


def required_metric(config: TuneConfig) -> str:
    """The metric of settings that have one by now."""
    if config.metric is None:
        raise ValueError("a setting is still open")
    return config.metric


class Search(NamedTuple):
    """A search before its next trial."""

    config: TuneConfig
    goal: Goal
    setup: Setup
    """Of the defaults, with all parts."""
    folds: Sequence[Setup]
    """What a trial trains, one after the other: each predicts validation documents of its own."""
    space: SearchSpace
    scoring: Scoring
    labels: Labels
    """Of the D validation documents of all folds."""
    folder: TuneFolder | None

    @property
    def place(self) -> TuneFolder:
        """The folder, which there is once the search has begun."""
        if self.folder is None:
            raise ValueError("the search has no folder yet")
        return self.folder

    @property
    def hashes(self) -> dict[str, str | None]:
        """Of the vectors that trials learn from: those of documents, by their encoder, and those of words."""
        encoded, words = self.folds[0].encoded, self.folds[0].words
        return {"encoder": encoded and encoded.encoder.hash, "vectors": words and words.record["hash"]}

    @property
    def is_multi(self) -> bool:
        """Whether documents may have several labels."""
        return self.setup.data.is_multi

    def figures(
        self, logits: NDArray[np.float32], settings: Mapping[str, Any], labels: Labels | None = None
    ) -> Figures:
        """The goal of a trial's logits (D, C), calibrated on the same documents; ``labels`` of other ones than all."""
        labels = self.labels if labels is None else labels
        how = self._calibrate(logits, settings, labels)
        return self.goal.figures(self.scoring, labels, logits, how, names=self.setup.data.manifest.labels)

    def measure(self, logits: NDArray[np.float32], settings: Mapping[str, Any]) -> Mapping[str, float]:
        """All figures of a trial's logits."""
        how = self._calibrate(logits, settings, self.labels)
        return self.scoring.measure(self.labels, logits, how)._asdict()

    def _calibrate(self, logits: NDArray[np.float32], settings: Mapping[str, Any], labels: Labels) -> Calibrated:
        return self.scoring.calibrate(labels, logits, shift=logit_shift(self.setup.changed(**settings).class_weights))


def prepare(config: TuneConfig, data: DataDirectory) -> Setup:
    """The defaults; the test split is read at the end alone."""
    settings = TrainConfig.create(
        tier=config.tier,
        model=config.model,
        data=str(config.data or data.layout.root),
        data_dir=config.data_dir,
        run_dir=config.run_dir,
        seed=config.seed,
        device=config.device,
        test=bool(len(data.rows("test"))),
        num_workers=0,
        **config.learns_from,
    )
    return set_up(settings, data)


def search_of(config: TuneConfig, setup: Setup, *, folder: TuneFolder | None, display: Display | None = None) -> Search:
    """A search for the best settings around those of a setup.

    Makes the vectors of words and documents that the settings name, and raises what that does.
    """
    wanted = Goal.parse(required_metric(config))
    every = _trial_setup(setup, setup.parts)
    folds = _with_vectors(_folds(config, setup) if config.folds else [every], every, display or Display())
    space = SearchSpace.around(setup, weighs_classes=wanted.kind in WEIGHING, max_size=config.max_size)
    labels = np.concatenate([fold.parts["validation"].classes for fold in folds])
    return Search(config, wanted, setup, folds, space, scoring_of(setup.data), labels, folder)


def _trial_setup(setup: Setup, parts: Mapping[str, Part]) -> Setup:
    """The same, without what a trial must not see: the test documents, and a refit on validation."""
    config = replace(setup.config, refit=False, test=False)
    return replace(setup, config=config, parts={name: parts[name] for name in ("train", "validation")})


def _folds(config: TuneConfig, setup: Setup) -> list[Setup]:
    """A setup for each part of train and validation together, which it predicts by a model trained on the others."""
    data, count = setup.data, required(config.folds)
    every = together(setup.parts["train"], setup.parts["validation"])
    fold = divide(data, folds=count, seed=config.seed)[every.rows]
    made = []
    for number in range(count):
        parts = {"train": every.at(fold != number), "validation": every.at(fold == number)}
        settings = replace(setup.config, refit=False, test=False)
        made.append(set_up(settings, data, parts=parts))
    return made


def _with_vectors(folds: Sequence[Setup], every: Setup, display: Display) -> list[Setup]:
    """The folds with what they learn from; the vectors of all documents are made once."""
    first, *others = folds
    encoded = encoding.with_vectors(every, display).encoded
    with_words = [word_table.with_words(first, display), *(word_table.with_words(each, Display()) for each in others)]
    return [replace(fold, encoded=encoded) for fold in with_words]


# Trials


class _OutOfTimeError(Exception):
    """The time of the search is over in the middle of a trial, which then does not count."""


def open_study(folder: TuneFolder) -> "Study":
    """The trials so far. One that was not finished when the process was killed is given up, and done again."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    from optuna.trial import TrialState

    class Unlocked(JournalFileOpenLock):
        """The folder is kept to this process already, and a lock of Optuna's would outlive a killed one."""

        def acquire(self) -> bool:
            return True

        def release(self) -> None:
            pass

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    tune_folder.mend_journal(folder)
    journal = str(folder.journal)
    storage = JournalStorage(JournalFileBackend(journal, lock_obj=Unlocked(journal)))
    study = optuna.create_study(storage=storage, study_name="tune", direction="maximize", load_if_exists=True)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING)):
        storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)
    return study


def finished(study: "Study") -> "list[FrozenTrial]":
    """The trials that came to their end, or were ended early as others were better, in order."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def try_all(search: Search, study: "Study", progress: Progress, tell: Tell) -> None:
    """Do one trial after the other until there are enough, or their time is over; the defaults are always tried."""
    most, seconds = search.config.trials, search.config.seconds
    goes_on = True
    while goes_on:
        done = finished(study)
        spent = sum(trial.user_attrs["seconds"] for trial in done)
        if done and ((most is not None and len(done) >= most) or (seconds is not None and spent >= seconds)):
            return
        left = seconds - spent if done and seconds is not None else None
        goes_on = _try_one(search, study, len(done), left, progress, tell)


def _try_one(search: Search, study: "Study", number: int, left: float | None, progress: Progress, tell: Tell) -> bool:
    """Do one trial; False if its time was over before its end. ``left``: seconds; None: as long as it takes.

    Raises DivergedError if the defaults do; other trials count as worse than the median then.
    """
    from optuna.trial import TrialState

    started, trial = perf_counter(), _ask(search, study, number)
    folder, settings = search.place.trial(number), search.space.settings(trial.params)
    files.remove(folder)  # of a trial of this number that was not finished
    files.make_folder(folder)
    doing = _Doing(search, number, settings, trial, deadline=None if left is None else started + left)
    try:
        logits = doing.logits(progress)
    except _OutOfTimeError:
        study.tell(trial, state=TrialState.FAIL)
        files.remove(folder)
        return False
    except DivergedError:
        if number == 0:
            raise
        logits = None
    record = {"settings": settings, "epochs": doing.epochs, "seconds": round(perf_counter() - started, 3)}
    for name, value in record.items():
        trial.set_user_attr(name, value)
    if logits is None:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        tune_folder.write_logits(search.place, number, logits)
        study.tell(trial, goal.value(search.figures(logits, settings), len(logits)))
    tell(_line(search.goal, trials_of(search, study)[-1]))
    return True


def _ask(search: Search, study: "Study", number: int) -> "OptunaTrial":
    """The trial of a number. The random state of what draws it follows from the number, so that it is drawn again."""
    import optuna

    seed = (search.config.seed * 1_000_003 + number) % 2**32
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
    warmup = 1 if len(search.folds) > 1 else FEWEST_EPOCHS
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED, n_warmup_steps=warmup)
    if number == 0:
        study.enqueue_trial(search.space.start())
    return study.ask(search.space.distributions())


class _Doing:
    """A trial that is done."""

    def __init__(
        self, search: Search, number: int, settings: Mapping[str, Any], trial: "OptunaTrial", *, deadline: float | None
    ) -> None:
        self.search = search
        self.number = number
        self.settings = settings
        self.trial = trial
        self.deadline = deadline
        self.epochs = 0

    def logits(self, progress: Progress) -> NDArray[np.float32] | None:
        """Logits (D, C) of the validation documents; None if the trial is ended early.

        Raises _OutOfTimeError, and what `textclf.training.trial.run` raises.
        """
        from textclf.training import trial as training
        from textclf.training.tracking import Tracker, quiet_writer_thread

        search, found, best_epoch = self.search, [], 0
        with quiet_writer_thread(), Tracker(search.place.trial(self.number), several=search.is_multi) as tracker:
            tracker.introduce(f"trial {self.number}", search.setup.changed(**self.settings).config.to_json())
            for place, fold in enumerate(search.folds):
                setup = fold.changed(**self.settings)
                goes_on = self._goes_on(tracker if place == 0 else None)
                tried = training.run(setup, watch=self._watch(setup, place, progress), goes_on=goes_on)
                if tried is None or (len(search.folds) > 1 and self._is_worse(tried.logits, place)):
                    return None
                found.append(tried.logits)
                best_epoch = max(best_epoch, tried.best_epoch)
            logits = np.concatenate(found)
            tracker.measured(search.measure(logits, self.settings), best_epoch)
            tracker.finish({})
        return logits

    def _watch(self, setup: Setup, place: int, progress: Progress) -> "Watch":
        """Shows batches as they pass, and stops between two when the time is over."""
        folds = len(self.search.folds)
        title = f"trial {self.number}" + (f", fold {place + 1} of {folds}" if folds > 1 else "")
        steps = -(-len(setup.parts["train"]) // required(setup.config.batch_size))

        def watch(batches: "Batches", _meter: "Meter") -> "Batches":
            for batch in progress(batches, title, steps):
                if self.deadline is not None and perf_counter() > self.deadline:
                    raise _OutOfTimeError
                yield batch

        return watch

    def _goes_on(self, tracker: "Tracker | None") -> "Callable[[Epoch], bool]":
        """Counts an epoch, shows it to TensorBoard, and says whether the trial goes on: not below the median."""

        def goes_on(epoch: "Epoch") -> bool:
            self.epochs += 1
            if tracker is not None:
                tracker.epoch(epoch)
            if len(self.search.folds) > 1:
                return True
            watched = self.search.goal.watched
            figure = getattr(epoch.validation, watched)
            return not self._is_below_median(-figure if watched == "loss" else figure, epoch.number)

        return goes_on

    def _is_worse(self, logits: NDArray[np.float32], place: int) -> bool:
        """Whether a fold is below the median of the other trials."""
        labels = self.search.folds[place].parts["validation"].classes
        figures = self.search.figures(logits, self.settings, labels)
        return self._is_below_median(goal.value(figures, len(labels)), place + 1)

    def _is_below_median(self, figure: float, step: int) -> bool:
        self.trial.report(figure, step)
        return self.number > 0 and self.trial.should_prune()


def _trial(wanted: Goal, number: int, found: "FrozenTrial") -> Trial:
    from optuna.trial import TrialState

    figure = None
    if found.state == TrialState.COMPLETE:
        figure = wanted.sign * required(found.value)
    attributes = found.user_attrs
    return Trial(number, attributes["settings"], figure, attributes["epochs"], attributes["seconds"])


def _line(wanted: Goal, trial: Trial) -> str:
    """A trial in one line."""
    settings = ", ".join(f"{name} {value}" for name, value in trial.settings.items()) or "the defaults"
    figure = f"{wanted} {trial.figure:.4f}" if trial.figure is not None else f"ended after epoch {trial.epochs}"
    return f"trial {trial.number}: {figure}, {trial.seconds:.1f} s: {settings}"


def trials_of(search: Search, study: "Study") -> list[Trial]:
    """The trials so far."""
    return [_trial(search.goal, number, found) for number, found in enumerate(finished(study))]


def best_of(wanted: Goal, trials: Sequence[Trial]) -> Trial:
    """The trial with the best figure; of equal ones the first, and so the defaults rather than others."""
    complete = [trial for trial in trials if trial.figure is not None]
    return max(complete, key=lambda trial: wanted.sign * (trial.figure or 0.0))
