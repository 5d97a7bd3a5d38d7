"""Files on disk while they are worked on, and gone after that."""

import asyncio
import errno
import tempfile

import pytest

from tests.serve.test_bodies import receiving
from textclf.serve.asgi import Refused
from textclf.serve.uploads import DESCRIPTORS, Uploads


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def receive(receive, *, most=1000, work=lambda path: path.read_bytes()):
    async def main():
        async with Uploads(most_bytes=most).receive(receive) as path:
            assert path.stat().st_mode & 0o777 == 0o600
            return work(path)

    return asyncio.run(main())


def test_a_file_is_there_until_it_is_worked_on(tmp_path):
    assert receive(receiving(b"ab", b"cd")) == b"abcd"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("pieces", "status"), [([b"a" * 1001], 413), ([b"a" * 600, b"a" * 600], 413)])
def test_one_that_is_too_long_is_refused_and_not_kept(pieces, status, tmp_path):
    with pytest.raises(Refused) as refused:
        receive(receiving(*pieces))
    assert refused.value.status == status
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="files have names here")
def test_a_process_that_is_killed_leaves_no_file(tmp_path):
    assert receive(receiving(b"ab"), work=lambda path: (list(tmp_path.iterdir()), path.read_bytes())) == ([], b"ab")


def test_a_file_is_read_from_the_beginning_each_time():
    assert receive(receiving(b"ab"), work=lambda path: (path.read_bytes(), path.read_bytes())) == (b"ab", b"ab")


def test_a_failure_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError):
        receive(receiving(b"a"), work=lambda _: 1 / 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT])
def test_without_room_it_is_refused_in_one_line(number, monkeypatch):
    def fail(**_given):
        raise OSError(number, "")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", fail)
    with pytest.raises(Refused, match="no room for the file: ") as refused:
        receive(receiving(b"a"))
    assert refused.value.status == 507
