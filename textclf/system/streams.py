"""The three standard streams of a program of our own, which its caller may have closed: ``textclf predict text >&-``.

Python then has None in their place, and the next file that is opened gets the number of the stream.
"""

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from textclf.errors import ClosedPipeError, UsageError
from textclf.system import escaping

_STREAMS: Final = (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_RDWR))
"""Name, mode, and the mode of what takes its number: reading and writing fail there, and messages get lost."""


def occupy_closed() -> None:
    """Put something in place of each closed stream, so that no file gets its number.

    Raises UsageError if stdout is closed: every command writes its results there.
    """
    is_open = sys.stdout is not None
    for number, (name, mode, flags) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            _occupy(number, flags)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
        else:
            with suppress(OSError, ValueError, AttributeError):  # not a real file
                os.set_blocking(getattr(sys, name).fileno(), True)  # a program that shares it may have changed that
    if not is_open:
        discard_stdout()
        raise UsageError("stdout is closed, and results are written to it; redirect it: textclf ... > results.txt")


def escape_unencodable() -> None:
    """Write what the encoding of stdout or stderr lacks as in JSON; that of a locale or PYTHONIOENCODING may lack much.

    Python would end with a traceback.
    """
    codecs.register_error("escape", _escaped)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # not a real file
            stream.reconfigure(errors="escape")  # type: ignore[union-attr]


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(escaping.in_json, error.object[error.start : error.end])), error.end


@contextmanager
def naming_closed_pipe() -> Iterator[None]:
    """Raise ClosedPipeError if the reader of stdout has closed it; click would end with exit code 1."""
    try:
        yield
    except BrokenPipeError as error:
        raise ClosedPipeError("the reader of stdout has closed it") from error


def discard_stdout() -> None:
    """Send to nowhere what is still to be written: nobody can read it, and Python would fail in its last flush."""
    with suppress(OSError, ValueError, AttributeError):
        number = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def _occupy(number: int, flags: int) -> None:
    nowhere = os.open(os.devnull, flags)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
