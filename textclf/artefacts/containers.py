"""What holds the files of an artefact: a folder, or one file that Python runs (`textclf export --format pyz`).

A ``.pyz`` is a ZIP archive: https://docs.python.org/3/library/zipapp.html. Its last eight bytes are the CRC-32 of all
others in hex digits. The weights are stored as they are, from a multiple of 64 bytes on, so that they are mapped into
memory as those of a folder are. No code of the archive is run here.
"""

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from textclf.errors import ArtefactError, UsageError
from textclf.system import checksums, failures, files
from textclf.system.wording import counted

if TYPE_CHECKING:
    from zipfile import ZipInfo

SHEBANG: Final = b"#!/usr/bin/env python3\n"
MARK: Final = b"textclf model, CRC-32 "
"""The comment at the end of our archives begins with it."""
DIGITS: Final = 8
"""Hex digits of the checksum, the last bytes of the file."""
MODEL: Final = "model/"
"""The folder of the artefact in the archive."""
MOST_FILES: Final = 1000
"""Files in an archive; ours have about two hundred."""
MOST_UNPACKED: Final = 16_000_000
"""Bytes that a file of the artefact may become, if the archive itself has fewer."""

ALIGNMENT: Final = 64
"""The weights begin at a multiple of it: numpy computes slowly with numbers that a processor's word does not hold."""
MOST_BYTES: Final = 2**31 - 1
"""Bytes of an archive: Python runs none that is larger."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The date of every file: the same content gives the same bytes."""
_PADDING: Final = (0xD935).to_bytes(2, "little")
"""The kind of an extra field of zeros that moves the weights, as Android's zipalign writes it."""
_LOCAL_HEADER: Final = 30
"""Bytes of what stands before the name of a file in an archive: APPNOTE.TXT, section 4.3.7."""


class Container(Protocol):
    """The files of an artefact by name; the methods raise OSError or ValueError if a file cannot be read."""

    def where(self, name: str) -> str:
        """A file as messages call it."""

    def size(self, name: str) -> int:
        """Bytes of a file."""

    def crc32(self, name: str) -> int:
        """CRC-32 of a file, computed without having all of it in memory."""

    def read(self, name: str) -> bytes:
        """The content of a file."""

    def mapped(self, name: str) -> memoryview:
        """The content of a file, mapped into memory; what is written to it stays in memory."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with the files."""

    root: Path

    def where(self, name: str) -> str:
        """A file as messages call it."""
        return str(self.root / name)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return (self.root / name).stat().st_size

    def crc32(self, name: str) -> int:
        """CRC-32 of a file."""
        return checksums.crc32(self.root / name)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return files.read_bytes(self.root / name)

    def mapped(self, name: str) -> memoryview:
        """The content of a file, mapped into memory."""
        return files.map_file(self.root / name)


@dataclass(frozen=True, slots=True)
class Held:
    """The files in memory, as they are sent to other processes."""

    root: Path
    """Where they come from."""
    files: Mapping[str, Any]
    """Arrays of bytes, which may be read-only."""

    @property
    def sha256(self) -> str:
        """SHA-256 of all files together."""
        import hashlib

        return checksums.digest({name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()})

    def where(self, name: str) -> str:
        """A file as messages call it."""
        return str(self.root / name)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return len(self.files[name])

    def crc32(self, name: str) -> int:
        """CRC-32 of a file."""
        return zlib.crc32(self.files[name])

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return bytes(self.files[name])

    def mapped(self, name: str) -> memoryview:
        """The content of a file."""
        return memoryview(self.files[name])


