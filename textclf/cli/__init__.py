"""The command line: one file a command. Each builds a config, calls, and prints.

Results go to stdout, everything else to stderr.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

import click

from textclf import __version__
from textclf.cli import terminal
from textclf.errors import ClosedPipeError
from textclf.system import failures, memory, startup, streams
from textclf.system.signals import ignore, stopping

NAMES: Final = (
    "preprocess",
    "check",
    "train",
    "predict",
    "explain",
    "evaluate",
    "compare",
    "report",
    "export",
    "verify",
    "serve",
    "learning-curve",
    "corpora",
    "info",
)


_NUMPY: Final = 110_000_000
_ARROW: Final = 310_000_000
_TORCH: Final = 700_000_000
ADDRESS_SPACE: Final[Mapping[str, int]] = {
    **dict.fromkeys(("predict", "explain", "serve"), _NUMPY),
    **dict.fromkeys(("preprocess", "check", "evaluate", "compare", "report", "export"), _ARROW),
    **dict.fromkeys(("train", "verify", "learning-curve"), _TORCH),
}
"""Bytes of address space that the libraries of a command need at least, measured on Linux with two processors."""


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
        try:
            if is_program:
                startup.configure_program()
                streams.occupy_closed()
                streams.escape_unencodable()
            with stopping():
                code = super().main(args, **{**extra, "standalone_mode": False})
        except (Exception, KeyboardInterrupt) as error:
            code = _report(error)
            if code is None:
                raise
            if is_program:
                streams.discard_stdout()
        if is_program:
            ignore()
        sys.exit(code if isinstance(code, int) else 0)

    def make_context(self, *given: Any, **more: Any) -> click.Context:
        """Parse the command line; --help and --version are printed here."""
        with streams.naming_closed_pipe():
            return super().make_context(*given, **more)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; raises ResourceError if memory is limited to less than its libraries need."""
        name, command, rest = super().resolve_command(ctx, args)
        if not {"-h", "--help"} & set(rest):
            memory.refuse_small_limit(ADDRESS_SPACE.get(name or "", 0))
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with streams.naming_closed_pipe():
            return super().invoke(ctx)


def _report(error: BaseException) -> int | None:
    """Say on stderr why a command ended; returns its exit code, None for a bug."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # its message is the help, of many lines
        terminal.note(error.format_message())
        return error.exit_code
    if isinstance(error, click.ClickException):
        return _fail(error.format_message(), error.exit_code)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return _fail("stopped", 130)
    if isinstance(error, ClosedPipeError):
        return error.exit_code
    explained = failures.explain(error, "stdout")  # who writes a file names it
    return None if explained is None else _fail(str(explained), explained.exit_code)


def _fail(message: str, code: int) -> int:
    with suppress(OSError, ValueError):  # stderr may be full or closed
        terminal.message(message)
    return code


def _either_dash(name: str) -> str:
    return name.replace("_", "-")


@click.group(
    cls=Commands,
    commands=OnDemand(),
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": _either_dash,
        "max_content_width": 110,
    },
)
@click.version_option(__version__, prog_name="textclf")
def main() -> None:
    """Classify text: from a corpus to a trained model to labels.

    \b
    textclf preprocess                       the BBC news corpus becomes tensors in data/bbc_news
    textclf train --tier small               a model learns from a fifth of it, into runs/
    textclf predict "Shares fell sharply"    the newest model says what that is about

    Results go to stdout, progress to stderr. Exit codes: 0 done, 1 failed while running, 2 bad usage, 3 bad data, 4 a
    damaged or foreign file, 5 out of disk, memory, open files, threads or processes, 6 training diverged, 130 Ctrl-C
    and 143 SIGTERM after saving, 141 the reader of stdout is gone.
    """
