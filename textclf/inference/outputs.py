"""Answers to rows, one each, in order, and the formats they are written in. Knows nothing about files that are read.

    text       the label, or with --top-k labels and probabilities between tabs
    json       one array of objects
    jsonl      an object a line
    csv        a header, then a row an answer
    parquet    the same columns, typed
    fasttext   __label__x, or with --top-k __label__x 0.98 __label__y 0.01, as fastText prints them

A row without an answer has an empty line in text and fasttext, and no label in the others.
"""

import json
import re
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from textclf.inference.classifier import Prediction
from textclf.sources.lines import LABEL, Row

_SPACE: Final = re.compile(r"\s")

Predict = Callable[[Iterable[str]], Iterator[list[Prediction]]]

Answered = Generator[list["Answer"], None, None]

PARQUET_ROWS: Final = 16_384
"""Rows of a row group, which are in memory together."""


class Answer(NamedTuple):
    """What is said of one row."""

    row: Row
    """Without its text."""
    prediction: Prediction
    """Of the empty text, where the row has an error."""
    rejected: bool
    """Whether the label is not to be trusted."""

    @property
    def label(self) -> str | None:
        """The label; None where there is none to give."""
        return None if self.rejected or self.row.error else self.prediction.label


class Shape(NamedTuple):
    """What answers are asked to hold."""

    top: int
    """Labels of each."""
    probabilities: bool
    """Whether fasttext shows them."""
    ids: bool
    """Whether the rows have ids."""
    rejects: bool
    """Whether labels can be rejected."""
    details: bool
    """Whether tables have columns for more than labels and probabilities."""


def answer(rows: Iterable[Row], predict: Predict, *, rejects: Callable[[Prediction], bool]) -> Answered:
    """Answer rows in batches, until it is closed. Texts are forgotten as soon as they are predicted."""
    asked: deque[Row] = deque()

    def texts() -> Iterator[str]:
        for row in rows:
            asked.append(row._replace(text=""))
            yield row.text  # a row with an error is predicted, too: that keeps rows and answers side by side

    for predictions in predict(texts()):
        yield [Answer(asked.popleft(), prediction, rejects(prediction)) for prediction in predictions]


# Figures


class Tally:
    """Counts answers as they go by, for what is said at the end."""

    def __init__(self) -> None:
        self.rows = 0
        self.first_error: str | None = None
        self.errors = 0
        self.rejected = 0
        self.pairs: Counter[tuple[str, str | None]] = Counter()
        """Label of the row and of the answer."""

    def watch(self, batches: Iterable[list[Answer]]) -> Iterator[list[Answer]]:
        """Pass answers through."""
        for batch in batches:
            for each in batch:
                self._count(each)
            yield batch

    def _count(self, given: Answer) -> None:
        self.rows += 1
        if given.row.error:
            self.errors += 1
            self.first_error = self.first_error or given.row.error
            return
        self.rejected += given.rejected
        if given.row.label is not None:
            self.pairs[given.row.label, given.label] += 1

    def score(self) -> str | None:
        """Accuracy and macro-F1 of the rows that have a label, those without an answer apart; None without any."""
        answered = {pair: count for pair, count in self.pairs.items() if pair[1] is not None}
        total, scored = self.pairs.total(), sum(answered.values())
        if not total:
            return None
        if not scored:
            return f"none of {total:,} rows with a label has an answer"
        which = f"{scored:,} rows with a label" if scored == total else f"the {scored:,} that have one and a label"
        return f"accuracy {accuracy(answered):.4f}, macro-F1 {macro_f1(answered):.4f} on {which}"


def accuracy(pairs: Mapping[tuple[str, str | None], int]) -> float:
    """Share of the answers that are right, of counted pairs of label and answer."""
    return sum(count for (label, said), count in pairs.items() if label == said) / sum(pairs.values())


def macro_f1(pairs: Mapping[tuple[str, str | None], int]) -> float:
    """Mean F1 of all labels and answers that there are, as scikit-learn has it; of counts, not of documents."""
    sizes: Counter[str | None] = Counter()
    right: Counter[str | None] = Counter()
    for (label, said), count in pairs.items():
        sizes.update({label: count})
        sizes.update({said: count})
        right[label] += count * (label == said)
    return sum(2 * right[label] / size for label, size in sizes.items()) / len(sizes)


# Formats of lines


def write_text(batches: Iterable[list[Answer]], out: IO[str], shape: Shape) -> None:
    """Labels, or labels and probabilities between tabs; white space in a label is a space."""
    _write_lines(batches, out, partial(_text, top=shape.top))


def _text(given: Answer, *, top: int) -> str:
    if given.label is None:
        return ""
    if top == 1:
        return _on_one_line(given.label)
    return "\t".join(f"{_on_one_line(label)}\t{probability:.4f}" for label, probability in given.prediction.top)


