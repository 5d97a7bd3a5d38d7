"""What the functions of `textclf` do with their arguments; `textclf/__init__.py` has their signatures."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from textclf import progress as shown
from textclf import sources
from textclf.artefacts import runs
from textclf.config import PreprocessConfig, SelectConfig, SuspectsConfig, TrainConfig, TuneConfig
from textclf.dataset import build, grow
from textclf.errors import DataError, TextclfError, UsageError
from textclf.results import Data, Run
from textclf.settings import Rule, check_names, checked, paths, rules
from textclf.settings import shown as shown_value
from textclf.sources.urls import is_url

if TYPE_CHECKING:
    from textclf.experiments.drift import Drift
    from textclf.experiments.select import Selection
    from textclf.experiments.suspects import Suspects
    from textclf.experiments.tune import Tuned
    from textclf.training.display import Display

SPLITS: Final = ("validation", "test")

IN_MEMORY: Final = ("in memory",)
"""The source in the settings, where it has no name."""


_OPTION: Final = re.compile(r"(?<![\w-])--(no-)?([a-z]+(?:-[a-z]+)*)( (?:[A-Z]+\b|'[^']*'))?")
_READING: Final = re.compile(r"--(encoding|columns|quote) (utf-\w+|\w*\d\w*|[\w.-]+(?:,[\w.-]+)+|none\b)")
"""Options that say how a file is read, with the value that a message proposes."""


@contextmanager
def naming_keywords() -> Iterator[None]:
    """Name the keyword in place of each option in the message of an error, as in ``text_column=NAME``."""
    try:
        yield
    except TextclfError as error:
        raise type(error)(in_python(str(error))) from error


def in_python(message: str) -> str:
    """A message with keywords in place of the options of the command line; a command at its end stays as it is."""
    before, colon, command = message.partition(": textclf ")
    return _OPTION.sub(_keyword, _READING.sub(_of_reading, before)) + colon + command


def _of_reading(option: re.Match[str]) -> str:
    """Its keyword, with the value in Python."""
    name, value = option.groups()
    if name == "columns":
        return f"columns={value.split(',')}"
    return f"{name}={('' if value == 'none' else value)!r}"


def _keyword(option: re.Match[str]) -> str:
    """The keyword of an option, with the value that a flag has or the message names; others stay as they are."""
    negated, spelled, value = option.groups(default="")
    name = spelled.replace("-", "_")
    rule = {
        **rules(TrainConfig),
        **rules(PreprocessConfig),
        **rules(SuspectsConfig),
        **rules(TuneConfig),
        "code": Rule(Path),
    }.get(name)
    if rule is None:
        return option[0]
    if rule.kind is bool or negated:
        return f"{name}={not negated}{value}"
    return f"{name}={value.strip()}" if value else name


@naming_keywords()
def preprocess(given: dict[str, Any]) -> Data:
    """Make a data directory; given the arguments of `textclf.preprocess`."""
    settings = _known(PreprocessConfig, given)
    progress = settings.pop("progress")
    if settings["add"]:
        return _grown(PreprocessConfig(**settings), progress)
    _refuse_others("source", settings["source"])
    held = _held(settings)
    if held is not None:
        settings |= {"source": IN_MEMORY} | {name: () for name in SPLITS if sources.is_in_memory(settings[name])}
    return _make(PreprocessConfig(**settings), held, progress)


def _make(config: PreprocessConfig, held: object, progress: bool | None) -> Data:
    if not shown.is_wanted(progress):
        return Data(build.preprocess(config, held=held)[0])
    return Data(build.preprocess(config, held=held, progress=shown.of_items)[0])


def _grown(config: PreprocessConfig, progress: bool | None) -> Data:
    if not shown.is_wanted(progress):
        return Data(grow.grow(config)[0])
    return Data(grow.grow(config, progress=shown.of_items)[0])


@naming_keywords()
def train(given: dict[str, Any]) -> Run:
    """Train a model; given the arguments of `textclf.train`."""
    from textclf import training  # late: it sets how torch's threads wait

    settings = _known(TrainConfig, given)
    data, progress = settings.pop("data"), settings.pop("progress")
    if data is not None:
        _refuse_others("data", data)
    is_held = sources.is_in_memory(data) or isinstance(data, list | tuple)
    config = TrainConfig.create(**training.adopted(settings), data=None if is_held else data)
    if is_held or _is_source(config):
        made = _prepared(data, config.data_dir, progress)
        config = replace(config, data=str(made))
    with _display(progress) as display:
        return Run(training.train(config, display=display).root)


@naming_keywords()
def resume(
    run: str | PathLike[str],
    *,
    code: str | PathLike[str] | Iterable[str | PathLike[str]],
    progress: bool | None,
) -> Run:
    """Train a stopped run to its end."""
    from textclf import training

    layout, files = runs.resolve(checked("run", run, Rule(Path))), paths("code", code)
    with _display(progress) as display:
        return Run(training.resume(layout, code=files, display=display).root)


@naming_keywords()
def tune(given: dict[str, Any]) -> "Tuned":
    """Search settings, or go on with a search; given the arguments of `textclf.tune`."""
    from textclf import training  # noqa: F401  late: it sets how torch's threads wait

    settings = _known(TuneConfig, given)
    folder, progress = settings.pop("resume"), settings.pop("progress")
    config = TuneConfig(**settings)
    from textclf.experiments import tune as search

    bar = shown.of_items if shown.is_wanted(progress) else None
    if folder is None:
        return search.tune(config, progress=bar)
    free = ("time", "trials")
    if fixed := [name for name, value in settings.items() if name not in free and value != _usual_of_tune(name)]:
        raise UsageError(f"a search that is resumed keeps its settings: leave out {', '.join(fixed)}")
    return search.resume(checked("resume", folder, Rule(Path)), time=config.time, trials=config.trials, progress=bar)


def _usual_of_tune(name: str) -> Any:
    return getattr(TuneConfig(), name)


@naming_keywords()
def suspects(given: dict[str, Any]) -> "Suspects":
    """List labels that are probably wrong; given the arguments of `textclf.suspects`."""
    settings = _known(SuspectsConfig, given)
    progress = settings.pop("progress")
    config = SuspectsConfig(**settings)
    from textclf.experiments.suspects import find_suspects  # late, as `train` imports training

    return find_suspects(config, progress=shown.of_items) if shown.is_wanted(progress) else find_suspects(config)


@naming_keywords()
def select(
    texts: Iterable[str],
    given: dict[str, Any],
    *,
    labelled: Iterable[str],
    run: str | PathLike[str],
    code: str | PathLike[str] | Iterable[str | PathLike[str]],
) -> "Selection":
    """Choose the texts to label next; given the settings among the arguments of `textclf.select`."""
    config = SelectConfig(**given)
    from textclf.experiments.select import select_texts

    return select_texts(texts, config, labelled=labelled, run=run, code=code)


def drift(
    texts: Iterable[str], *, run: str | PathLike[str], code: str | PathLike[str] | Iterable[str | PathLike[str]]
) -> "Drift":
    """Compare new texts with the test documents of a run."""
    from textclf.experiments.drift import drift_of_texts

    return drift_of_texts(texts, run=run, code=code)


@contextmanager
def _display(progress: bool | None) -> Iterator["Display | None"]:
    """A bar that stays as it is when training ends or stops, if one is wanted."""
    if not shown.is_wanted(progress):
        yield None
        return
    from textclf.training.bar import TrainingBar

    with closing(TrainingBar()) as bar:
        yield bar


def runs_in(run_dir: str | PathLike[str]) -> list[Run]:
    """The runs in a folder, the newest first."""
    return [Run(path) for path in runs.home(checked("run_dir", run_dir, Rule(Path))).newest_first()]


def _known(config: type, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a function; raises UsageError at a name that is none of its keywords."""
    of_data = [name for name in given["unknown"] if name in rules(PreprocessConfig) and name not in rules(config)]
    if of_data:
        raise UsageError(f"{of_data[0]} is a setting of textclf.preprocess: make the data with it, and name that here")
    check_names(config, given["unknown"])
    return {name: value for name, value in given.items() if name != "unknown"}


