"""Vectors as textclf keeps them: a folder with the words, and a table of their vectors in float16.

vectors.json          name, source and licence; how many words and dimensions; checksums
words.txt             a word a line
vectors.safetensors   ``vectors``, a row for each word
LICENSE, NOTICE       as they came with it
"""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.errors import ArtefactError
from textclf.system import checksums, failures, files, tensor_files
from textclf.word_vectors.found import Found, Wanted
from textclf.word_vectors.stream import Progress

FORMAT_VERSION: Final = 1
CONFIG: Final = "vectors.json"
WORDS: Final = "words.txt"
TABLE: Final = "vectors.safetensors"


def is_one(folder: Path) -> bool:
    """Whether a folder has vectors that textclf keeps."""
    return (folder / CONFIG).exists()


def read_config(folder: Path) -> dict[str, Any]:
    """What vectors.json says; raises ArtefactError if it is damaged, missing, or from a newer version."""
    path = folder / CONFIG
    try:
        content = files.read_bytes(path, most=files.MAX_JSON_BYTES)
        config = files.parse_object(content)
        if config["format_version"] > FORMAT_VERSION:
            raise ArtefactError(f"{path} is from a newer textclf: update textclf")
        if not checksums.is_sealed(content):
            raise ValueError("it is not what was written")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise failures.refused(error, path) or _damaged(folder, error) from error
    return config


def write(
    folder: Path,
    words: bytes,
    vectors: NDArray[np.floating[Any]],
    *,
    about: Mapping[str, str],
    texts: Mapping[str, bytes],
) -> None:
    """Write a folder that exists; ``words``: the content of words.txt. ``about``: name, source and licence."""
    content = {WORDS: words, TABLE: tensor_files.serialise({"vectors": vectors.astype(np.float16)}), **texts}
    for name, each in content.items():
        files.write_bytes(folder / name, each)
    crc32 = {name: zlib.crc32(each) for name, each in content.items()}
    config = {"format_version": FORMAT_VERSION, **about, "words": len(vectors), "dimension": vectors.shape[1]}
    identity = checksums.digest({name: crc32[name] for name in (WORDS, TABLE)})
    files.write_bytes(folder / CONFIG, checksums.seal({**config, "hash": identity, "crc32": crc32}))


def read(folder: Path, wanted: Wanted, progress: Progress) -> Found:
    """Read a folder; raises ArtefactError if it is damaged."""
    config = read_config(folder)
    try:
        for name in (WORDS, TABLE):
            if checksums.crc32(folder / name) != config["crc32"][name]:
                raise ValueError(f"{name} is not what was written")
        table = tensor_files.read(folder / TABLE)[0]["vectors"]
        with files.open_to_read(folder / WORDS) as file:
            for row, line in enumerate(progress(file, f"reading {config['name']}", len(table))):
                word = line.rstrip(b"\n")
                if places := wanted.places(word):
                    wanted.give(word, places, table[row].astype(np.float32))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise failures.refused(error, folder) or _damaged(folder, error) from error
    return wanted.found(dimension=int(config["dimension"]), words=len(table), kind="kept")


def _damaged(folder: Path, error: Exception) -> ArtefactError:
    return ArtefactError(f"the vectors in {folder} are damaged ({error}); add them again: textclf vectors add")
