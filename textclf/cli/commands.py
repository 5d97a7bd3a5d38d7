"""What a command is: a name, its own options, and those that all commands share."""

from collections.abc import Callable, Container, Iterator
from functools import partial
from itertools import pairwise, takewhile
from time import perf_counter
from typing import Any, Final

import click
from click.core import ParameterSource

from textclf.cli import settings_file, terminal
from textclf.cli.terminal import Volume
from textclf.errors import UsageError
from textclf.system import startup


def _volume(volume: Volume) -> Callable[[click.Context, click.Parameter, bool], None]:
    """Callback of a flag: the last one on the command line decides, before or after the command's name."""

    def take(_context: click.Context, _parameter: click.Parameter, is_given: bool) -> None:
        if is_given:
            terminal.set_volume(volume)

    return take


def _flag(volume: Volume, *names: str, text: str) -> click.Option:
    return click.Option(names, is_flag=True, is_eager=True, expose_value=False, callback=_volume(volume), help=text)


VOLUMES: Final = (
    _flag(Volume.QUIET, "-q", "--quiet", text="Print results and errors only."),
    _flag(Volume.VERBOSE, "-v", "--verbose", text="Also print what is read, the settings and the time."),
    _flag(Volume.DEBUG, "--debug", text="Also print the traceback of an error."),
)
"""Options of every command; they also go before its name."""

SHARED: Final = (settings_file.option(), *VOLUMES)
"""Options of every command."""


_EMPTY: Final = {"quote", "label_prefix"}
"""Options whose value may be empty."""


class Command(click.Command):
    """A command with the options that all commands have. If verbose, it prints its settings and how long it took."""

    def __init__(self, name: str | None, *, params: list[click.Parameter] | None = None, **more: Any) -> None:
        super().__init__(name, params=[*(params or ()), *SHARED], **more)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line; a usage error for an option that is empty, as where a variable is not set."""
        named = {name: option for option in self.params for name in option.opts}
        words = list(takewhile(lambda word: word != "--", args))
        for word, value in [*pairwise(words), *(tuple(word.split("=", 1)) for word in words if word.endswith("="))]:
            option = named.get(word)
            if value == "" and isinstance(option, click.Option) and not option.is_flag and option.name not in _EMPTY:
                raise click.UsageError(f"{word} is empty: is a variable of the shell not set?", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if not terminal.says(Volume.NORMAL):
            startup.hide_progress_bars()
        if terminal.says(Volume.VERBOSE):
            terminal.details("\n".join(_settings(ctx)))
        start = perf_counter()
        try:
            return super().invoke(ctx)
        finally:
            terminal.detail(f"{ctx.info_name} took {perf_counter() - start:.2f} s")


command = partial(click.command, cls=Command)
"""Decorator that makes a function a command."""


def refuse_settings(context: click.Context, *, resumed: str, free: Container[str]) -> None:
    """Raise UsageError if an option was given that is not ``free``: what is resumed keeps its settings."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in free
        and parameter not in VOLUMES
        and context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(f"{resumed} keeps its settings: leave out {', '.join(given)}")


_SOURCES: Final = {ParameterSource.COMMANDLINE: "given", ParameterSource.DEFAULT_MAP: "from the file"}
_LONGEST: Final = 60
"""Characters of a value that are shown."""


def _settings(ctx: click.Context) -> Iterator[str]:
    """A line for each option and argument that has a value."""
    for parameter in ctx.command.params:
        name = str(parameter.name)
        value = ctx.params.get(name)
        if value not in (None, ()):
            source = ctx.get_parameter_source(name) or ParameterSource.DEFAULT
            yield f"  {parameter.opts[-1]} {_as_given(value)} ({_SOURCES.get(source, 'default')})"


def _as_given(value: Any) -> str:
    from textclf.sources.urls import without_secrets  # only for --verbose: its hashlib takes 3 ms

    if isinstance(value, bool):
        return "yes" if value else "no"
    text = " ".join(without_secrets(str(each)) for each in (value if isinstance(value, tuple) else (value,)))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
