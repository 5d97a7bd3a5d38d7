"""Checksums of files, however large, and JSON files that carry one of all else that they say."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from textclf.system import files

OWN: Final = "checksum"
"""Key of a file's own checksum."""

_BLOCK: Final = 1 << 20


def crc32(path: Path) -> int:
    """CRC-32 of a file's bytes; raises OSError if it cannot be read."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
    return checksum


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes; empty if there is no such file."""
    import hashlib

    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256, in hex digits, of what a JSON value says, whatever the order of its keys."""
    import hashlib

    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def seal(values: Mapping[str, Any]) -> bytes:
    """The bytes of a JSON file that says this, and its own checksum."""
    return files.to_json({**values, OWN: digest(values)})


def is_sealed(content: bytes) -> bool:
    """Whether these are, to the last bit, bytes that `seal` gave; raises ValueError if they are no JSON object."""
    values = files.parse_object(content)
    values.pop(OWN, None)
    return content == seal(values)