def _refuse_others(name: str, source: object) -> None:
    """Raise UsageError at what neither names documents nor holds any."""
    if not isinstance(source, str | PathLike | list | tuple) and not sources.is_in_memory(source):
        raise UsageError(f"{name}: {shown_value(source)} names no documents; {sources.GOOD}")


def _held(settings: Mapping[str, Any]) -> object:
    """The documents in memory, with those of other splits; None if the source is named. Raises UsageError."""
    source = settings["source"]
    more = {name: settings[name] for name in SPLITS if sources.is_in_memory(settings[name])}
    if not sources.is_in_memory(source):
        if more:
            raise UsageError(f"{min(more)}: documents in memory go with a source in memory; name a file or a folder")
        return None
    if not more:
        return source
    held = source if isinstance(source, Mapping) and "train" in source else {"train": source}
    if twice := sorted(more.keys() & held.keys()):
        raise UsageError(f"{twice[0]}: the source has this split of its own; leave it out")
    return {**held, **more}


def _is_source(config: TrainConfig) -> bool:
    """Whether the data is no data directory, but a corpus of the catalogue, a file or the URL of one."""
    if config.data is None or (config.data_dir / config.data).is_dir():
        return False
    return sources.is_known(config.data) or is_url(config.data) or Path(config.data).is_file()


def _prepared(source: Any, data_dir: Path, progress: bool | None) -> Data:
    """The data directory of a source, made with default settings."""
    held = source if sources.is_in_memory(source) else None
    config = PreprocessConfig(source=source if held is None else IN_MEMORY, data_dir=data_dir, num_workers=1)
    try:
        return _make(config, held, progress)
    except (UsageError, DataError) as error:
        if isinstance(error, DataError) and not _OPTION.search(str(error)):
            raise
        raise type(error)(f"{error}; textclf.preprocess has settings for how data is read") from error
