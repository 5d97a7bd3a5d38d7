"""Decodes a stream into lines, with an error for a line that is too long or has bytes of another encoding.

Knows nothing about what lines hold.
"""

import codecs
import io
from collections.abc import Callable, Generator
from functools import partial
from typing import Final, NamedTuple

from textclf.errors import DataError, UsageError
from textclf.sources.binary import MAGIC, binary_kind
from textclf.sources.document import MAX_CHARACTERS

UTF8: Final = "utf-8-sig"
"""UTF-8, with or without a byte-order mark."""

ENDLESS: Final = 100
"""A line that has not ended after this many times the limit is taken for endless."""

MARKS: Final = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark is the beginning of this one
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte-order marks of encodings other than UTF-8."""

FEWEST_PAIRS: Final = 4
"""Pairs of bytes by which UTF-16 without a byte-order mark is recognised."""


TRIED: Final = ("utf-8", "cp1252", "cp1250", "cp1251", "koi8_r", "shift_jis", "gb18030", "big5", "euc_kr")
"""Encodings that are named where a text is not in the one that it is read in."""
TRIED_BYTES: Final = 10_000
BEFORE: Final = 4
"""Characters of a sample before the first that is not of ASCII."""
AFTER: Final = 8


class Encoding(NamedTuple):
    """The encoding of a text file."""

    codec: str = UTF8
    """Python's name for it."""
    otherwise: str | None = None
    """The encoding of lines that are not UTF-8, where that is the codec."""

    @property
    def name(self) -> str:
        """The codec; UTF-8 is called that with and without a byte-order mark."""
        return self.codec.removesuffix("-sig")

    def __str__(self) -> str:
        return self.name.upper()

    def advise(self, content: bytes = b"") -> str:
        """Name the encoding, and what to do about text that has another one, such as the content."""
        usual = "cp1252" if self.codec == UTF8 else "utf-8"
        found = readings(content, other_than=self.name)
        shown = " or ".join(f"{codec} ({sample!r})" for codec, sample in found.items())
        return f"{self}; try --encoding {shown or usual}"


def readings(content: bytes, *, other_than: str) -> dict[str, str]:
    """What bytes would be in each of a few common encodings that they fit, by its name: a piece with other letters.

    Which of them is the right one is for who can read it. Of those with the same piece, the first alone.
    """
    found: dict[str, str] = {}
    for codec in TRIED:
        try:
            text = codecs.getincrementaldecoder(codec)().decode(content[:TRIED_BYTES]).strip()
        except UnicodeError:
            continue
        at = next((place for place, character in enumerate(text) if not character.isascii()), None)
        piece = "" if at is None else text[max(0, at - BEFORE) : at + AFTER].replace("\t", " ").strip()
        if piece.isprintable() and piece and codec != other_than and piece not in found.values():
            found[codec] = piece
    return found


def encoding_named(name: str | None) -> Encoding:
    """Return the encoding that --encoding names, None being UTF-8; raises UsageError if there is no such encoding."""
    try:
        codec = codecs.lookup(name or "utf-8").name
        "".encode(codec)  # raises for a codec that does not encode text, such as hex
    except (LookupError, UnicodeError) as error:
        raise UsageError(f"no encoding named {name!r}; for example --encoding cp1252") from error
    return Encoding(UTF8 if codec == "utf-8" else codec)


def encoding_for(stream: io.BufferedReader, *, asked: str | None, known: str | None) -> Encoding:
    """The encoding asked for, else UTF-8, and the one `known` from other files like this where it is not UTF-8.

    A wide encoding is known by the beginning of the stream; of others, each line that is not UTF-8.
    """
    if asked is not None or known is None:
        return encoding_named(asked)
    codec = encoding_named(known).codec
    is_wide = "\0" in "a".encode(codec).decode("latin-1")
    if is_wide:
        return Encoding(codec) if wide_encoding(stream.peek(MAGIC)[:MAGIC]) else Encoding()
    return Encoding(UTF8, None if codec == UTF8 else codec)


Line = tuple[int, str, str | None]
"""A line's number, from 1, its text with its end, and its error: where it is and why it cannot be read.

A plain tuple: a NamedTuple would make reading CSV whose fields have many lines take half as long again.
"""


