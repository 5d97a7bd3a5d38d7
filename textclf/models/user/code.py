"""A class from a Python file of the user: the only place where textclf runs code that is not its own.

The user names the file on the command line or in Python, or has installed the package that has it. What an artefact or
a config.json says about its code is only compared with that: no path in them is opened, no code in them is run.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from textclf.errors import TextclfError, UsageError
from textclf.system import failures, startup

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from torch import nn

GROUP: Final = "textclf.models"
"""Entry points of this group name classes of installed packages: https://packaging.python.org/specifications/entry-points."""
MOST_CHARACTERS: Final = 300
"""Of an exception's message; torch lists every parameter in some."""


@dataclass(frozen=True, slots=True)
class Code:
    """A class, and the file that it comes from."""

    network: "type[nn.Module]"
    file: Path
    sha256: str
    entry_point: str | None = None
    """The name by which an installed package offers the class."""

    def line(self, method: str) -> int:
        """The line of a method in the file; 1 if it is defined elsewhere."""
        code = getattr(getattr(self.network, method, None), "__code__", None)
        return code.co_firstlineno if code is not None and code.co_filename == str(self.file) else 1


def from_file(path: Path, name: str) -> Code:
    """The class of that name in a Python file, which is run; raises UsageError if there is none, or the file fails."""
    return from_content(path, read(path), name)


def sha256(content: bytes) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits."""
    import hashlib  # takes 3 ms, which commands without such a model need not wait

    return hashlib.sha256(content).hexdigest()


def read(path: Path) -> bytes:
    """The bytes of a Python file; raises UsageError if there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"no file {path}; a model of your own is named as FILE.py:CLASS") from error
    except OSError as error:
        raise failures.refused(error, path) or UsageError(f"{path} cannot be read: {error.strerror}") from error


def from_content(path: Path, content: bytes, name: str) -> Code:
    """What `from_file` returns, from bytes that were read already: those that are run are those that were hashed."""
    module = _run(path, content)
    found = vars(module).get(name)
    if found is None:
        there = ", ".join(_networks(module)) or "no torch.nn.Module"
        raise UsageError(f"{path} has no class {name!r}; it has {there}")
    _refuse_other(found, f"{path}: {name}")
    return Code(found, path, sha256(content))


def from_entry_point(name: str) -> Code | None:
    """The class that an installed package offers under that name; None if there is none.

    Raises UsageError if the package cannot be imported, or if that is no class of a network.
    """
    entry = entry_points().get(name)
    if entry is None:
        return None
    startup.let_torch_threads_sleep()
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:
        raise UsageError(f"the model {name!r} ({entry.value}) cannot be imported: {said(error)}") from error
    _refuse_other(found, f"the model {name!r} ({entry.value})")
    file = Path(sys.modules[found.__module__].__file__ or "")
    return Code(found, file, sha256(read(file)), entry_point=name)


def entry_points() -> "dict[str, EntryPoint]":
    """The classes that installed packages offer, by name; nothing is imported."""
    from importlib.metadata import entry_points as installed  # takes 30 ms to import

    return {entry.name: entry for entry in installed(group=GROUP)}


@contextmanager
def naming_line(file: Path, *, otherwise: int | None = None) -> Iterator[None]:
    """Raise UsageError with the line of a user's file that an exception comes from, the innermost one.

    An exception that comes from no line of the file is one of the line ``otherwise``; without that, it stays as it is.
    """
    try:
        yield
    except TextclfError:
        raise
    except (Exception, SystemExit) as error:
        line = _line(error, file) or otherwise
        if line is None:
            raise
        raise UsageError(f"{file}:{line}: {said(error)}") from error


def said(error: BaseException) -> str:
    """The kind and the message of an exception on one line."""
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    shown = " ".join(message.split())
    if len(shown) > MOST_CHARACTERS:
        shown = f"{shown[:MOST_CHARACTERS]}…"
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


def _run(path: Path, content: bytes) -> ModuleType:
    """Run a file as a module of a name that no other module has, once; nothing is written beside it."""
    name = f"textclf_user_{sha256(bytes(path.resolve()) + content)[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    startup.let_torch_threads_sleep()  # it imports torch
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # where dataclasses, typing and pickle look for it
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # of what it imports
    try:
        with naming_line(path, otherwise=1):
            exec(compile(content, str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102  the user asked
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.dont_write_bytecode = writes
    return module


def _networks(module: ModuleType) -> list[str]:
    """The names of the networks that a module defines."""
    from torch import nn

    found = {name: value for name, value in vars(module).items() if isinstance(value, type)}
    return [name for name, kind in found.items() if issubclass(kind, nn.Module) and kind.__module__ == module.__name__]


def _refuse_other(found: Any, what: str) -> None:
    from torch import nn

    if not isinstance(found, type) or not issubclass(found, nn.Module):
        raise UsageError(f"{what} is not a class of torch.nn.Module")


def _line(error: BaseException, file: Path) -> int | None:
    """The innermost line of a file that an exception passed through."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
