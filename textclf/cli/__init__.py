"""The command line: one file a command. Each builds a config, calls, and prints.

Results go to stdout, everything else to stderr.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import click

from textclf import __version__
from textclf.cli import terminal
from textclf.errors import TextclfError
from textclf.system import startup
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
    """A group whose every failure is one line on stderr and an exit code."""

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """Run the command line and exit. Without ``args`` this is the program itself: its process is ours."""
        if args is None:
            startup.configure_program()
        try:
            with stopping():
                code = super().main(args, **{**extra, "standalone_mode": False})
        except TextclfError as error:
            code = _fail(str(error), error.exit_code)
        except click.ClickException as error:
            code = _fail(error.format_message(), error.exit_code)
        except MemoryError:
            code = _fail("out of memory; try a smaller --batch-size, --tier or --max-vocab", 5)
        except (click.Abort, KeyboardInterrupt):
            code = _fail("stopped", 130)
        if args is None:
            ignore()
        sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> int:
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
    damaged or foreign file, 5 out of disk, memory or worker processes, 6 training diverged, 130 Ctrl-C and 143 SIGTERM
    after saving.
    """
