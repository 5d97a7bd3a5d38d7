"""Labels a whole file that the page sends: read and answered as `textclf predict --input FILE --format csv` does it.

The answer comes in pieces: first the columns of the file, then CSV, and at the end what it comes to. Before that, a
preview shows which column is taken.
"""

import csv
import io
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from textclf import sources
from textclf.errors import TextclfError, UsageError
from textclf.inference import copied, outputs, predicting
from textclf.inference.classifier import Classifier, batched
from textclf.inference.outputs import Answer, Fields
from textclf.inference.predicting import NONE_REJECTED, Rejection, Tally
from textclf.serve.asgi import Refused
from textclf.sources import Columns, Row
from textclf.sources.advice import without_options
from textclf.system import escaping
from textclf.system.wording import counted

ENDINGS: Final = (
    ".csv", ".tsv", ".txt", ".jsonl", ".tab", ".ndjson", ".ft", ".fasttext", ".train", ".valid", ".test", "",
)  # fmt: skip
KINDS: Final = ("csv", "tsv", "jsonl", "fasttext", "lines")
"""Of files that are read line by line, in little memory."""

LONGEST_TEXT: Final = 1_000_000
"""Characters of a text; a longer one is an error of its row."""

PREVIEWED: Final = 3  # rows
PREVIEWED_CHARACTERS: Final = 300  # of a cell

FIELDS: Final = Fields(top_k=1, probabilities=False, id=None, rejected=True, details=True)

Piece = dict[str, Any]
Watch = Callable[[Iterable[list[Answer]]], Iterator[list[Answer]]]
"""Passes answers through."""


def refuse_ending(name: str) -> None:
    """Raise Refused for a file of this name that cannot be labelled here."""
    if Path(name).suffix.lower() not in ENDINGS:
        few = ", ".join(ENDINGS[:4])
        raise Refused(415, f"files like {few} can be labelled here; for others: textclf predict --input FILE")


class Upload(NamedTuple):
    """A file that was sent."""

    path: Path
    """Where it is here, perhaps under another name."""
    name: str
    """Its name where it came from, whose ending says what it is."""

    def shown(self, message: str) -> str:
        """A message about the file on one line, with the name that the user knows, who has no options to add."""
        return escaping.line(" ".join(without_options(message).replace(str(self.path), self.name).split()))


class Wanted(NamedTuple):
    """What is asked for."""

    column: int | None = None
    """The place of the column that holds the texts. None: it is found as `textclf predict` finds it."""
    rejection: Rejection = NONE_REJECTED
    preview: bool = False
    """Whether only the columns and the first rows are wanted, so that a user sees which column is taken."""


ANYTHING: Final = Wanted()


def label(
    classifier: Classifier, upload: Upload, wanted: Wanted = ANYTHING, *, watch: Watch = iter
) -> Generator[Piece, None, None]:
    """Yield the answer for a file in pieces; an error is the last piece. All answers pass through ``watch``."""
    known, column = classifier.trained.columns, wanted.column
    try:
        names, text = _columns(upload, known)
        if wanted.preview:
            yield {"columns": names, "text": text, "first": _first_rows(upload, names, text, known)}
            return
        if column is not None:
            text = names[column : column + 1]
        yield {"columns": names, "text": text}
        if text or not names:
            asked = Columns() if column is None else Columns(text=text)
            rows = sources.rows(upload.path, name=upload.name, columns=asked, known=known)
            checked = (_checked(row, is_table=bool(names)) for row in rows)
            predict = _predictor(classifier)
            answers = watch(predicting.answer(checked, predict, wanted.rejection, keeps_records=True))
            with_coverage = wanted.rejection != NONE_REJECTED and not classifier.trained.is_multi
            yield from _labelled(classifier, answers, names, upload, with_coverage=with_coverage)
    except TextclfError as error:
        yield {"error": upload.shown(str(error))}


def _columns(upload: Upload, known: Columns) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of all columns, and of those that hold the text; raises UsageError for a file that is not read here."""
    kind, names, text = sources.beginning_of(upload.path, name=upload.name, known=known)
    if kind not in KINDS:
        raise UsageError(f"{upload.name} is {kind}, which is read as a whole: use textclf predict --input FILE")
    return names, text


def _first_rows(upload: Upload, names: tuple[str, ...], text: tuple[str, ...], known: Columns) -> list[Piece]:
    """The first rows; none if no column has a name, as one without cannot be asked for."""
    asked = Columns() if text else Columns(text=tuple(name for name in names if name)[:1])
    if names and not (text or asked.text):
        return []
    rows = sources.rows(upload.path, name=upload.name, columns=asked, known=known)
    return [_shown(_checked(row, is_table=bool(names)), names, upload) for row in islice(rows, PREVIEWED)]


def _shown(row: Row, names: tuple[str, ...], upload: Upload) -> Piece:
    """The cells of a row; why it cannot be read, if it has none."""
    if row.error and (not row.record or not names):
        return {"error": upload.shown(row.error)}
    return {"cells": [copied.as_text(row.record.get(name))[:PREVIEWED_CHARACTERS] for name in names or ("text",)]}


def _labelled(
    classifier: Classifier,
    answers: Iterable[list[Answer]],
    names: tuple[str, ...],
    upload: Upload,
    *,
    with_coverage: bool,
) -> Iterator[Piece]:
    """Yield CSV with the answers to the rows, and at the end what they come to."""
    trained, unlike = classifier.trained, 0
    tally = Tally(classifier.labels, several=trained.is_multi)
    fields = FIELDS._replace(
        separator=outputs.separator_of(trained),
        rejected=not trained.is_multi,
        copied=dict.fromkeys(names or ("text",)),
    )
    header = outputs.header(fields, text=str)
    for number, batch in enumerate(tally.watch(answers)):
        unlike += sum(answer.prediction.unlike and not answer.row.error for answer in batch)
        lines = [_line(answer, fields, upload) for answer in batch]
        yield {"rows": tally.rows, "csv": _csv([header, *lines] if number == 0 else lines)}
    sentences = [upload.shown(sentence) for sentence in tally.summary(with_coverage=with_coverage)]
    if unlike:
        sentences.append(
            f"{counted(unlike, 'text is', 'texts are')} unlike the training texts: do not rely on the answer"
        )
    yield {"rows": tally.rows, "summary": sentences}


def _predictor(classifier: Classifier) -> predicting.Predict:
    return lambda texts: (classifier.name(classifier.answer(batch, top_k=1)) for batch in batched(texts))


def _checked(row: Row, *, is_table: bool) -> Row:
    """The row with its text alone if it is not of delimited text, and with an error if the text is too long."""
    record = row.record if is_table else {"text": row.text}
    if len(row.text) <= LONGEST_TEXT:
        return row._replace(record=record)
    problem = f"{row.place}: the text has {len(row.text):,} characters; here the most is {LONGEST_TEXT:,}"
    return row._replace(text="", record=record, error=problem)


def _line(answer: Answer, fields: Fields, upload: Upload) -> list[Any]:
    """The cells of a row, empty if it could not be read, and those of the answer."""
    answer = answer._replace(row=answer.row._replace(error=answer.row.error and upload.shown(answer.row.error)))
    cells = outputs.cells(answer, fields, text=escaping.spreadsheet_cell)
    return [*outputs.before(answer, fields, text=str), *cells]  # the file's own cells stay as they are


def _csv(lines: Iterable[Iterable[Any]]) -> str:
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows(lines)
    return content.getvalue()
