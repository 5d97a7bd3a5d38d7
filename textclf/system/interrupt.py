"""Ctrl-C and SIGTERM: finish the step, keep what is saved, end with the right exit code. A second one ends at once."""

import signal
from collections.abc import Callable, Iterable, Iterator
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, Final

from textclf.errors import InterruptedRunError, TerminatedRunError

ERRORS: Final = {signal.SIGINT: InterruptedRunError, signal.SIGTERM: TerminatedRunError}


class Interrupt:
    """While entered, notes the two signals; `between_steps` saves, and raises the error they stand for.

    Only the main thread can be told of signals: in any other this does nothing.
    """

    def __init__(self, advice: str) -> None:
        self._advice = advice
        self._received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupt":
        if current_thread() is main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in ERRORS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def between_steps(self, batches: Iterable[Any], save: Callable[[], None] = lambda: None) -> Iterator[Any]:
        """Pass the batches through; once a signal came, save and raise its error before the next one."""
        for batch in batches:
            if self._received:
                save()
                raise ERRORS[self._received](f"stopped; {self._advice}")
            yield batch

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._received = signal.Signals(number)
        signal.signal(number, signal.SIG_DFL)  # whoever sends it twice is in a hurry
