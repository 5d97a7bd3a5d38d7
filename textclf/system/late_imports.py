"""Modules that are loaded late, and without what they would load beside."""

import sys
from importlib import import_module
from threading import get_ident
from types import ModuleType
from typing import Final

from textclf.system.startup import no_collector

UNWANTED: Final = "pandas"
"""What scikit-learn imports if it is installed, for tables that nobody gives it here: 0.3 s and 30 MB."""


def load(name: str) -> ModuleType:
    """Import a module, and not pandas with it."""
    without = _Without(UNWANTED)
    sys.meta_path.insert(0, without)
    try:
        with no_collector():
            return import_module(name)
    finally:
        sys.meta_path.remove(without)


class _Without:
    """Finds modules as others do, but for one that is said to be missing, in the thread that made this."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread = get_ident()

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        """What an import asks first; None: others are asked next."""
        if name == self._name and get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is not wanted here", name=name)
