"""Search the settings of a model: trials in one process, whose validation documents alone decide.

The first trial has the defaults. The others are drawn by TPE (Bergstra and others, Algorithms for Hyper-Parameter
Optimization, 2011), as Optuna has it, and ended early by its median rule. All train with the same seed.

The best trial leads by luck, too. What is left of its lead without that, by `gain.of_choice`, decides whether its
settings are taken: where nothing is left, the defaults stay. Both are then trained as runs, and measured on test once.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from textclf.artefacts import runs
from textclf.config import TuneConfig
from textclf.dataset import finding
from textclf.dataset.directory import DataDirectory
from textclf.dataset.read_corpus import Progress
from textclf.errors import InterruptedRunError, TerminatedRunError
from textclf.evaluation import goal
from textclf.evaluation.goal import Goal
from textclf.evaluation.predictions import predict
from textclf.experiments import gain, tune_folder
from textclf.experiments.gain import Gain
from textclf.experiments.search import (
    Search,
    Tell,
    Trial,
    best_of,
    open_study,
    prepare,
    required_metric,
    search_of,
    trials_of,
    try_all,
)
from textclf.experiments.tune_folder import TuneFolder
from textclf.system import files, locks, requirements, signals
from textclf.system.wording import counted
from textclf.training import resume as resume_run
from textclf.training.display import Display
from textclf.training.setup import Setup

if TYPE_CHECKING:
    from optuna import Study

    from textclf.training.learner import Learner
    from textclf.training.loop import Batches
    from textclf.training.meters import Meter

DEFAULTS: Final = "defaults"
TUNED: Final = "tuned"


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search has found."""

    folder: Path
    """Of the search, which `textclf tune --resume` takes."""
    run: Path
    """Trained with the settings that were chosen."""
    defaults: Path
    """The run with the defaults; the same if these were kept."""
    metric: str
    trials: list[Trial]
    highest: int
    """Number of the trial with the best validation figure."""
    chosen: int
    """Number of the trial whose settings the run has: the highest, or 0."""
    validation: Gain
    """Of the highest trial over the defaults; positive is better, of a loss, too."""
    documents: int
    """Validation documents that decided."""
    test: Gain | None
    """Of the run; None if the data has no test split, or the defaults were kept."""
    test_figure: float | None
    """Of the run."""
    command: str
    """Trains the run again."""
    exported: Path | None
    """The run in ``max_size`` bytes, if a size was asked for."""

    @property
    def verdict(self) -> str:
        """What the gain on validation says."""
        on = f"{counted(self.documents, 'validation document')}"
        if not self.highest:
            return f"no settings were better than the defaults on {on}: the defaults were kept"
        raw = self._shown(abs(self.validation.after - self.validation.before))
        lead = f"of {counted(len(self.trials), 'trial')}, the best leads by {raw} on {on}"
        if not self.chosen:
            return f"{lead}, and nothing is left of that without the luck of the best: the defaults were kept"
        left = f"{lead}, and by {self._shown(self.validation.gain)} without the luck of the best"
        low, high = (self._shown(bound, sign="+") for bound in self.validation.interval)
        interval = f"95 % interval {low.split()[0]} to {high.split()[0]}"
        if self.validation.is_noise or isnan(self.validation.interval[0]):
            return f"{left} ({interval}): the gain is within the noise"
        return f"{left} ({interval}): the gain is more than noise"

    def _shown(self, difference: float, *, sign: str = "") -> str:
        """A difference of the metric with its unit: percentage points, or nats of a loss."""
        if Goal.parse(self.metric).sign < 0:
            return f"{difference:{sign}.4f} nats"
        return f"{100 * difference:{sign}.2f} points"