def read_lines(
    stream: io.BufferedReader,
    name: str,
    *,
    encoding: Encoding = Encoding(),  # noqa: B008 (a tuple)
    newline: str = "\n",
    limit: int = MAX_CHARACTERS,
    warn: Callable[[str], None] = lambda _line: None,
) -> Generator[Line, None, None]:
    """Yield the lines of a stream; with newline "" a lone carriage return ends a line, too, as on old Macs.

    A line longer than `limit` characters is skipped without being held in memory. The first line in the encoding's
    other one is a warning. Raises DataError if the stream is not text of this encoding at all, or if a line is endless,
    as on a device.
    """
    refuse_other_content(stream.peek(MAGIC)[:MAGIC], name, encoding)
    errors = "surrogateescape" if encoding.codec == UTF8 else "textclf.escape"
    file = io.TextIOWrapper(stream, encoding=encoding.codec, errors=errors, newline=newline)
    ends, number, is_warned = newline or ("\n", "\r"), 0, False
    try:
        for text in iter(partial(file.readline, limit), ""):
            number += 1
            if len(text) == limit and not text.endswith(ends):
                problem = f"{name}:{number}: the line is longer than {limit:,} characters"
                _skip_line(file, problem, ends=ends, most=ENDLESS * limit)
                yield number, "", problem
            elif text.isascii():
                yield number, text, None
            elif encoding.otherwise and (other := _decoded_otherwise(text, encoding.otherwise)) is not None:
                if not is_warned:
                    is_warned = True
                    known = f"read as {encoding.otherwise}, as the training documents were"
                    warn(f"{name}:{number}: not UTF-8; it and others like it are {known}")
                yield number, other, None
            else:
                error = _undecoded(text, f"{name}:{number}", encoding)
                # the codecs utf-16-le and utf-16-be keep the byte-order mark
                yield number, text.removeprefix("\ufeff") if number == 1 else text, error
    except UnicodeError as error:  # of a codec that does not say where
        raise DataError(f"{name}:{number + 1}: not {encoding.advise()}") from error
    finally:
        if not stream.closed:
            file.detach()  # which leaves it open


def _skip_line(file: io.TextIOWrapper, problem: str, *, ends: str | tuple[str, ...], most: int) -> None:
    """Read to the end of a line; raises DataError if `most` characters do not reach it."""
    while (skipped := file.readline(min(most, 1 << 20))) and not skipped.endswith(ends):
        most -= len(skipped)
        if most <= 0:
            raise DataError(f"{problem} and does not end")


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Decode each byte that is not of the encoding to half a surrogate pair, which valid text never has.

    Python's own surrogateescape does this only for bytes above 127, so that it fails in UTF-16.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 | byte) for byte in error.object[error.start : error.end]), error.end


def _unescape(error: UnicodeError) -> tuple[bytes, int]:
    """Encode what `_escape` decoded as the bytes that it was."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return bytes(ord(character) & 0xFF for character in error.object[error.start : error.end]), error.end


codecs.register_error("textclf.escape", _escape)
codecs.register_error("textclf.unescape", _unescape)


def _decoded_otherwise(text: str, codec: str) -> str | None:
    """A line that is not UTF-8 in another encoding; None if it is UTF-8, or not of that encoding either."""
    if _place_of_undecoded(text) is None:
        return None
    try:
        return text.encode("utf-8", "surrogateescape").decode(codec)
    except UnicodeError:
        return None


def _undecoded(text: str, place: str, encoding: Encoding) -> str | None:
    """Name the first byte that could not be decoded, and encodings that the line would fit; None if there is none."""
    at = _place_of_undecoded(text)
    if at is None:
        return None
    try:
        content = text.encode(encoding.codec.removesuffix("-sig"), "textclf.unescape")
    except UnicodeError:  # UTF-16 takes no single bytes
        content = b""
    return f"{place}: byte 0x{ord(text[at]) & 0xFF:02x} is not {encoding.advise(content)}"


def _place_of_undecoded(text: str) -> int | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def refuse_other_content(start: bytes, name: str, encoding: Encoding) -> None:
    """Raise DataError if a stream starts as no text does or, if it is said to be UTF-8, as UTF-16 or UTF-32 does."""
    if kind := binary_kind(start):
        raise DataError(f"{name} is not text but {kind}")
    if encoding.codec == UTF8 and (other := wide_encoding(start)):
        sample = start[: len(start) // 4 * 4].decode(other, errors="replace").lstrip("\ufeff").partition("\n")[0]
        raise DataError(f"{name} is {other.upper()}, as in {sample[: BEFORE + AFTER]!r}; try --encoding {other}")


def wide_encoding(start: bytes) -> str | None:
    """Recognise UTF-16 and UTF-32 by their byte-order mark, or UTF-16 by bytes that are 0, all at odd or even places.

    Latin letters have one each; of other scripts, blanks and line ends do, and the letters are no text in UTF-8.
    """
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            return encoding
    first, second = start[0::2], start[1::2]
    if len(second) < FEWEST_PAIRS:
        return None
    for codec, zeros, others in (("utf-16-le", second, first), ("utf-16-be", first, second)):
        if 0 in zeros and all(others) and _is_no_text(start, zeros) and _is_text(start, codec):
            return codec
    return None


def _is_text(start: bytes, codec: str) -> bool:
    """Whether the beginning of a file could be text in an encoding: it has no control characters, and no others."""
    try:
        text = codecs.getincrementaldecoder(codec)().decode(start)
    except UnicodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)


def _is_no_text(start: bytes, zeros: bytes) -> bool:
    """Whether the beginning of a file is not UTF-8, or hardly any of its bytes at these places are letters there.

    A few control characters may be in any file, and tabs are in many.
    """
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeError:
        return True
    return sum(byte <= ord(" ") for byte in zeros) > 0.75 * len(zeros)
