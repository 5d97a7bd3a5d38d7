import errno
import os
import resource

import numpy as np
import pytest

from textclf.errors import ArtefactError, DataError, ResourceError, TextclfError, UsageError
from textclf.system import failures

CODES = {
    errno.ENOSPC: (5, "no space left to write it"),
    errno.EDQUOT: (5, "no space left to write it, as the disk quota is used up"),
    errno.EFBIG: (5, "it would be larger than a file may be"),
    errno.EMFILE: (5, "too many open files to open it (the limit is "),
    errno.ENFILE: (5, "too many open files in the whole system"),
    errno.ENOMEM: (5, "out of memory"),
    errno.EAGAIN: (5, "no more processes or threads can be started"),
    errno.EIO: (5, "it: input/output error"),
    errno.EACCES: (2, "no permission to read or write it"),
    errno.EPERM: (2, "no permission to read or write it"),
    errno.EROFS: (2, "it is on a disk that is read-only"),
    errno.ENOENT: (2, "no such file or folder: it"),
    errno.ENOTDIR: (2, "it: a part of this path is a file"),
    errno.EISDIR: (2, "it is a folder, not a file"),
    errno.ENAMETOOLONG: (2, "it: this name is too long"),
    errno.ELOOP: (2, "it is a link that leads to itself"),
    errno.EEXIST: (2, "it is there already"),
    errno.ENOTEMPTY: (2, "it is a folder that is not empty"),
    errno.EBADF: (2, "it is closed"),
}
LACKS = {number for number, (code, _) in CODES.items() if code == 5}
MAY_NOT = {errno.EACCES, errno.EPERM, errno.EROFS}


def system(number, path=None):
    """The error that the system raises."""
    return OSError(number, os.strerror(number), path) if path else OSError(number, os.strerror(number))


def test_the_table_has_every_number():
    assert set(CODES) == {*failures.LACKS, *failures.FORBIDDEN, *failures.MISNAMED}


@pytest.mark.parametrize("number", CODES, ids=errno.errorcode.get)
@pytest.mark.parametrize("path", ["it", None])
def test_an_error_of_the_system_is_one_line_with_its_code_and_remedy(number, path):
    said = failures.explain(system(number, path), None if path else "it")
    code, start = CODES[number]
    assert (said.exit_code, str(said)[: len(start)]) == (code, start)
    assert "; " in str(said)
    assert "\n" not in str(said)
    assert "{" not in str(said)


@pytest.mark.parametrize("number", CODES, ids=errno.errorcode.get)
def test_only_what_the_machine_refuses_is_told_from_damage(number):
    said = failures.refused(system(number, "elsewhere"), "it")
    assert (said is not None) == (number in LACKS | MAY_NOT)
    if said is not None:
        assert said.exit_code == (5 if number in LACKS else 2)


@pytest.mark.parametrize(
    "error",
    [
        OSError("Couldn't deserialize thrift: TProtocolException"),
        ValueError("no JSON"),
        KeyError("labels"),
        EOFError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_wrong_content_is_no_refusal(error):
    assert failures.refused(error, "it") is None


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (MemoryError(), "out of memory"),
        (np._core._exceptions._ArrayMemoryError((1 << 40,), np.dtype("f8")), "out of memory"),
        (RuntimeError("can't start new thread"), "no more processes or threads"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory"),
        (RuntimeError("unable to mmap 9 bytes from file <x>: Cannot allocate memory (12)"), "out of memory"),
        (RuntimeError("unable to open shared memory object </x>: Too many open files (24)"), "too many open files"),
        (ImportError("libx.so: failed to map segment from shared object"), "out of memory"),
        (ImportError("libx.so: cannot open shared object file: Too many open files"), "too many open files"),
        (OSError("IOError: No space left on device"), "no space left"),
        (SystemError("std::bad_alloc"), "out of memory"),
    ],
    ids=str,
)
def test_lack_that_a_library_words_otherwise_is_recognised(error, start):
    said = failures.explain(error)
    assert isinstance(said, ResourceError)
    assert str(said).startswith(start)
    assert failures.refused(error, "it").exit_code == 5


def test_lack_is_found_behind_another_error():
    error = ImportError("numpy could not be imported")
    error.__cause__ = MemoryError()
    assert str(failures.explain(error)).startswith("out of memory")


@pytest.mark.parametrize(
    "bug", [TypeError("x"), ValueError("x"), RuntimeError("shapes"), ImportError("x", name="textclf.gone"), KeyError()]
)
def test_a_bug_is_explained_by_nothing(bug):
    assert failures.explain(bug) is None


def test_a_bug_in_the_handling_of_a_missing_file_is_a_bug():
    error = TypeError("a mistake")
    error.__context__ = FileNotFoundError(errno.ENOENT, "no", "x")
    assert failures.explain(error) is None


def test_a_package_that_is_missing_or_broken_is_named():
    missing = failures.explain(ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow"))
    assert type(missing) is UsageError
    assert str(missing) == "the Python package pyarrow is missing: pip install pyarrow"
    missing = failures.explain(ModuleNotFoundError("No module named 'tensorboard'", name="tensorboard"))
    assert str(missing) == "the Python package tensorboard is missing: pip install textclf"
    broken = failures.explain(ImportError("libgomp.so.1: cannot open\nshared object", name="torch._C"))
    assert type(broken) is UsageError
    assert "torch cannot be imported (libgomp.so.1: cannot open shared object)" in str(broken)
    assert "\n" not in str(broken)


def test_an_error_of_ours_and_a_closed_pipe_stay_what_they_are():
    ours = DataError("bad")
    assert failures.explain(ours) is ours
    assert failures.explain(BrokenPipeError(errno.EPIPE, "no")) is None


def test_an_unknown_error_of_the_system_fails_in_one_line():
    said = failures.explain(OSError(errno.ENXIO, os.strerror(errno.ENXIO), "it"))
    assert type(said) is TextclfError
    assert "it" in str(said)


def test_a_folder_that_is_gone_is_named_so():
    assert "current folder was removed" in str(failures.explain(FileNotFoundError(errno.ENOENT, "no")))


def test_a_limit_is_shown():
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert f"(the limit is {most:,}: ulimit -n)" in str(failures.explain(system(errno.EMFILE)))


def test_a_path_without_end_is_cut():
    assert len(str(failures.explain(system(errno.ENAMETOOLONG, "n" * 100_000)))) < 300


def test_naming_gives_the_path_and_the_bytes_and_lets_others_pass():
    with (
        pytest.raises(ResourceError, match=r"^no space left to write it; free some \(1,000 bytes are needed\) and"),
        failures.naming("it", needed=1000),
    ):
        raise system(errno.ENOSPC, ".temporary")
    with pytest.raises(ArtefactError, match="damaged"), failures.naming("it"):
        raise ArtefactError("damaged")
    with pytest.raises(OSError, match="Invalid") as caught, failures.naming("it"):
        raise system(errno.EINVAL)
    assert caught.value.errno == errno.EINVAL
