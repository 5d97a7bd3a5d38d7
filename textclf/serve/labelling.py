"""Labels a whole file that the page sends: read and answered as `textclf predict --input FILE --format csv` does it.

The answer comes in pieces: first the columns of the file, then CSV, and at the end what it comes to.
"""

import csv
import io
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from textclf import sources
from textclf.errors import TextclfError, UsageError
from textclf.inference import outputs, predicting
from textclf.inference.classifier import Classifier, batched
from textclf.inference.outputs import Answer, Fields
from textclf.inference.predicting import Rejection, Tally
from textclf.serve.asgi import Refused
from textclf.sources import Columns, Row
from textclf.system import escaping
from textclf.system.wording import counted

ENDINGS: Final = (
    ".csv", ".tsv", ".txt", ".jsonl", ".tab", ".ndjson", ".ft", ".fasttext", ".train", ".valid", ".test", "",
)  # fmt: skip
KINDS: Final = ("csv", "tsv", "jsonl", "fasttext", "lines")
"""Of files that are read line by line, in little memory."""

LONGEST_TEXT: Final = 1_000_000
"""Characters of a text; a longer one is an error of its row."""

FIELDS: Final = Fields(top_k=1, probabilities=False, id=None, rejected=False, details=True)

Piece = dict[str, Any]


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
        """A message about the file on one line, with the name that the user knows."""
        return escaping.line(" ".join(message.replace(str(self.path), self.name).split()))


def label(classifier: Classifier, upload: Upload, column: int | None) -> Generator[Piece, None, None]:
    """Yield the answer for a file in pieces; an error is the last piece.

    ``column`` is the place of the one that holds the texts. None: it is found as `textclf predict` finds it.
    """
    known = classifier.trained.columns
    try:
        kind, names, text = sources.beginning_of(upload.path, name=upload.name, known=known)
        if kind not in KINDS:
            raise UsageError(f"{upload.name} is {kind}, which is read as a whole: use textclf predict --input FILE")
        if column is not None:
            text = names[column : column + 1]
        yield {"columns": names, "text": text}
        if text or not names:
            asked = Columns() if column is None else Columns(text=text)
            rows = sources.rows(upload.path, name=upload.name, columns=asked, known=known)
            checked = (_checked(row, is_table=bool(names)) for row in rows)
            yield from _labelled(classifier, checked, names, upload)
    except TextclfError as error:
        yield {"error": upload.shown(str(error))}


def _labelled(classifier: Classifier, rows: Iterable[Row], names: tuple[str, ...], upload: Upload) -> Iterator[Piece]:
    """Yield CSV with the answers to the rows, and at the end what they come to."""
    trained, unlike = classifier.trained, 0
    tally = Tally(classifier.labels, several=trained.is_multi)
    fields = FIELDS._replace(separator=outputs.separator_of(trained), copied=dict.fromkeys(names or ("text",)))
    header = outputs.header(fields, text=str)
    for number, batch in enumerate(
        tally.watch(predicting.answer(rows, _predictor(classifier), Rejection(), keeps_records=True))
    ):
        unlike += sum(answer.prediction.unlike and not answer.row.error for answer in batch)
        lines = [_line(answer, fields, upload) for answer in batch]
        yield {"rows": tally.rows, "csv": _csv([header, *lines] if number == 0 else lines)}
    sentences = [upload.shown(sentence) for sentence in tally.summary(with_coverage=False)]
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
