import gzip
import zipfile

import pytest

from textclf.errors import DataError
from textclf.word_vectors import stream

CONTENT = b"content " * 1000


def whole(path) -> bytes:
    with stream.opened(path) as file:
        return b"".join(stream.blocks(file, path, lambda items, _title, _total: items))


def archive(path, *names: str):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, CONTENT)
    return path


def test_plain_gzip_and_zip_have_the_same_bytes(tmp_path):
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(CONTENT)
    packed.write_bytes(gzip.compress(CONTENT))
    assert whole(plain) == whole(packed) == whole(archive(tmp_path / "a.zip", "only")) == CONTENT
    assert not stream.is_packed(plain)
    assert stream.is_packed(packed)


def test_the_total_is_known_of_a_file_that_is_not_compressed(tmp_path):
    path, told = tmp_path / "plain", []
    path.write_bytes(b"x" * (stream.BLOCK + 1))
    with stream.opened(path) as file:
        list(stream.blocks(file, path, lambda items, *about: told.append(about) or items))
    assert told == [("reading plain", 2)]


def test_an_archive_of_several_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="is an archive of 2 files: unpack it"):
        whole(archive(tmp_path / "a.zip", "one", "two"))


@pytest.mark.parametrize(
    "made",
    [gzip.compress(CONTENT, mtime=0)[:-20], b"\x1f\x8b" + CONTENT, b"PK\x03\x04" + CONTENT],
    ids=["cut", "no gzip", "no zip"],
)
def test_a_damaged_one_is_said_in_one_line(tmp_path, made):
    path = tmp_path / "packed"
    path.write_bytes(made)
    with pytest.raises(DataError, match="cannot be unpacked"):
        whole(path)
