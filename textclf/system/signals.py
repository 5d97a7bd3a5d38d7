"""Ctrl-C and SIGTERM at the command line: one line, the right exit code, and a second one ends the program at once.

Training has its own way with them while it takes steps: see `textclf.system.interrupt`.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType
from typing import Final

from textclf.errors import InterruptedRunError, TerminatedRunError

ERRORS: Final = {signal.SIGINT: InterruptedRunError, signal.SIGTERM: TerminatedRunError}


@contextmanager
def stopping(advice: str = "") -> Iterator[None]:
    """Raise InterruptedRunError or TerminatedRunError where the signal comes; in the main thread alone."""
    if current_thread() is not main_thread():
        yield
        return
    raised: list[Exception] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in ERRORS:
            signal.signal(each, signal.SIG_DFL)  # whoever sends it twice is in a hurry
        raised.append(ERRORS[signal.Signals(number)](f"stopped; {advice}" if advice else "stopped"))
        raise raised[0]

    previous = {number: signal.signal(number, stop) for number in ERRORS}
    try:
        yield
    except Exception:
        if raised:
            raise raised[0] from None  # a process that the same signal ended is not the news
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def ignore() -> None:
    """Let a signal that comes while Python ends change nothing: all is done, and said."""
    for number in ERRORS:
        signal.signal(number, signal.SIG_IGN)
