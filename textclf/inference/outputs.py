"""The formats that answers are written in. One answer per row, in order; knows nothing about how rows are read.

    text       the label, or with --top-k labels and probabilities separated by tabs
    json       one array of objects
    jsonl      one object per line
    csv        a header, then one row per answer, as it is
    spreadsheet  the same for a program that would take some labels for formulas
    parquet    the same columns, typed
    fasttext   __label__x, or with --top-k __label__x 0.98 __label__y 0.01, as fastText prints them

A row without an answer has an empty line in text and fasttext, and no label in the other formats. Text and fasttext
escape control characters, and JSON does so in its own way; CSV and Parquet keep each label as it is.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, NamedTuple

from textclf.artefacts.artefact import Artefact
from textclf.inference import copied
from textclf.inference.classifier import Prediction, Score
from textclf.sources import LABEL, Row
from textclf.sources.columns import cell_separator
from textclf.system import escaping, failures, files

_SPACE: Final = re.compile(r"\s")

GROUP_ROWS: Final = 16_384
"""Rows per Parquet row group, which are in memory together."""


def separator_of(trained: Artefact) -> str | None:
    """What is between the labels of a cell; None if a text has one."""
    return cell_separator(trained.columns, trained.labels) if trained.is_multi else None


class Answer(NamedTuple):
    """The answer to one row."""

    row: Row
    """Without its text."""
    prediction: Prediction
    """If the row has an error, that of the empty text."""
    rejected: bool
    """Whether the label is not to be trusted."""

    @property
    def label(self) -> str | None:
        """The label; None if it is rejected or the row has an error."""
        return None if self.rejected or self.row.error else self.prediction.label

    @property
    def several(self) -> tuple[Score, ...] | None:
        """The labels, perhaps none, where a text may have several; else None, and if the row has an error."""
        return None if self.row.error else self.prediction.given


Batches = Iterable[list[Answer]]


class Fields(NamedTuple):
    """Which fields the answers have."""

    top_k: int
    """Labels per answer."""
    probabilities: bool
    """Whether fasttext shows them."""
    id: str | None
    """The name of the column of ids. None: the answers have none."""
    rejected: bool
    """Whether labels can be rejected."""
    details: bool
    """Whether tables have columns for more than labels and probabilities."""
    separator: str | None = None
    """What is between the labels of a cell, where a text may have several; None: it has one."""
    copied: Mapping[str, Any] | None = None
    """The columns of the input that come before an answer in a table, with their Arrow types if they have any.

    None: no column is copied.
    """

    @property
    def before(self) -> tuple[str, ...]:
        """The names of what comes before an answer in a table."""
        if self.copied is not None:
            return tuple(self.copied)
        return () if self.id is None else (self.id,)

    def names(self, fields: Iterable[str], before: Iterable[str]) -> dict[str, str]:
        """The name of each field of an answer after columns of these names."""
        return copied.names_of_answer(fields, before, all_columns=self.copied is not None)


def write(batches: Batches, layout: str, fields: Fields, output: Path | None) -> None:
    """Write answers to stdout, or to a file that appears when it is complete. Raises what `failures.naming` raises."""
    if output is None:
        with failures.naming(Path("stdout")):
            WRITERS[layout](batches, sys.stdout, fields)
        return
    with files.replacing(output.resolve()) as file:  # a link stays a link
        if layout == PARQUET:
            write_parquet(batches, file, fields)
            return
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        WRITERS[layout](batches, text, fields)
        text.detach()


# Lines


def _write_lines(batches: Batches, out: IO[str], line: Callable[[Answer], str]) -> None:
    for batch in batches:
        out.write("".join(f"{line(answer)}\n" for answer in batch))  # one write per line doubles the time to predict
        out.flush()


def write_text(batches: Batches, out: IO[str], fields: Fields) -> None:
    """Labels, or labels and probabilities separated by tabs; in a label, white space becomes a space."""
    _write_lines(batches, out, lambda answer: _text(answer, with_probabilities=fields.top_k > 1))


def _text(answer: Answer, *, with_probabilities: bool) -> str:
    if answer.label is None:
        return ""
    if answer.several is not None:
        return "\t".join(
            f"{_on_one_line(label)}\t{probability:.4f}" if with_probabilities else _on_one_line(label)
            for label, probability in answer.several
        )
    if not with_probabilities:
        return _on_one_line(answer.label)
    return "\t".join(f"{_on_one_line(label)}\t{probability:.4f}" for label, probability in answer.prediction.top)


def _on_one_line(label: str) -> str:
    return label if label.isprintable() else escaping.line(_SPACE.sub(" ", label))


def write_fasttext(batches: Batches, out: IO[str], fields: Fields) -> None:
    """What `fasttext predict` or `fasttext predict-prob` prints; white space in a label becomes an underscore."""
    _write_lines(batches, out, lambda answer: _fasttext(answer, with_probabilities=fields.probabilities))


def _fasttext(answer: Answer, *, with_probabilities: bool) -> str:
    if answer.label is None:
        return ""
    scores = answer.prediction.top if answer.several is None else answer.several
    labels = ((f"{LABEL}{escaping.line(_SPACE.sub('_', label))}", score) for label, score in scores)
    if with_probabilities:  # with six digits, as C++ prints a number
        return " ".join(f"{label} {score:g}" for label, score in labels)
    return " ".join(label for label, _ in labels)


def write_jsonl(batches: Batches, out: IO[str], fields: Fields) -> None:
    """One object per line."""
    _write_lines(batches, out, lambda answer: escaping.to_json(_record(answer, fields)))


def write_json(batches: Batches, out: IO[str], fields: Fields) -> None:
    """One array, as `json.dumps` would indent it; it is never in memory as a whole."""
    before = "[\n"
    for answer in chain.from_iterable(batches):
        lines = escaping.to_json(_record(answer, fields), indent=2).split("\n")
        out.write(before + "\n".join(f"  {line}" for line in lines))
        before = ",\n"
    out.write("[]\n" if before == "[\n" else "\n]\n")
    out.flush()


def _record(answer: Answer, fields: Fields) -> dict[str, object]:
    """An answer as a JSON object, after what is copied of its row."""
    before: dict[str, object] = {}
    if fields.copied is not None:
        before = copied.as_json(answer.row)
    elif fields.id is not None:
        before = {fields.id: answer.row.id}
    about = _about(answer, fields)
    names = fields.names(about, before)
    return before | {names[field]: value for field, value in about.items()}


def _about(answer: Answer, fields: Fields) -> dict[str, object]:
    if answer.row.error:
        nothing: dict[str, object] = (
            {"label": None, "probability": None} if fields.separator is None else {"labels": [], "probabilities": []}
        )
        return {**nothing, "top": [], "error": answer.row.error}
    prediction = answer.prediction
    record = as_json(prediction)
    if answer.several is None:
        record["label"] = answer.label
    return record | {"rejected": answer.rejected} if fields.rejected else record


def as_json(prediction: Prediction) -> dict[str, object]:
    """A prediction as a JSON object: its label, or the list of its labels where a text may have several."""
    record = prediction._asdict() | {"top": [score._asdict() for score in prediction.top]}
    given = record.pop("given")
    if given is None:
        return record
    about = {name: value for name, value in record.items() if name not in ("label", "probability")}
    return {
        "labels": [score.label for score in given],
        "probabilities": [score.probability for score in given],
        **about,
    }


# Tables


def write_csv(batches: Batches, out: IO[str], fields: Fields) -> None:
    """A header, then one row per answer. Texts are as they are; on a terminal, their control characters are escaped."""
    _write_csv(batches, out, fields, text=escaping.line if out.isatty() else str)


def write_spreadsheet(batches: Batches, out: IO[str], fields: Fields) -> None:
    """CSV with an apostrophe before each text that would be a formula, and control characters escaped."""
    _write_csv(batches, out, fields, text=escaping.spreadsheet_cell)


def _write_csv(batches: Batches, out: IO[str], fields: Fields, *, text: Callable[[str], str]) -> None:
    import csv

    writer = csv.writer(out, lineterminator="\n")
    for number, batch in enumerate(batches):
        if number == 0:  # with the first answers, so that an error before them leaves stdout empty
            writer.writerow(header(fields, text=text))
        writer.writerows([*before(answer, fields, text=text), *cells(answer, fields, text=text)] for answer in batch)
        out.flush()


def header(fields: Fields, *, text: Callable[[str], str]) -> list[str]:
    """Names of the columns: those of the input, then those of the answer."""
    return [*map(text, fields.before), *fields.names(columns(fields), fields.before).values()]


def before(answer: Answer, fields: Fields, *, text: Callable[[str], str]) -> list[str]:
    """The cells before an answer: what is copied of its row, empty if that could not be read, or its id."""
    if fields.copied is None:
        return [] if fields.id is None else [text(answer.row.id or "")]
    return [text(copied.as_text(answer.row.record.get(name))) for name in fields.copied]


def cells(answer: Answer, fields: Fields, *, text: Callable[[str], str]) -> list[Any]:
    """An answer as cells of CSV under `columns`; ``text`` escapes those that are text."""
    return [_cell(value, text, fields.separator or "") for value in _values(answer, fields)]


def _cell(value: Any, text: Callable[[str], str], separator: str) -> Any:
    if isinstance(value, list):
        return text(separator.join(str(_cell(each, str, separator)) for each in value))
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6f}" if isinstance(value, float) else value


def write_parquet(batches: Batches, file: BinaryIO, fields: Fields, *, group_rows: int = GROUP_ROWS) -> None:
    """The columns of CSV, typed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "text": pa.string(),
        "number": pa.float64(),
        "truth": pa.bool_(),
        "texts": pa.list_(pa.string()),
        "numbers": pa.list_(pa.float64()),
    }
    names = fields.names(columns(fields), fields.before)
    types = [(name, (fields.copied or {}).get(name) or pa.string()) for name in fields.before]
    schema = pa.schema([*types, *((names[name], kinds[kind]) for name, kind in columns(fields).items())])
    rows = ([*_typed(answer, fields), *_values(answer, fields)] for answer in chain.from_iterable(batches))
    with pq.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, group_rows)):
            transposed = zip(*group, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(transposed, schema, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))


