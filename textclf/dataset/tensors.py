"""One document's token ids as a ``.pt`` file, an ordinary one that ``torch.load(path, weights_only=True)`` opens.

Such a file is an uncompressed zip archive. Here it is written and read at the speed of the file system: without torch,
and without unpickling anything. Unlike `torch.load`, `read_tensor` checks the CRC: no flipped bit is trained on.
Formats: https://docs.pytorch.org/docs/stable/notes/serialization.html, https://support.pkware.com/pkzip/appnote.
"""

import io
import os
import struct
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from textclf.errors import ArtefactError
from textclf.system import failures
from textclf.system.files import read_bytes

Ids = NDArray[np.int32]

# signature, version, flags, method, time, date, CRC, 2 sizes, 2 lengths
_LOCAL_HEADER: Final = struct.Struct("<4s5H3L2H")
# signature, one more version, the same, five unused, offset of the local header
_CENTRAL_HEADER: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_UINT32: Final = struct.Struct("<L")
_LOCAL_CRC: Final = 14  # where the CRC is in a local header
_CENTRAL_CRC: Final = 16
_PADDING: Final = struct.Struct("<2sH")  # the extra field with which torch.save aligns, too
_ALIGNMENT: Final = 64
_NAMES_ARE_UTF8: Final = 0x800
_AS_IT_IS: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)  # each byte as it is, through no link
_FIRST_DAY: Final = 0x21  # 1980-01-01, the earliest that zip can say: equal ids give equal bytes


def write_tensor(path: Path | str, ids: Ids) -> int:
    """Write the ids, shape (T,), as a tensor file; returns the CRC-32 of their bytes.

    A file that could not be written whole is removed, but a killed process may leave half a file: write where nobody
    reads until all is written. Raises ResourceError on a full disk.
    """
    content = _little_endian(ids)
    checksum = crc32(content)
    whole = _frame(len(content)).around(content, checksum)
    try:
        # pathlib and a file object would take longer than all the rest
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _AS_IT_IS, 0o666)
        try:
            if os.write(file, whole) < len(whole):
                _write_the_rest(path, whole)
        finally:
            os.close(file)
    except OSError as error:
        Path(path).unlink(missing_ok=True)
        if explained := failures.named(error, path, needed=len(whole)):
            raise explained from error
        raise
    return checksum


