"""The command line: one file a command. Each builds a config, calls, and prints.

Results go to stdout, everything else to stderr.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import chain, takewhile
from typing import Any, Final

import click

from textclf import __version__
from textclf.cli import commands, terminal, values
from textclf.cli.terminal import Volume
from textclf.errors import ClosedPipeError
from textclf.system import failures, memory, startup, streams, torchrun
from textclf.system.signals import ignore, stopping

GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "Data": ("preprocess", "check", "suspects", "data", "corpora"),
    "Train": ("train", "tune", "evaluate", "learning-curve"),
    "Use": ("predict", "select", "serve", "export"),
    "Understand": ("explain", "compare", "report"),
    "Manage": ("runs", "info", "verify", "encoder", "vectors", "init", "completion"),
}
"""The commands, in the order of the work."""

NAMES: Final = tuple(chain.from_iterable(GROUPS.values()))

_NUMPY: Final = 110_000_000
_ARROW: Final = 310_000_000
_TORCH: Final = 700_000_000
ADDRESS_SPACE: Final[Mapping[str, int]] = {
    **dict.fromkeys(("predict", "explain", "serve", "data", "encoder", "vectors"), _NUMPY),
    **dict.fromkeys(("preprocess", "check", "evaluate", "compare", "report", "export", "select"), _ARROW),
    **dict.fromkeys(("train", "tune", "verify", "learning-curve", "suspects"), _TORCH),
}
"""Bytes of address space that the libraries of a command need at least, measured on Linux with two processors."""

_WIDEST: Final = max(map(len, NAMES))
_SENTENCE: Final = 80 - 8 - _WIDEST
"""Characters of the first sentence of a command's help that fit beside its name in 80 columns."""


class OnDemand(Mapping[str, click.Command]):
    """Name to command; its module is imported when it is asked for, so that no command waits for what others need."""

    def __getitem__(self, name: str) -> click.Command:
        if name not in NAMES:
            raise KeyError(name)
        command: click.Command = import_module(f"textclf.cli.{name.replace('-', '_')}").command
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


class Commands(click.Group):
    """A group whose every failure is one line on stderr and an exit code, except a bug, which shows its traceback."""

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """Run the command line and exit. Without ``args`` this is the program itself: its process is ours."""
        is_program = args is None
        terminal.set_volume(Volume.NORMAL)
        try:
            if is_program:
                startup.configure_program()
                streams.occupy_closed()
                streams.escape_unencodable()
            with stopping():
                code = super().main(args, **{**extra, "standalone_mode": False, "complete_var": values.COMPLETE})
        except (Exception, KeyboardInterrupt) as error:
            if values.COMPLETE in os.environ:  # a message would be shown in the middle of a command line
                sys.exit(1)
            if _asks_to_debug(sys.argv[1:] if args is None else args):
                terminal.set_volume(Volume.DEBUG)
            code = _report(error)
            if code is None:
                raise
            if is_program:
                streams.discard_stdout()
        if is_program:
            ignore()
        sys.exit(code if isinstance(code, int) else 0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the work."""
        return list(NAMES)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the commands in their groups, each with the first sentence of its help."""
        for group, names in GROUPS.items():
            with formatter.section(group):
                rows = [(name.ljust(_WIDEST), self.commands[name].get_short_help_str(_SENTENCE)) for name in names]
                formatter.write_dl(rows)

    def make_context(self, *given: Any, **more: Any) -> click.Context:
        """Parse the command line; --help and --version are printed here."""
        with streams.naming_closed_pipe():
            return super().make_context(*given, **more)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command that may run here; raises ResourceError if memory is limited to less than its libraries need.

        Several processes of torchrun train together, and do nothing else.
        """
        name, command, rest = super().resolve_command(ctx, args)
        if name != "train" and (process := torchrun.launched()) and process.ranks > 1:
            raise click.UsageError(f"torchrun goes with textclf train alone: start textclf {name} without it")
        if not {"-h", "--help"} & set(rest):
            memory.refuse_small_limit(ADDRESS_SPACE.get(name or "", 0))
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with streams.naming_closed_pipe():
            return super().invoke(ctx)


def _report(error: BaseException) -> int | None:
    """Say on stderr why a command ended; returns its exit code, None for a bug."""
    if isinstance(error, click.Abort) and isinstance(error.__cause__, EOFError):
        error = error.__cause__  # click takes every end of a file for the user's Ctrl-D
    if isinstance(error, click.ClickException):
        process = torchrun.launched()
        if process and process.local_rank > 0:  # the others have the same command line
            return error.exit_code
        return _fail(error, _with_help(error), error.exit_code)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return _fail(error, "stopped", 130)
    if isinstance(error, ClosedPipeError):
        return error.exit_code
    explained = failures.explain(error, "stdout")  # who writes a file names it
    return None if explained is None else _fail(error, str(explained), explained.exit_code)


def _with_help(error: click.ClickException) -> str:
    """The message of an error of the command line; one without a remedy says where the help is."""
    message = error.format_message()
    if isinstance(error, click.NoSuchOption) and (other := _command_with(error.option_name)):
        place = f"of textclf {error.ctx.info_name}" if error.ctx and error.ctx.parent else "before a command"
        return f"No such option {error.option_name!r} {place}: it is one of textclf {other}"
    says_more = getattr(error, "possibilities", None) or type(error) is click.BadParameter
    if not isinstance(error, click.UsageError) or error.ctx is None or says_more:
        return message
    command = f"textclf {error.ctx.info_name}" if error.ctx.parent else "textclf"
    return f"{message.rstrip('.')}; see {command} --help"


def _command_with(option: str) -> str | None:
    """The first command, in the order of the work, that has this option."""
    for name in NAMES:
        if any(option in (*each.opts, *each.secondary_opts) for each in main.commands[name].params):
            return name
    return None


def _fail(error: BaseException, message: str, code: int) -> int:
    with suppress(OSError, ValueError):  # stderr may be full or closed
        terminal.traceback(error)
        terminal.error(message)
    return code


def _asks_to_debug(args: Sequence[str]) -> bool:
    """Whether --debug is given, also after what is wrong in the command line."""
    return "--debug" in takewhile(lambda word: word != "--", args)


def _either_dash(name: str) -> str:
    return name.replace("_", "-")


@click.group(
    cls=Commands,
    commands=OnDemand(),
    params=[*commands.VOLUMES],
    invoke_without_command=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": _either_dash,
        "max_content_width": 110,
    },
)
@click.version_option(__version__, prog_name="textclf")
@click.pass_context
def main(context: click.Context) -> None:
    """Classify text: from a corpus to a trained model to labels.

    \b
    textclf preprocess               the BBC news corpus becomes tensors in data/
    textclf train --tier small       a model learns from a fifth of it, into runs/
    textclf predict "Shares fell"    the newest model says what that is about

    Results go to stdout, progress to stderr. Exit codes: 0 done, 1 failed while running, 2 bad usage, 3 bad data, 4 a
    damaged or foreign file, 5 out of disk, memory, open files, threads or processes, 6 training diverged, 130 Ctrl-C
    and 143 SIGTERM after saving, 141 the reader of stdout is gone.
    """
    if context.invoked_subcommand is None:
        terminal.result(context.get_help())
