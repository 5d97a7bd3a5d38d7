"""The one place where commands print: results to stdout, all else to stderr. Control characters are escaped."""

import sys

import click

from textclf.system import escaping


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
    """Print text to stderr."""
    click.echo(escaping.lines(str(text)), err=True)


def note_line(value: object) -> None:
    """Print one line to stderr."""
    click.echo(escaping.line(value), err=True)


def above_bar(text: str) -> None:
    """Print text to stderr, above a progress bar."""
    from tqdm import tqdm

    tqdm.write(escaping.lines(text), file=sys.stderr)


def message(text: str) -> None:
    """Print one line to stderr: an error or a warning, with the name of the program."""
    click.echo(f"textclf: {escaping.line(' '.join(text.split()))}", err=True)
