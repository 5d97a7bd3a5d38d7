"""The one place where commands print: results to stdout, all else to stderr. Control characters are escaped.

Lines of ours are at most WIDTH columns wide, unless a value of the user's is longer than that. An error or a warning is
one line in a pipe, whose readers look for lines, and is broken between words on a terminal. How much is printed besides
results, --quiet, --verbose and --debug say, by `set_volume`.
"""

import shutil
import sys
import textwrap
from enum import IntEnum
from typing import Final

import click

from textclf.system import escaping, requirements

WIDTH: Final = 80
"""Columns of a terminal that every line of ours fits into."""


def wrapped(text: str, *, indent: str = "", width: int = WIDTH) -> str:
    """A sentence, broken between words into lines of at most ``width`` columns, those after the first indented."""
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


class Volume(IntEnum):
    """How much a command says on stderr in addition to its results."""

    QUIET = 0
    """Errors."""
    NORMAL = 1
    """Progress, notes and warnings, too."""
    VERBOSE = 2
    """Also what is read, the settings, and the time taken."""
    DEBUG = 3
    """Also the traceback of an error."""


class _Speaker:
    volume = Volume.NORMAL


def set_volume(volume: Volume) -> None:
    """Say this much from now on, in all threads."""
    _Speaker.volume = volume


def says(volume: Volume) -> bool:
    """Whether what belongs to a volume is printed."""
    return _Speaker.volume >= volume


def no_bar() -> bool | None:
    """The argument ``disable`` of a tqdm: None shows the bar where stderr is a terminal."""
    return None if says(Volume.NORMAL) else True


def shows_progress() -> bool:
    """Whether there is progress to show: on a terminal, unless quiet, and where tqdm is installed."""
    return sys.stderr.isatty() and says(Volume.NORMAL) and requirements.is_installed("tqdm")


def result(text: object) -> None:
    """Print text to stdout; JSON is as `escaping.to_json` made it."""
    click.echo(escaping.lines(str(text)))


def result_line(value: object) -> None:
    """Print one line to stdout: a path, or a sentence with names in it."""
    click.echo(escaping.line(value))


def coloured(text: str) -> None:
    """Print text with colour codes of our own to stdout; the caller has escaped all else in it."""
    click.echo(text)


def note(text: object) -> None:
    """Print text to stderr, unless quiet."""
    if says(Volume.NORMAL):
        click.echo(escaping.lines(str(text)), err=True)


def note_line(value: object) -> None:
    """Print one line to stderr, unless quiet."""
    if says(Volume.NORMAL):
        click.echo(escaping.line(value), err=True)


def warning_above_bar(text: str) -> None:
    """Print a warning to stderr, above a progress bar: one line in a pipe."""
    above_bar(_broken(f"warning: {escaping.line(text)}"))


def above_bar(text: str) -> None:
    """Print text to stderr, above a progress bar, unless quiet."""
    if says(Volume.NORMAL):
        from tqdm import tqdm

        tqdm.write(escaping.lines(text), file=sys.stderr)


def message(text: str) -> None:
    """Print one line to stderr with the name of the program, unless quiet: a warning, or what the answers come to."""
    if says(Volume.NORMAL):
        error(text)


def detail(text: str) -> None:
    """Print one line to stderr with the name of the program, if verbose: what is read, or what was found."""
    if says(Volume.VERBOSE):
        error(text)


def details(text: str) -> None:
    """Print text of several lines to stderr, if verbose."""
    if says(Volume.VERBOSE):
        click.echo(escaping.lines(text), err=True)


def error(text: str) -> None:
    """Print a message to stderr, with the name of the program: one line in a pipe."""
    click.echo(_broken(f"textclf: {escaping.line(' '.join(text.split()))}"), err=True)


def traceback(failed: BaseException) -> None:
    """Print where an error comes from to stderr, to debug it."""
    if says(Volume.DEBUG):
        from traceback import format_exception

        click.echo(escaping.lines("".join(format_exception(failed)).rstrip()), err=True)


def _broken(text: str) -> str:
    """A message; on a terminal in lines that fit it, so that no word is broken there."""
    if not sys.stderr.isatty():
        return text
    return wrapped(text, indent="  ", width=shutil.get_terminal_size().columns)
