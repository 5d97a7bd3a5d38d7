"""The one place where commands print: results to stdout, all else to stderr. Control characters are escaped.

How much of the rest is printed, --quiet, --verbose and --debug say, by `set_volume`.
"""

import sys
from enum import IntEnum

import click

from textclf.system import escaping


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
    """Print one line to stderr, with the name of the program."""
    click.echo(f"textclf: {escaping.line(' '.join(text.split()))}", err=True)


def traceback(failed: BaseException) -> None:
    """Print where an error comes from to stderr, to debug it."""
    if says(Volume.DEBUG):
        from traceback import format_exception

        click.echo(escaping.lines("".join(format_exception(failed)).rstrip()), err=True)