def keep_or_write(path: Path | str, ids: Ids) -> int:
    """Like `write_tensor`, but leaves a file alone that already has these bytes."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (either kind of path)
            is_whole = file.read() == to_bytes(ids)
    except FileNotFoundError:
        is_whole = False
    return checksum(ids) if is_whole else write_tensor(path, ids)


def _write_the_rest(path: Path | str, whole: bytes) -> None:
    """Write again what one call did not write whole: over 2 GB, or on a full disk, which is then an error."""
    with open(path, "wb") as file:  # noqa: PTH123 (either kind of path)
        file.write(whole)


def read_tensor(path: Path) -> Ids:
    """Read the ids of a tensor file, shape (T,); raises ArtefactError if it is missing, damaged, or of another kind."""
    try:
        content = read_bytes(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtefactError(f"{path} is missing; rebuild it: textclf preprocess SOURCE --overwrite") from error
    except ValueError as error:
        damage = f"{path} is damaged ({error}); rebuild it: textclf preprocess SOURCE --overwrite"
        raise ArtefactError(damage) from error
    ids = np.frombuffer(content[_DATA_START : len(content) - _DATA_END & ~3], dtype="<i4")
    return ids if to_bytes(ids) == content else _read_foreign(path, content)


def as_written(path: Path, *, length: int) -> Ids | None:
    """The ids, shape (length,), of a file that is exactly as `write_tensor` leaves it; None if it is not."""
    if not path.is_file() or path.stat().st_size != _DATA_START + _DATA_END + 4 * length:
        return None
    content = path.read_bytes()
    ids = np.frombuffer(content, dtype="<i4", count=length, offset=_DATA_START)
    return ids if to_bytes(ids) == content else None


def checksum(ids: Ids) -> int:
    """CRC-32 of the ids as little-endian 32-bit integers."""
    return crc32(_little_endian(ids))


def to_bytes(ids: Ids) -> bytes:
    """The whole tensor file: the four members that torch.load asks for, the ids last."""
    content = _little_endian(ids)
    return _frame(len(content)).around(content, crc32(content))


class _Frame(NamedTuple):
    """The bytes around the ids: for one length always the same, except for the CRC, which occurs twice."""

    before: bytes
    between: bytes
    """From the first CRC to the ids."""
    behind: bytes
    """From the ids to the second CRC."""
    after: bytes

    def around(self, content: bytes, checksum: int) -> bytes:
        crc = _UINT32.pack(checksum)
        return b"".join((self.before, crc, self.between, content, self.behind, crc, self.after))


@lru_cache(maxsize=4096)
def _frame(size: int) -> _Frame:
    """The frame of this many bytes of ids; cached, because it takes longer to make than the file to write."""
    names = (b"archive/data.pkl", b"archive/byteorder", b"archive/version", b"archive/data/0")
    contents = (_description(size // 4), b"little", b"3\n", b"")
    body, directory = bytearray(), bytearray()
    for name, content in zip(names, contents, strict=True):
        offset = len(body)
        length = len(content) if content else size
        crc_place = offset + _LOCAL_CRC, len(directory) + _CENTRAL_CRC
        fields = (0, _NAMES_ARE_UTF8, 0, 0, _FIRST_DAY, crc32(content), length, length, len(name))
        padding = -(offset + _LOCAL_HEADER.size + len(name) + _PADDING.size) % _ALIGNMENT
        body += _LOCAL_HEADER.pack(b"PK\3\4", *fields, _PADDING.size + padding) + name
        body += _PADDING.pack(b"FB", padding) + bytes(padding) + content
        directory += _CENTRAL_HEADER.pack(b"PK\1\2", 0, *fields, 0, 0, 0, 0, 0, offset) + name
    end = _END.pack(b"PK\5\6", 0, 0, len(names), len(names), len(directory), len(body) + size, 0)
    first, second = crc_place
    return _Frame(
        bytes(body[:first]),
        bytes(body[first + _UINT32.size :]),
        bytes(directory[:second]),
        bytes(directory[second + _UINT32.size :]) + end,
    )


def _little_endian(ids: Ids) -> bytes:
    return ids.astype("<i4", copy=False).tobytes()


def _description(length: int, *, shortest: bool = False) -> bytes:
    """The data.pkl of a torch.IntTensor(length): the opcodes that torch.save emits, written and compared, never run.

    The length takes four bytes, so that the ids start at one place in all files; with ``shortest`` as in torch.save.
    """
    if shortest and length < 1 << 8:
        size = b"K" + struct.pack("<B", length)
    elif shortest and length < 1 << 16:
        size = b"M" + struct.pack("<H", length)
    else:
        size = b"J" + struct.pack("<i", length)
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\0((X\7\0\0\0storageq\1ctorch\nIntStorage\nq\2X\1\0\0\0000q\3"
        b"X\3\0\0\0cpuq\4"
        + size
        + b"tq\5QK\0"
        + size
        + b"\x85q\6K\1\x85q\7\x89ccollections\nOrderedDict\nq\x08)Rq\ttq\nRq\x0b."
    )


_DATA_START: Final = to_bytes(np.empty(0, dtype=np.int32)).index(b"PK\1\2")
_DATA_END: Final = len(to_bytes(np.empty(0, dtype=np.int32))) - _DATA_START


def _read_foreign(path: Path, content: bytes) -> Ids:
    """Read a tensor file that torch.save wrote; raises ArtefactError if it is damaged or not a 1-D int32 tensor."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            root = archive.namelist()[0].split("/")[0]
            members = [archive.getinfo(f"{root}/{name}") for name in ("data.pkl", "data/0", "byteorder")]
            if any(member.compress_type != zipfile.ZIP_STORED or member.file_size > len(content) for member in members):
                raise ArtefactError(f"{path} is not a tensor file: its members are compressed")
            description, data, byteorder = (archive.read(member) for member in members)
    except (zipfile.BadZipFile, LookupError, ValueError, RuntimeError, EOFError, OSError) as error:
        damage = ArtefactError(f"{path} is damaged ({error}); rebuild it: textclf preprocess SOURCE --overwrite")
        raise failures.refused(error, path) or damage from error
    described = {_description(len(data) // 4), _description(len(data) // 4, shortest=True)}
    if len(data) % 4 or byteorder != b"little" or description not in described:
        raise ArtefactError(
            f"{path} does not hold a 1-D tensor of 32-bit token ids; rebuild it: textclf preprocess SOURCE --overwrite"
        )
    return np.frombuffer(data, dtype="<i4")


class TensorFiles:
    """Token ids of documents 0 to N - 1, each read from its own file when asked for."""

    def __init__(self, path_of: Callable[[int], Path], crc32: NDArray[np.uint32]) -> None:
        self.path_of = path_of  # of an index; paths of millions of documents would take gigabytes
        self.crc32 = crc32  # (N,), see `checksum`

    def read(self, index: int) -> Ids:
        """Ids of a document, shape (T,); raises ArtefactError if they do not have the checksum that was recorded."""
        path = self.path_of(index)
        ids = read_tensor(path)
        if checksum(ids) != self.crc32[index]:
            raise ArtefactError(
                f"{path} is not the file that preprocess wrote; rebuild it: textclf preprocess SOURCE --overwrite"
            )
        return ids

    def gather(self, indices: NDArray[np.integer]) -> tuple[Ids, NDArray[np.int64]]:
        """Ids of the documents, end to end, and the length of each."""
        ids = [self.read(index) for index in indices.tolist()]
        return np.concatenate(ids), np.array([len(run) for run in ids])
