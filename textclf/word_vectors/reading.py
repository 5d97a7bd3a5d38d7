"""Vectors of words from a file or folder, whatever its format is."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from textclf.errors import DataError, UsageError
from textclf.system import failures
from textclf.system.wording import counted
from textclf.word_vectors import fasttext, kept, static_folder, stream, text_file, word2vec
from textclf.word_vectors.found import Found, Wanted
from textclf.word_vectors.stream import Progress

_SAMPLE: Final = 1 << 16
"""Bytes of the beginning by which a format is told."""
FORMATS: Final = "GloVe text, .vec, word2vec .bin, fastText .bin, or the folder of a static model"


def _pass(items: Iterable[Any], _title: str, _total: int | None) -> Iterable[Any]:
    return items


def read(path: Path, words: Sequence[str], *, progress: Progress = _pass) -> Found:
    """The vectors of these words, in one pass; memory does not grow with the file.

    Raises UsageError if there is no such file, DataError if it is damaged, of no format that is known, or has none of
    the words.
    """
    wanted = Wanted(words)
    try:
        found = _read(path, wanted, progress)
    except (OSError, ValueError, LookupError, TypeError) as error:
        if isinstance(error, FileNotFoundError) and not path.exists():
            raise UsageError(f"no vectors {path}; give a file: {FORMATS}") from error
        why = f"it has no {error}" if isinstance(error, LookupError) else " ".join(str(error).split())
        raise failures.refused(error, path) or DataError(f"cannot read vectors from {path}: {why}") from error
    if not found.is_found.any():
        raise DataError(
            f"{path} has {counted(found.words, 'word')}, and none of the {counted(len(words), 'word')} of the data; is "
            "it of another language?"
        )
    return found


def _read(path: Path, wanted: Wanted, progress: Progress) -> Found:
    if path.is_dir():
        return kept.read(path, wanted, progress) if kept.is_one(path) else static_folder.read(path, wanted)
    with stream.opened(path) as file:
        start = file.read(_SAMPLE)
    if start.startswith(fasttext.MAGIC):
        if stream.is_packed(path):
            raise ValueError("a compressed model of fastText must be unpacked first")
        return fasttext.read(path, wanted, progress)
    read_all = word2vec.read if _is_binary(start) else text_file.read
    with stream.opened(path) as file:
        return read_all(stream.blocks(file, path, progress), wanted)


def _is_binary(start: bytes) -> bool:
    """Whether numbers that follow a header are not written out."""
    header, _, rest = start.partition(b"\n")
    if text_file.parse_header(header) is None:
        return False
    _, _, numbers = rest.partition(b"\n")[0].strip(b" \t\r").partition(b" ")
    return bool(numbers.translate(None, b"0123456789.+-eE \tinfa"))