@dataclass(frozen=True, slots=True)
class Archive:
    """A file that Python runs, with the files in its folder ``model/``."""

    path: Path
    content: memoryview
    entries: "dict[str, ZipInfo]"

    @classmethod
    def open(cls, path: Path) -> "Archive":
        """Open an archive of ours and verify its checksum; raises ArtefactError if it is damaged or another file."""
        try:
            content = files.map_file(path)
            _verify(content)
            entries = _entries(path, most_unpacked=max(MOST_UNPACKED, len(content)))
        except (OSError, ValueError) as error:
            damage = ArtefactError(f"{path} is damaged or no model ({error}); export it again: textclf export")
            raise failures.refused(error, path) or damage from error
        return cls(path, content, entries)

    def where(self, name: str) -> str:
        """A file as messages call it."""
        return f"{self.path}, {MODEL}{name},"

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self._entry(name).file_size

    def crc32(self, name: str) -> int:
        """CRC-32 of a file."""
        return zlib.crc32(self.mapped(name))

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return bytes(self.mapped(name))

    def mapped(self, name: str) -> memoryview:
        """The content of a file: where it is in the archive, or unpacked."""
        entry = self._entry(name)
        header = self.content[entry.header_offset : entry.header_offset + _LOCAL_HEADER]
        lengths = (int.from_bytes(header[place : place + 2], "little") for place in (26, 28))  # of the name and extra
        start = entry.header_offset + _LOCAL_HEADER + sum(lengths)
        packed = self.content[start : start + entry.compress_size]
        if not entry.compress_type:
            found = packed
        else:
            found = memoryview(zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, max(entry.file_size, 1)))
        if len(found) != entry.file_size:
            raise ValueError(f"{name} is not as long as it should be")
        return found

    def config(self) -> dict[str, Any]:
        """What the artefact's config.json says; raises ArtefactError if it is damaged."""
        try:
            return files.parse_object(self.read("config.json"))
        except ValueError as error:
            raise ArtefactError(f"{self.path} is damaged ({error}); export it again: textclf export") from error

    def _entry(self, name: str) -> "ZipInfo":
        if name not in self.entries:
            raise ValueError(f"it has no {MODEL}{name}")
        return self.entries[name]


def is_archive(path: Path) -> bool:
    """Whether a file ends as our archives do; False if it cannot be read."""
    try:
        with files.open_to_read(path) as file:
            file.seek(-len(MARK) - DIGITS, 2)
            return file.read(len(MARK)) == MARK
    except (OSError, ValueError):
        return False


def _checksum(content: memoryview) -> bytes:
    """The digits at the end of an archive whose other bytes are these."""
    return b"%0*x" % (DIGITS, zlib.crc32(content))


def _verify(content: memoryview) -> None:
    """Raise ValueError if the checksum of an archive is wrong or missing."""
    end = len(content) - DIGITS
    if bytes(content[max(end - len(MARK), 0) : max(end, 0)]) != MARK:
        raise ValueError("it is not what textclf export --format pyz writes")
    if bytes(content[end:]) != _checksum(content[:end]):
        raise ValueError("its checksum is wrong")


def _entries(path: Path, *, most_unpacked: int) -> "dict[str, ZipInfo]":
    """The files of the artefact in an archive; raises ValueError if it is no archive, or they are too many or large."""
    from zipfile import BadZipFile, ZipFile

    try:
        with files.open_to_read(path) as file, ZipFile(file) as archive:
            found = archive.infolist()
    except (BadZipFile, NotImplementedError) as error:
        raise ValueError(str(error)) from error
    if len(found) > MOST_FILES:
        raise ValueError(f"it has more than {MOST_FILES} files")
    entries = {entry.filename.removeprefix(MODEL): entry for entry in found if entry.filename.startswith(MODEL)}
    if too_large := [entry.filename for entry in entries.values() if entry.file_size > most_unpacked]:
        raise ValueError(f"{too_large[0]} is far larger than the file itself")
    return entries


def pack(
    code: Mapping[str, bytes], model: Mapping[str, bytes], *, mapped: Collection[str], most_bytes: int = MOST_BYTES
) -> bytes:
    """An archive of code and the files of an artefact, of which those named ``mapped`` are not compressed.

    `code` begins with ``__main__.py``. Raises UsageError if it would be larger than Python can run.
    """
    from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

    file = BytesIO()
    file.write(SHEBANG)
    with ZipFile(file, "w") as archive:
        for name, content in [*code.items(), *((f"{MODEL}{name}", content) for name, content in model.items())]:
            entry = ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # as on Unix, wherever it is made
            is_stored = name in ("__main__.py", *(f"{MODEL}{each}" for each in mapped))
            entry.compress_type = ZIP_STORED if is_stored else ZIP_DEFLATED
            if is_stored:
                entry.extra = _padding(file.tell() + _LOCAL_HEADER + len(name.encode()))
            archive.writestr(entry, content, compresslevel=9)
        archive.comment = MARK + bytes(DIGITS)
    content = file.getvalue()[:-DIGITS]
    if len(content) > most_bytes:
        raise UsageError(
            f"the file would have {counted(len(content), 'byte')}, and Python runs none of more than {most_bytes:,}; "
            "make it smaller: --precision int8, --max-size 1GB"
        )
    return content + _checksum(memoryview(content))


def _padding(start: int) -> bytes:
    """An extra field after which the content of a file begins at a multiple of ALIGNMENT."""
    size = -(start + 4) % ALIGNMENT
    return _PADDING + size.to_bytes(2, "little") + bytes(size)