def _on_one_line(label: str) -> str:
    return label if label.isprintable() else _SPACE.sub(" ", label)


def write_fasttext(batches: Iterable[list[Answer]], out: IO[str], shape: Shape) -> None:
    """What `fasttext predict` prints, or `fasttext predict-prob`; white space in a label is an underscore."""
    _write_lines(batches, out, partial(_fasttext, probabilities=shape.probabilities))


def _fasttext(given: Answer, *, probabilities: bool) -> str:
    if given.label is None:
        return ""
    words = []
    for label, probability in given.prediction.top:
        words.append(f"{LABEL}{_SPACE.sub('_', label)}")
        if probabilities:
            words.append(f"{probability:g}")  # six digits, as C++ prints a number
    return " ".join(words)


def write_jsonl(batches: Iterable[list[Answer]], out: IO[str], shape: Shape) -> None:
    """An object a line."""
    _write_lines(batches, out, lambda given: json.dumps(_record(given, shape), ensure_ascii=False))


def _write_lines(batches: Iterable[list[Answer]], out: IO[str], line: Callable[[Answer], str]) -> None:
    for batch in batches:
        out.write("".join(f"{line(given)}\n" for given in batch))  # at once: by lines it takes as long as predicting
        out.flush()


def write_json(batches: Iterable[list[Answer]], out: IO[str], shape: Shape) -> None:
    """One array, as `json.dumps` would indent it; it is never in memory as a whole."""
    before = "[\n"
    for given in chain.from_iterable(batches):
        lines = json.dumps(_record(given, shape), ensure_ascii=False, indent=2).splitlines()
        out.write(before + "\n".join(f"  {line}" for line in lines))
        before = ",\n"
    out.write("[]\n" if before == "[\n" else "\n]\n")
    out.flush()


def _record(given: Answer, shape: Shape) -> dict[str, object]:
    """An answer as JSON holds it."""
    record: dict[str, object] = {"id": given.row.id} if shape.ids else {}
    if given.row.error:
        return {**record, "label": None, "probability": None, "top": [], "error": given.row.error}
    prediction = given.prediction
    record |= prediction._asdict() | {"label": given.label, "top": [score._asdict() for score in prediction.top]}
    return record | {"rejected": given.rejected} if shape.rejects else record


# Tables


def write_csv(batches: Iterable[list[Answer]], out: IO[str], shape: Shape) -> None:
    """A header, then a row an answer."""
    import csv

    writer = csv.writer(out, lineterminator="\n")
    for number, batch in enumerate(batches):
        if number == 0:
            writer.writerow(_columns(shape))
        writer.writerows([_cell(value) for value in _values(given, shape)] for given in batch)
        out.flush()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6f}" if isinstance(value, float) else value


def write_parquet(batches: Iterable[list[Answer]], path: Path, shape: Shape) -> None:
    """The columns of CSV, typed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"text": pa.string(), "number": pa.float64(), "truth": pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in _columns(shape).items()])
    with pq.ParquetWriter(path, schema) as writer:
        for rows in _grouped(chain.from_iterable(batches), shape):
            columns = zip(*rows, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))


def _grouped(answers: Iterator[Answer], shape: Shape) -> Iterator[list[list[Any]]]:
    group: list[list[Any]] = []
    for given in answers:
        group.append(_values(given, shape))
        if len(group) == PARQUET_ROWS:
            yield group
            group = []
    if group:
        yield group


def _columns(shape: Shape) -> dict[str, str]:
    """Names and kinds of the columns of a table."""
    columns = {"id": "text"} if shape.ids else {}
    columns |= {"label": "text", "probability": "number"}
    for place in range(2, shape.top + 1):
        columns |= {f"label_{place}": "text", f"probability_{place}": "number"}
    if shape.details:
        columns |= {"unknown": "number", "truncated": "truth", "unlike": "truth"}
    if shape.rejects:
        columns |= {"rejected": "truth"}
    return columns | {"error": "text"} if shape.details else columns


def _values(given: Answer, shape: Shape) -> list[Any]:
    """An answer by the columns of `_columns`."""
    row, prediction = given.row, given.prediction
    values: list[Any] = [row.id] if shape.ids else []
    if row.error:
        return [*values, *[None] * (len(_columns(shape)) - len(values) - 1), row.error]
    values += chain.from_iterable(prediction.top)
    values[shape.ids] = given.label
    if shape.details:
        values += (prediction.unknown, prediction.truncated, prediction.unlike)
    if shape.rejects:
        values.append(given.rejected)
    return [*values, None] if shape.details else values


LINES: Final[Mapping[str, Callable[[Iterable[list[Answer]], IO[str], Shape], None]]] = {
    "text": write_text,
    "json": write_json,
    "jsonl": write_jsonl,
    "csv": write_csv,
    "fasttext": write_fasttext,
}
"""Formats of text; parquet needs a file."""
