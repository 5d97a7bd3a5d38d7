"""Modules that are loaded while something else goes on. Knows nothing about what they are."""

import sys
from importlib import import_module
from threading import Thread
from typing import Final

TURN: Final = 2e-4
"""Seconds that a thread may hold Python's lock while another waits. With the usual 5 ms, whoever calls many short
functions of a library, as training does, would wait that long after each."""


def meanwhile(*names: str) -> Thread:
    """Import the modules in a thread of their own, which ends with the program."""
    thread = Thread(target=_load, args=names, daemon=True)
    thread.start()
    return thread


def _load(*names: str) -> None:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        for name in names:
            import_module(name)
    finally:
        sys.setswitchinterval(usual)