def tune(config: TuneConfig, *, progress: Progress | None = None, tell: Tell = lambda _line: None) -> Tuned:
    """Search settings in a new folder, and train a run with the best.

    Raises UsageError if Optuna or the data is missing, and what `textclf.training.train` raises; a search that was
    stopped, however, goes on with `resume`.
    """
    _need_packages()
    wanted = Goal.parse(config.metric) if config.metric else None
    data = DataDirectory.open(finding.find(config.data, config.data_dir))
    config = replace(config, metric=str(wanted or Goal("micro-f1" if data.is_multi else "accuracy")))
    Goal.parse(required_metric(config)).check(data.manifest.labels)
    with locks.one_thread("training"):
        setup = prepare(config, data)
        search = search_of(config, setup, folder=None, display=_Preparing(progress or _unseen, tell))
        folder = tune_folder.create(config, data, hashes=search.hashes)
        tell(f"searching in {folder.root}")
        with tune_folder.held(folder):
            return _run(search._replace(folder=folder), progress or _unseen, tell)


def resume(
    root: Path,
    *,
    time: float | None = None,
    trials: int | None = None,
    progress: Progress | None = None,
    tell: Tell = lambda _line: None,
) -> Tuned:
    """Go on with a search that was stopped, or with other limits of all its sessions; raises what `tune` raises."""
    _need_packages()
    config, data = tune_folder.started_with(root)
    config = tune_folder.with_limits(config, time=time, trials=trials)
    folder = TuneFolder(root)
    with locks.one_thread("training"), tune_folder.held(folder):
        display = _Preparing(progress or _unseen, tell)
        search = search_of(config, prepare(config, data), folder=folder, display=display)
        tune_folder.refuse_other_vectors(folder, search.hashes)
        return _run(search, progress or _unseen, tell)


def _need_packages() -> None:
    requirements.need("training", requirements.TRAINING, install=requirements.ALL)
    requirements.need("tune", requirements.TUNING, install=("'textclf[tune]'",))


def _unseen(items: Iterable[Any], _title: str, _total: int | None) -> Iterable[Any]:
    return items


def _run(search: Search, progress: Progress, tell: Tell) -> Tuned:
    """Try settings until a limit is reached, then train the runs."""
    study = open_study(search.place)
    try:
        with signals.stopping():
            try_all(search, study, progress, tell)
    except (InterruptedRunError, TerminatedRunError) as error:
        raise type(error)(_stopped(search, study)) from None
    return _finish(search, study, progress, tell)


def _stopped(search: Search, study: "Study") -> str:
    """What is said of a search that is stopped: the best so far is kept."""
    trials = trials_of(search, study)
    resuming = f"resume it: textclf tune --resume {search.place.root}"
    if not trials:
        return f"stopped before the first trial was done; {resuming}"
    best = best_of(search.goal, trials)
    again = command_of(search.config, search.setup, best.settings)
    return (
        f"stopped after {counted(len(trials), 'trial')}; the best so far, {search.goal} {best.figure:.4f}, is trained "
        f"by {again}; {resuming}"
    )


# The end


def _finish(search: Search, study: "Study", progress: Progress, tell: Tell) -> Tuned:
    """Choose, train the runs, and measure them on test."""
    trials = trials_of(search, study)
    wanted, documents = search.goal, len(search.labels)
    complete = [trial for trial in trials if trial.figure is not None]
    best = best_of(wanted, trials)
    shape = (documents, len(search.setup.data.manifest.labels))
    figures = [
        search.figures(tune_folder.read_logits(search.place, trial.number, shape=shape), trial.settings)
        for trial in complete
    ]
    lead = gain.of_choice(figures, complete.index(best), documents)
    chosen = best if best.number and (lead.gain > 0 or documents < 2) else trials[0]
    try:
        usual = _train(search, DEFAULTS, {}, progress, tell)
        run = _train(search, TUNED, chosen.settings, progress, tell) if chosen.number else usual
    except (InterruptedRunError, TerminatedRunError) as error:
        raise type(error)(f"stopped; resume it: textclf tune --resume {search.place.root}") from None
    runs.set_latest(run)
    figure, test = _test(search, usual, run)
    return Tuned(
        folder=search.place.root,
        run=run.root,
        defaults=usual.root,
        metric=str(wanted),
        trials=trials,
        highest=best.number,
        chosen=chosen.number,
        validation=_as_shown(lead, wanted),
        documents=documents,
        test=test and _as_shown(test, wanted),
        test_figure=figure,
        command=command_of(search.config, search.setup, chosen.settings),
        exported=_export(search, run),
    )


