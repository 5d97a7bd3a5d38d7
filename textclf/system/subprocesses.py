"""Processes of Python that textclf starts: none of them imports code from the current folder."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final

from textclf.system.search_path import SAFE

if TYPE_CHECKING:
    from subprocess import CompletedProcess

_CHANGING: Final = Lock()
"""Held while the environment is changed: by one thread at a time, or another would restore what it had changed."""


def run_module(name: str, *arguments: str, timeout: float) -> "CompletedProcess[str]":
    """Run ``python -m name`` and return its exit code and what it printed.

    Raises TimeoutError if it takes longer than ``timeout`` seconds.
    """
    import subprocess  # takes 10 ms, which commands that start nothing need not wait

    command = [sys.executable, "-P", "-m", name, *arguments]
    try:
        return subprocess.run(  # noqa: S603  a list of arguments, run by no shell
            command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"no answer in {timeout:g} s") from error


@contextmanager
def searching_safely() -> Iterator[None]:
    """Keep processes of Python that any library starts meanwhile from importing code of the current folder."""
    with _CHANGING:
        before = os.environ.get(SAFE)
        os.environ[SAFE] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ[SAFE]
            else:
                os.environ[SAFE] = before
