"""Checksums of files of any size, and JSON files that contain their own checksum."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from textclf.system import files

OWN: Final = "checksum"
"""Key of a JSON file's own checksum."""

_BLOCK: Final = 1 << 20


def crc32(path: Path) -> int:
    """CRC-32 of a file's bytes; raises what `files.open_to_read` raises."""
    checksum = 0
    with files.open_to_read(path) as file:
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
    return checksum


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex digits; empty if there is no such file."""
    import hashlib

    try:
        file = files.open_to_read(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return ""
    with file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, in hex digits, independent of the order of its keys."""
    import hashlib

    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def seal(values: Mapping[str, Any]) -> bytes:
    """The bytes of a JSON file with these values and its own checksum."""
    return files.to_json({**values, OWN: digest(values)})


def is_sealed(content: bytes) -> bool:
    """Whether these are exactly the bytes that `seal` returned; raises ValueError if they are not a JSON object."""
    values = files.parse_object(content)
    values.pop(OWN, None)
    return content == seal(values)
