"""What the machine refuses, in one line: disk, memory, files, threads, permissions, packages.

The command line asks `explain` about every exception that ends a command. Whoever reads a file of ours asks `refused`
first: a file that cannot be read for want of memory, open files or permission is not damaged. Whoever writes a file
uses `naming`, so that the line has its path.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from textclf.errors import ArtefactError, ResourceError, TextclfError, UsageError
from textclf.system.requirements import ALL, ALONE
from textclf.system.wording import counted


class _Meaning(NamedTuple):
    """What an error number of the system means to the user."""

    kind: type[TextclfError]
    what: str
    """The beginning of the line; {path} stands for the file or folder."""
    remedy: str
    limit: tuple[str, str] | None = None
    """The limit of the process to show, by its name in the module `resource`, and the option of ``ulimit``."""


_FREE_SOME: Final = "free some{needed} and run the command again"
_ANOTHER: Final = "change its permissions, or name another path"
_FILES: Final = ("RLIMIT_NOFILE", "n")

LACKS: Final[Mapping[int, _Meaning]] = {
    errno.ENOSPC: _Meaning(ResourceError, "no space left to write {path}", _FREE_SOME),
    errno.EDQUOT: _Meaning(ResourceError, "no space left to write {path}, as the disk quota is used up", _FREE_SOME),
    errno.EFBIG: _Meaning(
        ResourceError,
        "{path} would be larger than a file may be",
        "raise the limit: ulimit -f unlimited",
        ("RLIMIT_FSIZE", "f"),
    ),
    errno.EMFILE: _Meaning(
        ResourceError, "too many open files to open {path}", "raise the limit: ulimit -n 1024", _FILES
    ),
    errno.ENFILE: _Meaning(ResourceError, "too many open files in the whole system", "end other programs"),
    errno.ENOMEM: _Meaning(
        ResourceError,
        "out of memory",
        "end other programs, raise the limit, or try a smaller --batch-size, --tier or --max-vocab",
        ("RLIMIT_AS", "v"),
    ),
    errno.EAGAIN: _Meaning(
        ResourceError,
        "no more processes or threads can be started",
        "end other programs, or raise the limit (ulimit -u, ulimit -v, or that of the container)",
        ("RLIMIT_NPROC", "u"),
    ),
    errno.EIO: _Meaning(ResourceError, "{path}: input/output error", "check the disk"),
}
"""The machine has too little of something, for now."""

FORBIDDEN: Final[Mapping[int, _Meaning]] = {
    errno.EACCES: _Meaning(UsageError, "no permission to read or write {path}", _ANOTHER),
    errno.EPERM: _Meaning(UsageError, "no permission to read or write {path}", _ANOTHER),
    errno.EROFS: _Meaning(UsageError, "{path} is on a disk that is read-only", "name another path"),
}
"""The user may not do this there."""

MISNAMED: Final[Mapping[int, _Meaning]] = {
    errno.ENOENT: _Meaning(UsageError, "no such file or folder: {path}", "check the path; was it removed meanwhile?"),
    errno.ENOTDIR: _Meaning(UsageError, "{path}: a part of this path is a file, not a folder", "name another path"),
    errno.EISDIR: _Meaning(UsageError, "{path} is a folder, not a file", "name another path"),
    errno.ENAMETOOLONG: _Meaning(UsageError, "{path}: this name is too long", "choose a shorter one"),
    errno.ELOOP: _Meaning(UsageError, "{path} is a link that leads to itself", "name another path"),
    errno.EEXIST: _Meaning(UsageError, "{path} is there already", "name another path"),
    errno.ENOTEMPTY: _Meaning(UsageError, "{path} is a folder that is not empty", "name another path"),
    errno.EBADF: _Meaning(UsageError, "{path} is closed", "open it, or redirect it"),
}
"""There is no such thing, or another one."""

_MEANINGS: Final = {**LACKS, **FORBIDDEN, **MISNAMED}

_SAID: Final = {
    "can't start new thread": errno.EAGAIN,
    "can't allocate memory": errno.ENOMEM,  # torch
    "failed to map segment": errno.ENOMEM,  # the dynamic linker
    "bad_alloc": errno.ENOMEM,  # C++
    "out of memory": errno.ENOMEM,
    **{os.strerror(number): number for number in LACKS if number != errno.EIO},
}
"""How libraries say that they lack something, in an error without a number."""

_OF_LIBRARIES: Final = (ImportError, RuntimeError, SystemError, OSError)
"""Exceptions of Python that they raise so; others, such as KeyError, may quote what a file holds."""

_LONGEST: Final = 200  # characters of a path in a message


def explain(error: BaseException, path: Path | str | None = None) -> TextclfError | None:
    """What the machine refused, as an error of ours; None if it refused nothing, as the error is a bug.

    ``path`` is what was read or written, if the error does not say.
    """
    if isinstance(error, TextclfError):
        return error
    if (found := _lack(error)) is not None:
        return _told(found, _path(error) or path)
    if isinstance(error, BrokenPipeError):
        return None
    if isinstance(error, FileNotFoundError) and _path(error) is None and not _is_somewhere():
        return UsageError("the current folder has been removed: go to another one with cd")
    if isinstance(error, OSError):
        return named(error, _path(error) or path) or TextclfError(f"{_path(error) or path or 'failed'}: {error}")
    return _of_import(error) if isinstance(error, ImportError) else _of_bytecode(error)


def _is_somewhere() -> bool:
    """Whether the current folder is still there."""
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def refused(error: BaseException, path: Path | str) -> TextclfError | None:
    """The error of ours if a file could not be read for want of something or of permission; None: its content is wrong.

    A file of ours that is missing, or a folder in its place, is wrong content, too.
    """
    number = _lack(error)
    if number is None and isinstance(error, OSError) and error.errno in FORBIDDEN:
        number = error.errno
    return None if number is None else _told(number, path)


def named(error: OSError, path: Path | str | None, *, needed: int | None = None) -> TextclfError | None:
    """The error of ours with the path, and the bytes ``needed`` if known; None if the number means nothing to users."""
    return _told(error.errno, path, needed=needed) if error.errno in _MEANINGS else None


@contextmanager
def naming(path: Path | str, *, needed: int | None = None) -> Iterator[None]:
    """Raise what `named` returns for an error while this path is written; other errors as they are."""
    try:
        yield
    except OSError as error:
        if explained := named(error, path, needed=needed):
            raise explained from error
        raise


def _path(error: BaseException) -> str | None:
    name = getattr(error, "filename", None)
    return os.fsdecode(name) if isinstance(name, str | bytes) and name else None


def _told(number: int, path: Path | str | None, *, needed: int | None = None) -> TextclfError:
    """The line for an error number."""
    meaning = _MEANINGS[number]
    if path is None and number == errno.ENOENT:
        return UsageError("the current folder was removed; change to another one")
    room = "" if needed is None else f" ({counted(needed, 'byte is', 'bytes are')} needed)"
    shown = "a file" if path is None else str(path)
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}…"
    what = meaning.what.format(path=shown) + (_limit(*meaning.limit) if meaning.limit else "")
    return meaning.kind(f"{what}; {meaning.remedy.format(needed=room)}")


def _limit(name: str, option: str) -> str:
    """The limit of this process, as a part of a sentence; empty if there is none."""
    with suppress(ImportError, AttributeError):  # not on Windows
        import resource

        most, _ = resource.getrlimit(getattr(resource, name))
        if most != resource.RLIM_INFINITY:
            return f" (the limit is {most:,}{' bytes' if option in 'fv' else ''}: ulimit -{option})"
    return ""


def _lack(error: BaseException) -> int | None:
    """The number in LACKS that an error, or what it came from, is about."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, MemoryError):
            return errno.ENOMEM
        if isinstance(cause, OSError) and cause.errno in LACKS:
            return cause.errno
        if isinstance(cause, _OF_LIBRARIES) or type(cause).__module__ != "builtins":
            said = str(cause)
            if found := next((number for words, number in _SAID.items() if words in said), None):
                return found
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


def _of_import(error: ImportError) -> TextclfError | None:
    """What to say of a package that is missing or broken; None if it is a module or a name of ours: a bug."""
    package = (error.name or _raised_in(error)).partition(".")[0]
    if package in ("", "textclf"):
        return None
    if isinstance(error, ModuleNotFoundError):
        install = ALONE.get(package) or " ".join(ALL)
        return UsageError(f"the Python package {package} is missing: pip install {install}")
    why = " ".join(str(error).split())[:_LONGEST]
    return UsageError(
        f"the Python package {package} cannot be imported ({why}); install it again: "
        f"pip install --force-reinstall {package}"
    )


def _of_bytecode(error: BaseException) -> TextclfError | None:
    """What to say of a compiled file of Python that is not whole; None if the error is not about one.

    Where a disk was full as it was written, it stays cut off: https://github.com/python/cpython/issues/126606.
    """
    if not isinstance(error, EOFError | ValueError) or _raised_in(error) != "importlib._bootstrap_external":
        return None
    return ArtefactError(
        f"a file that Python compiled is damaged ({error}), as after a full disk; compile it again: "
        f"python -m compileall -qf {Path(__file__).parents[1]}"
    )


def _raised_in(error: BaseException) -> str:
    """The module that raised an exception."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
