"""Rows of text files without columns: plain lines, and lines as fastText has them (https://fasttext.cc)."""

import re
from collections.abc import Iterator
from typing import Final

from textclf.sources.columns import FindColumns
from textclf.sources.document import LABEL, Row
from textclf.sources.text_lines import Line

_LABELS: Final = re.compile(rf"(?<!\S){LABEL}(\S*)\s?", flags=re.ASCII)


def read_plain(lines: Iterator[Line], _name: str, _find: FindColumns) -> Iterator[Row]:
    """Yield a row per line: the line is the text."""
    for _, text, error in lines:
        yield Row("", error=error) if error else Row(text.rstrip("\r\n"))


def read_fasttext(lines: Iterator[Line], name: str, _find: FindColumns) -> Iterator[Row]:
    """Yield a row per line: the words that begin with __label__ are its labels, the rest is its text.

    Training needs one label, at the start of the line.
    """
    for number, line, error in lines:
        if error:
            yield Row("", error=error)
            continue
        place, text = f"{name}:{number}", line.rstrip("\r\n")
        labels = _LABELS.findall(text) if LABEL in text else []
        problem = _training_error(text, labels)
        yield Row(
            _LABELS.sub("", text) if labels else text,
            label=labels[0] if labels else None,
            training_error=problem and f"{place}: {problem}",
            other_labels=tuple(labels[1:]),
            is_blank=not text.strip(),
            place=place,
        )


def _training_error(text: str, labels: list[str]) -> str | None:
    if not text.startswith(LABEL):
        return f"no label; each line must start with one, such as {LABEL}sport"
    if len(labels) > 1:
        return "more than one label; a document has one"
    return None if labels[0].strip() else "the label is empty"
