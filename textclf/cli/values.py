"""What the value of an option may be: how it is read, refused and completed."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from textclf.models import MODELS, is_known, unknown
from textclf.settings import Range, Rule, rules, shown

if TYPE_CHECKING:
    from textclf.cli.completing import Completions


class Number(click.ParamType[int | float]):
    """A number that a rule allows: the same one as in a TOML file and in Python."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.name = "integer" if rule.kind is int else "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        """The number; a usage error that says what it should be."""
        try:
            number: int | float = self.rule(_spelled(value, self.rule.kind) if isinstance(value, str) else value)
        except ValueError:
            self.fail(f"{shown(value)} is not {self.rule}", param, ctx)
        return number


def _spelled(text: str, kind: type) -> Any:
    """The number that a text spells, or the text."""
    try:
        return kind(text)
    except ValueError:
        return text


def setting(config: type, name: str) -> Number:
    """The type of an option that sets a number of a config."""
    return Number(rules(config)[name])


COUNT: Final = Number(Rule(int, Range(1)))
SHARE: Final = Number(Rule(float, Range(0, 1)))
POINTS: Final = Number(Rule(float, Range(0, 100)))


class Character(click.ParamType[str]):
    """One character, or the name of one that a shell makes hard to write."""

    name = "character"

    def __init__(self, **named: str) -> None:
        self.named = named

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The character; whether it fits is checked where it is used."""
        return self.named.get(str(value).lower(), str(value))


class ColumnNames(click.ParamType[tuple[str, ...]]):
    """Names of columns in their order, separated by commas."""

    name = "name,name,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names; a tuple, as the default is, stays one."""
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            self.fail(f"{shown(value)} is not a list of names", param, ctx)
        return tuple(names)


class ModelName(click.ParamType[str]):
    """A built-in model, one of an installed package, or a class in a file, which is not run here."""

    name = "model"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What the help shows in place of a value."""
        return f"[{'|'.join(MODELS)}|FILE.py:CLASS]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; a usage error that lists the models if there is no such one."""
        if not isinstance(value, str) or not is_known(value):
            self.fail(unknown(value), param, ctx)
        return str(value)


COMPLETE: Final = "_TEXTCLF_COMPLETE"
"""Environment variable by which a shell asks for completions."""


class Run(click.Path[Path]):
    """A run: `textclf.artefacts.runs.resolve` finds it where it is needed."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "Completions":
        """Names of runs."""
        from textclf.cli import completing

        return completing.run_names(incomplete)


class RunOrData(click.Path[Path]):
    """A run or a data directory: `run_or_data` finds it."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "Completions":
        """Names of both."""
        from textclf.cli import completing

        return completing.run_or_data_names(incomplete)


class Data(click.ParamType[str]):
    """A data directory: `textclf.dataset.finding.find` finds it."""

    name = "data"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "Completions":
        """Names of data directories."""
        from textclf.cli import completing

        return completing.data_names(ctx, incomplete)


Completer = Callable[[click.Context, click.Parameter, str], "Completions"]


def completing(what: str) -> Completer:
    """A function of `textclf.cli.completing`, which is imported where a shell asks for completions."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> "Completions":
        from textclf.cli import completing

        found: Completions = getattr(completing, what)(context, parameter, incomplete)
        return found

    return complete


RUN: Final = Run(path_type=Path)
RUN_OR_DATA: Final = RunOrData(path_type=Path)
