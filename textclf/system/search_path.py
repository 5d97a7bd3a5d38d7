"""Where Python looks for modules: not in the current folder, whatever lies there.

Imports nothing that Python has not loaded by itself: it is run before anything else is imported.
"""

import os
import sys

SAFE = "PYTHONSAFEPATH"
"""Environment variable that keeps a process of Python, and those that it starts, from searching the current folder."""

_FLAGS = set("-bBdEhiIOPqsSuvx")
"""Options of Python that may stand before the m of ``-m``, as in ``python -Im textclf``."""


def leave_out_current_folder() -> None:
    """Leave out the folder that ``python -m textclf`` puts first, where a ``torch.py`` would be taken for torch.

    If textclf itself lies there, as in a checkout that is not installed, the folder is searched last instead. Does
    nothing in a program of someone else.
    """
    if not _is_our_program() or sys.flags.safe_path or not sys.path:
        return
    first = sys.path.pop(0)
    if sys.modules["textclf"].__path__[0] == f"{first}{os.sep}textclf" and first not in sys.path:
        sys.path.append(first)


def _is_our_program() -> bool:
    """Whether Python was started as ``python -m textclf``, and is just about to run it."""
    if sys.argv[:1] != ["-m"]:  # which it is only while Python looks for the module
        return False
    for given, following in zip(sys.orig_argv[1:], [*sys.orig_argv[2:], ""], strict=True):
        flags, found, name = given.partition("m")
        if found and flags[:1] == "-" and set(flags) <= _FLAGS:
            return (name or following) == "textclf"
    return False


leave_out_current_folder()
