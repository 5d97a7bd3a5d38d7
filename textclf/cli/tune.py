"""`textclf tune`."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from textclf.cli import commands, options, terminal, training_options, values
from textclf.cli.display import fitted, option_of, progress, span, table
from textclf.cli.export import Size
from textclf.config import TUNE_SECONDS, TuneConfig
from textclf.settings import shown
from textclf.system import escaping
from textclf.system.wording import counted

if TYPE_CHECKING:
    from textclf.experiments.search import Trial
    from textclf.experiments.tune import Tuned

DEFAULTS: Final = TuneConfig()
UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
LISTED: Final = 10
"""Trials that are shown, the best first."""
FREE: Final = ("resume", "time", "trials", "layout")
"""Options that go with --resume."""

number: Final = partial(values.setting, TuneConfig)


class Duration(click.ParamType[float]):
    """A time: 90s, 10m, 1.5h, or seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds; a usage error if the value is no time."""
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?) *([smh]?)", str(value).strip().lower(), re.ASCII)
        seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
        if not seconds:
            self.fail(f"{shown(value)} is not a time such as 90s, 10m or 1.5h", param, ctx)
        return seconds


@commands.command("tune")
@training_options.data
@options.data_dir
@training_options.tier
@options.model
@click.option(
    "--time",
    type=Duration(),
    help=f"Maximum time of the search: 90s, 10m, 1.5h. [default: {TUNE_SECONDS / 60:g}m, no limit with --trials]",
)
@click.option(
    "--trials", type=number("trials"), help="Maximum number of trials, with the defaults. [default: by --time]"
)
@click.option(
    "--metric",
    metavar="METRIC",
    help="Validation figure to raise: accuracy, macro-f1, micro-f1, loss, precision-at-recall:R or f1:LABEL. "
    "[default: accuracy, or micro-f1 where documents may have several labels]",
)
@click.option(
    "--max-size",
    type=Size(),
    help="Maximum total size of the export, such as 2MB; the run is exported as well. [default: no export]",
)
@click.option(
    "--folds",
    type=number("folds"),
    help="Number of parts of the documents of train and validation, each predicted by a model that was trained on the "
    "others. [default: validation alone is predicted]",
)
@training_options.vectors
@training_options.encoder
@training_options.encoder_limit
@training_options.unlabelled
@training_options.unlabelled_column
@training_options.run_dir
@options.seed(TuneConfig, "the search, weights, data order and dropout")
@training_options.device
@click.option("--resume", type=click.Path(path_type=Path), help="Resume a stopped search: its folder.")
@options.text_or_json
@click.pass_context
def command(context: click.Context, /, resume: Path | None, layout: str, **given: Any) -> None:
    """Search the settings of a model, and train the best.

    The first trial has the defaults; the others vary the learning rate, sizes, dropout and the like around them. The
    validation split alone decides. The gain over the defaults is shown with its interval, without the luck of the best
    of many trials; where nothing is left of it, the defaults are kept. The run is one like those of textclf train.

    With --encoder, --vectors or --unlabelled every trial learns from these, the first one, too.

    A search that was stopped or killed goes on with --resume, also with another --time or --trials.

    \b
    Examples:
      textclf tune --data bbc_news --tier full --time 10m
      textclf tune --tier full --trials 20 --metric macro-f1
      textclf tune --data tickets --metric f1:urgent --folds 5
      textclf tune --encoder minilm --trials 10
      textclf tune --resume runs/tune-bbc_news-full-mlp-20261129T120000Z
    """
    if resume is not None:
        commands.refuse_settings(context, resumed="a search that is resumed", free=FREE)
    config = TuneConfig(**given)
    from textclf.experiments import tune

    if resume is None:
        tuned = tune.tune(config, progress=progress, tell=_tell)
    else:
        tuned = tune.resume(resume, time=config.time, trials=config.trials, progress=progress, tell=_tell)
    terminal.result(_json(tuned) if layout == "json" else _text(tuned))


def _tell(line: str) -> None:
    terminal.above_bar(terminal.wrapped(escaping.line(line), indent="  "))


def _json(tuned: "Tuned") -> str:
    values = {name: str(each) if isinstance(each, Path) else each for name, each in asdict(tuned).items()}
    values |= {
        "trials": [trial._asdict() for trial in tuned.trials],
        "validation": tuned.validation._asdict(),
        "test": tuned.test and tuned.test._asdict(),
        "verdict": tuned.verdict,
    }
    return escaping.to_json(values, indent=2)


def _text(tuned: "Tuned") -> str:
    lines = [_table_of_trials(tuned), "", terminal.wrapped(tuned.verdict)]
    if tuned.highest:
        lines += ["", _table_of_gains(tuned)]
    elif tuned.test_figure is not None:
        lines += [f"test {tuned.metric}: {tuned.test_figure:.4f}"]
    lines += ["", "to train it again:", *_broken(tuned.command), f"run: {escaping.line(tuned.run)}"]
    if tuned.exported is not None:
        lines.append(f"exported: {escaping.line(tuned.exported)}")
    return "\n".join(lines)


def _table_of_trials(tuned: "Tuned") -> str:
    """The best trials; of settings a column, unless all have the same."""
    sign = -1 if tuned.metric == "loss" else 1
    complete = sorted(
        (trial for trial in tuned.trials if trial.figure is not None),
        key=lambda trial: (-sign * (trial.figure or 0.0), trial.number),
    )
    rows = complete[:LISTED]
    if tuned.trials[0] not in rows:
        rows.append(tuned.trials[0])
    columns = {
        "trial": [str(trial.number) for trial in rows],
        tuned.metric: [f"{trial.figure:.4f}" for trial in rows],
        "seconds": [f"{trial.seconds:.1f}" for trial in rows],
        "settings": [_settings(trial) for trial in rows],
    }
    early = len(tuned.trials) - len(complete)
    seconds = sum(trial.seconds for trial in tuned.trials)
    head = f"{counted(len(tuned.trials), 'trial')} in {seconds:.0f} s, {early} of them ended early"
    return f"{head}\n\n{fitted(columns, right=('trial', tuned.metric, 'seconds'), cut='settings')}"


def _settings(trial: "Trial") -> str:
    return " ".join(f"{option_of(name)} {value}" for name, value in trial.settings.items()) or "the defaults"


def _table_of_gains(tuned: "Tuned") -> str:
    found = {"validation": tuned.validation, "test": tuned.test}
    rows = [
        (split, f"{one.before:.4f}", f"{one.after:.4f}", f"{one.gain:+.4f}", span(one.interval, sign=True))
        for split, one in found.items()
        if one is not None
    ]
    return table((tuned.metric, "defaults", "best trial", "gain", "95 % interval"), rows, align="<>>>>")


def _broken(command: str) -> Iterator[str]:
    """A command line in lines that a shell takes, at most 80 columns wide where its words are."""
    words = command.split(" --")
    line = words[0]
    for word in words[1:]:
        if len(line) + len(word) + 5 > terminal.WIDTH:
            yield f"{line} \\"
            line = f"  --{word}"
        else:
            line += f" --{word}"
    yield line
