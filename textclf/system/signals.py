"""Ctrl-C and SIGTERM: one error with the right exit code; a second signal ends the program at once.

`stopping` raises where the signal arrives, `Interrupt` between two training steps, after the step and a save. Only the
main thread can handle signals: in any other thread both do nothing.
"""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, Final

from textclf.errors import InterruptedRunError, TerminatedRunError

ERRORS: Final = {signal.SIGINT: InterruptedRunError, signal.SIGTERM: TerminatedRunError}

_Handler = Callable[[int, FrameType | None], None]


@contextmanager
def _handling(handler: _Handler) -> Iterator[None]:
    """Handle both signals with this function, in the main thread; the handlers from before are restored."""
    if current_thread() is not main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in ERRORS}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


@contextmanager
def stopping(advice: str = "") -> Iterator[None]:
    """Raise InterruptedRunError or TerminatedRunError where the signal arrives; the advice becomes part of it."""
    raised: list[Exception] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in ERRORS:
            signal.signal(each, signal.SIG_DFL)  # the second signal ends the program
        raised.append(ERRORS[signal.Signals(number)](f"stopped; {advice}" if advice else "stopped"))
        raise raised[0]

    with _handling(stop):
        try:
            yield
        except Exception:
            if raised:
                raise raised[0] from None  # not, for example, that a worker was ended by the same signal
            raise


@contextmanager
def kept() -> Iterator[None]:
    """Put back the handlers that a library sets meanwhile."""
    before = {number: signal.getsignal(number) for number in ERRORS}
    try:
        yield
    finally:
        if current_thread() is main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


class Interrupt:
    """While entered, records the two signals; `between_steps` saves, and raises the error that belongs to them.

    Processes that take the same steps must stop before the same one: ``agree`` gives the signal that all act on, 0 if
    there is none yet, for the one that this process has received.
    """

    def __init__(self, advice: str, *, agree: Callable[[int], int] = int) -> None:
        self._advice = advice
        self._agree = agree
        self._received = 0
        self._handling = _handling(self._record)

    def __enter__(self) -> "Interrupt":
        self._handling.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._handling.__exit__(*error)

    def between_steps(self, batches: Iterable[Any], save: Callable[[], None] = lambda: None) -> Iterator[Any]:
        """Pass the batches through; after a signal, save and raise its error before the next batch."""
        for batch in batches:
            if agreed := self._agree(self._received):
                save()
                raise ERRORS[signal.Signals(agreed)](f"stopped; {self._advice}")
            yield batch

    def _record(self, number: int, _frame: FrameType | None) -> None:
        self._received = number
        signal.signal(number, signal.SIG_DFL)  # the second signal ends the program


def block() -> None:
    """Let neither signal interrupt the end of this process, which is near: what has handlers of its own restores them.

    torchrun, for one, sends SIGTERM to processes that end because another one has.
    """
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, ERRORS)


def ignore() -> None:
    """Ignore both signals from now on: the command is done, and Python only cleans up."""
    for number in ERRORS:
        signal.signal(number, signal.SIG_IGN)