def _typed(answer: Answer, fields: Fields) -> list[Any]:
    """What comes before an answer, as values of its types."""
    if fields.copied is None:
        return [] if fields.id is None else [answer.row.id]
    values = ((kind, answer.row.record.get(name)) for name, kind in fields.copied.items())
    return [value if kind or value is None else copied.as_text(value) for kind, value in values]


def columns(fields: Fields) -> dict[str, str]:
    """Fields and kinds of an answer in a table."""
    if fields.separator is not None:
        kinds = {"labels": "texts", "probabilities": "numbers"}
    else:
        kinds = {"label": "text", "probability": "number"}
    for place in range(2, fields.top_k + 1 if fields.separator is None else 0):
        kinds |= {f"label_{place}": "text", f"probability_{place}": "number"}
    if fields.details:
        kinds |= {"unknown": "number", "truncated": "truth", "unlike": "truth"}
    if fields.rejected:
        kinds |= {"rejected": "truth"}
    return kinds | {"error": "text"} if fields.details else kinds


def _values(answer: Answer, fields: Fields) -> list[Any]:
    """An answer by the columns of `columns`."""
    row, prediction = answer.row, answer.prediction
    if row.error:
        nothing = [None] * len(columns(fields))
        return [*nothing[1:], row.error] if fields.details else nothing
    values: list[Any]
    if answer.several is None:
        values = [*chain.from_iterable(prediction.top)]
        values[0] = answer.label
    else:
        values = [[score.label for score in answer.several], [score.probability for score in answer.several]]
    if fields.details:
        values += (prediction.unknown, prediction.truncated, prediction.unlike)
    if fields.rejected:
        values.append(answer.rejected)
    return [*values, None] if fields.details else values


PARQUET: Final = "parquet"
"""The one format that needs a file."""

WRITERS: Final[Mapping[str, Callable[[Batches, IO[str], Fields], None]]] = {
    "text": write_text,
    "json": write_json,
    "jsonl": write_jsonl,
    "csv": write_csv,
    "spreadsheet": write_spreadsheet,
    "fasttext": write_fasttext,
}
"""Formats of text."""