class _Preparing(Display):
    """Says and shows what is done before the first trial."""

    def __init__(self, progress: Progress, tell: Tell) -> None:
        self.progress = progress
        self.tell = tell

    def note(self, line: str) -> None:
        """Say it."""
        self.tell(line)

    def items(self, items: Iterable[Any], title: str, total: int | None) -> Iterable[Any]:
        """Show them as they pass."""
        return self.progress(items, title, total)


class _Recorder(Display):
    """Notes which run is trained, and shows its batches."""

    def __init__(self, folder: TuneFolder, what: str, progress: Progress) -> None:
        self.folder = folder
        self.what = what
        self.progress = progress

    def begin(self, run: runs.RunLayout, setup: Setup, learner: "Learner", *, first_epoch: int) -> None:
        """Note it."""
        tune_folder.remember_run(self.folder, self.what, run)

    def watch(self, batches: "Batches", meter: "Meter") -> Iterator[Any]:
        """Show the batches of an epoch."""
        yield from self.progress(batches, f"run with the {self.what} settings", None)


def _train(search: Search, what: str, settings: Mapping[str, Any], progress: Progress, tell: Tell) -> runs.RunLayout:
    """An ordinary run of these settings; one that was begun before the search was stopped is trained to its end."""
    from textclf.training import run as training

    setup, display = search.setup.changed(**settings), _Recorder(search.place, what, progress)
    begun = tune_folder.read_runs(search.place).get(what)
    if begun is not None:
        layout = runs.RunLayout(search.config.run_dir / begun)
        if layout.config.exists() and _has_settings(layout, setup):
            return resume_run(layout, display=display, code=_code(search.setup))
    tell("training a run with the defaults" if what == DEFAULTS else "training a run with the best settings")
    return training.train(setup, display=display)


def _has_settings(run: runs.RunLayout, setup: Setup) -> bool:
    """Whether a run has these settings: a search that goes on may choose others than before."""
    found: Mapping[str, Any] = runs.read_json(run.config)["settings"]
    return all(found.get(name) == value for name, value in setup.config.shaping_steps().items())


def _test(search: Search, usual: runs.RunLayout, run: runs.RunLayout) -> tuple[float | None, Gain | None]:
    """The figure of the run on test, and its gain over the defaults, if it is another."""
    if not search.setup.config.test:
        return None, None
    code = _code(search.setup)
    found = [predict(each.root, split="test", code=code) for each in ((usual, run) if usual != run else (run,))]
    figures = [
        search.goal.figures(search.scoring, each.labels, each.raw, each.outcome.how, names=each.names) for each in found
    ]
    documents = len(found[-1].labels)
    value = search.goal.sign * goal.value(figures[-1], documents)
    return value, gain.paired(figures[0], figures[1], documents) if len(figures) > 1 else None


def _export(search: Search, run: runs.RunLayout) -> Path | None:
    """The run in the size that was asked for, if one was."""
    if search.config.max_size is None:
        return None
    from textclf.export.exporting import ExportRequest, export

    output = run.root.with_name(f"{run.root.name}-exported")
    files.remove(output)
    split = "test" if search.setup.config.test else "validation"
    request = ExportRequest(output, "safetensors", None, search.config.max_size, max_drop=100.0, split=split)
    return export(run.root, request, code=_code(search.setup)).output


def _code(setup: Setup) -> tuple[Path, ...]:
    made = setup.config.user_model
    return (Path(made.code.file),) if made else ()


def command_of(config: TuneConfig, setup: Setup, settings: Mapping[str, Any]) -> str:
    """The command line that trains a run with these settings."""
    usual = TuneConfig()
    words = ["textclf", "train", "--data", str(setup.data.layout.root), "--tier", config.tier, "--model", config.model]
    for name in ("run_dir", "seed", "device", *config.learns_from):
        if (given := getattr(config, name)) != getattr(usual, name):
            for value in given if isinstance(given, tuple) else (given,):
                words += [f"--{name.replace('_', '-')}", str(value)]
    if not setup.config.test:
        words.append("--no-test")
    for name, value in settings.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _as_shown(found: Gain, wanted: Goal) -> Gain:
    """A gain whose figures before and after are those that are shown: a loss is positive."""
    return found._replace(before=wanted.sign * found.before, after=wanted.sign * found.after)
