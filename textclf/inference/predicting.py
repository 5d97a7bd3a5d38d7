"""One prediction run: rows in, answers out, one each and in order, and the figures that sum them up."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from textclf import sources
from textclf.artefacts.artefact import Abstention, Artefact
from textclf.errors import DataError, UsageError
from textclf.inference.classifier import Prediction
from textclf.inference.foreign_labels import describe_foreign
from textclf.inference.label_counts import LabelCounts
from textclf.inference.outputs import Answer
from textclf.sources import Columns, Row
from textclf.sources.columns import Roles, find_columns
from textclf.sources.document import is_empty, refuse_empty
from textclf.system.wording import counted, form

MOST_SHOWN: Final = 300
"""Characters of a row's error in the summary."""

NO_COLUMNS: Final = ("lines", "fasttext", "stdin")
"""Formats of input without columns."""

Predict = Callable[[Iterable[str]], Iterator[list[Prediction]]]
"""Texts to predictions, in batches and in order."""

Pairs = Mapping[tuple[str, str | None], int]
"""Number of rows by their own label and the label of their answer."""

Warn = Callable[[str], None]
"""Shows a message, once."""

OnRead = Callable[[int], None]
"""Gets the number of bytes each time that some are read."""


class Rejection(NamedTuple):
    """Which predictions are not to be trusted."""

    below: float = 0
    """Predictions less probable than this."""
    unlike: bool = False
    """Whether to reject texts unlike the corpus."""
    most: int | None = None
    """Maximum number of labels, where a text may have several."""

    @classmethod
    def of(cls, abstention: Abstention, *, below: float | None, target_precision: float | None) -> "Rejection":
        """A minimum probability, or the learned threshold of a precision; raises what `Abstention.threshold` raises."""
        if target_precision is None:
            return cls(below or 0)
        return cls(max(below or 0, abstention.threshold(target_precision)), unlike=True)

    def applied(self, prediction: Prediction) -> Prediction:
        """The prediction of several labels without those that are rejected, at most ``most`` of them."""
        if prediction.given is None or (self == NONE_REJECTED):
            return prediction
        if self.unlike and prediction.unlike:
            return prediction._replace(given=())
        kept = tuple(score for score in prediction.given if score.probability >= self.below)
        return prediction._replace(given=kept[: self.most])

    def applies(self, prediction: Prediction) -> bool:
        """Whether to reject this prediction; of several labels, each is rejected by itself."""
        if prediction.given is not None:
            return False
        return prediction.probability < self.below or (self.unlike and prediction.unlike)


NONE_REJECTED: Final = Rejection()


def answer(
    rows: Iterable[Row], predict: Predict, rejection: Rejection, *, keeps_records: bool = False
) -> Generator[list[Answer], None, None]:
    """Answer rows in batches, until it is closed. Each text, and each record, is dropped as soon as it is predicted."""
    pending: deque[Row] = deque()

    def texts() -> Iterator[str]:
        for row in rows:
            pending.append(row._replace(text="") if keeps_records else row._replace(text="", record={}))
            yield row.text  # rows with an error are predicted, too, to keep rows and predictions in step

    for predictions in predict(texts()):
        yield [
            Answer(pending.popleft(), rejection.applied(prediction), rejection.applies(prediction))
            for prediction in predictions
        ]


class Tally:
    """Counts the answers of a model with these labels as they pass by."""

    def __init__(self, labels: Collection[str], *, several: bool = False) -> None:
        self.labels = frozenset(labels)
        self.several = LabelCounts() if several else None
        """Of a model whose answers may have several labels."""
        self.rows = 0
        self.errors = 0
        self.first_error = ""
        self.rejected = 0
        self.pairs: Counter[tuple[str, str | None]] = Counter()
        """Label of the row and of the answer."""

    def watch(self, batches: Iterable[list[Answer]]) -> Iterator[list[Answer]]:
        """Pass answers through."""
        for batch in batches:
            for each in batch:
                self._count(each)
            yield batch

    def _count(self, answer: Answer) -> None:
        self.rows += 1
        if answer.row.error:
            self.errors += 1
            self.first_error = self.first_error or answer.row.error
            return
        self.rejected += answer.rejected
        if self.several is not None:
            if answer.row.label is not None or answer.row.has_labels:
                self.several.add(answer.row.labels, answer.prediction.labels)
        elif answer.row.label is not None:
            self.pairs[answer.row.label, answer.label] += 1

    def join(self, other: "Tally") -> None:
        """Count the answers of another one, of the same model, after these."""
        self.rows += other.rows
        self.errors += other.errors
        self.first_error = self.first_error or other.first_error
        self.rejected += other.rejected
        self.pairs.update(other.pairs)
        if self.several is not None and other.several is not None:
            self.several.join(other.several)

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON."""
        return {
            "rows": self.rows,
            "errors": self.errors,
            "first_error": self.first_error,
            "rejected": self.rejected,
            "pairs": [[label, answer, count] for (label, answer), count in self.pairs.items()],
            "several": None if self.several is None else self.several.to_json(),
        }

    @classmethod
    def of_json(cls, labels: Collection[str], numbers: Mapping[str, Any]) -> "Tally":
        """What `to_json` returned, of a model with these labels."""
        made = cls(labels)
        for name in ("rows", "errors", "first_error", "rejected"):
            setattr(made, name, numbers[name])
        made.pairs.update({(label, answer): count for label, answer, count in numbers["pairs"]})
        made.several = None if numbers["several"] is None else LabelCounts.of_json(numbers["several"])
        return made

    def summary(self, *, with_coverage: bool) -> list[str]:
        """Sentences about the rows: unreadable ones, how many have an answer, unknown labels, and the score."""
        sentences = []
        if self.errors:
            error = " ".join(self.first_error.split())[:MOST_SHOWN]
            sentences.append(f"{self.errors:,} of {counted(self.rows, 'row')} could not be read, the first: {error}")
        if with_coverage:
            answered = self.rows - self.errors - self.rejected
            coverage = answered / max(self.rows, 1)
            have = form(answered, "has", "have")
            sentences.append(f"{answered:,} of {counted(self.rows, 'row')} {have} an answer ({coverage:.2%})")
        if self.several is not None:
            return [*sentences, *self._figures_of_several(self.several)]
        return [*sentences, *self._figures()] if self.pairs else sentences

    def _figures_of_several(self, several: LabelCounts) -> list[str]:
        """The score of rows that have labels, and the labels that the model does not have."""
        if not several.labelled:  # lines without a label are no rows that none applies to
            return []
        foreign = describe_foreign(several.labelled, self.labels)
        return [*([foreign] if foreign else []), several.score()]

    def _figures(self) -> list[str]:
        """The score, unless the model has none of the rows' labels, and the labels that it does not have."""
        counts: Counter[str] = Counter()
        for (label, _), count in self.pairs.items():
            counts[label] += count
        foreign = describe_foreign(counts, self.labels)
        has_some = not self.labels.isdisjoint(counts)
        return [*([foreign] if foreign else []), *([self.score()] if has_some else [])]

    def score(self) -> str:
        """Accuracy and macro-F1 of the rows that have both a label and an answer; at least one row has a label."""
        answered = {pair: count for pair, count in self.pairs.items() if pair[1] is not None}
        total, scored = self.pairs.total(), sum(answered.values())
        if not scored:
            return f"none of {counted(total, 'row')} with a label has an answer"
        which = "with a label" if scored == total else "with a label and an answer"
        return (
            f"accuracy {accuracy(answered):.4f}, macro-F1 {macro_f1(answered):.4f} on {counted(scored, 'row')} {which}"
        )


def accuracy(pairs: Pairs) -> float:
    """Share of the answers that are right."""
    return sum(count for (label, answer), count in pairs.items() if label == answer) / sum(pairs.values())


def macro_f1(pairs: Pairs) -> float:
    """Mean F1 over all labels and answers that occur, as scikit-learn computes it from single documents."""
    sizes: Counter[str | None] = Counter()
    right: Counter[str | None] = Counter()
    for (label, answer), count in pairs.items():
        sizes.update({label: count})
        sizes.update({answer: count})
        right[label] += count * (label == answer)
    return sum(2 * right[label] / size for label, size in sizes.items()) / len(sizes)


def columns_of(trained: Artefact, names: Sequence[str]) -> Roles:
    """The columns that `predict` takes of a table with columns of these names.

    Those of the training documents where they are present, else those with usual names; raises UsageError if none of
    the names is that of a text.
    """
    return find_columns(Columns(), names, where="the table", needs_label=False, known=trained.columns)


class Reading(NamedTuple):
    """How a file to predict is read."""

    kind: str = "auto"
    """Its format: see `sources.rows`."""
    part: str | None = None
    """The list of documents in JSON, or the sheet, where it has several."""
    columns: Columns = Columns()
    """Those asked for."""
    known: Columns = Columns()
    """Those of the training documents, taken where nothing is asked for and the file has them."""
    strict: bool = False
    """Whether a row that cannot be read is an error of the whole file."""
    several: bool = False
    """Whether all labels of a row count, not only the first."""
    all_columns: bool = False
    """Whether the rows are copied."""

    def described(self, file: Path) -> tuple[str, Columns]:
        """The format of a file and the columns that are taken; raises what `sources.rows` raises."""
        return sources.described(file, kind=self.kind, columns=self.columns, known=self.known, part=self.part)


def column_of_ids(files: Iterable[Path], reading: Reading) -> str | None:
    """The column of ids that is asked for, or the one of the training documents, if a file has it; None: no ids.

    Raises what `sources.rows` raises.
    """
    asked, known = reading.columns, reading.known
    if asked.id is not None or known.id is None:
        return asked.id
    found = (reading.described(file)[1].id for file in files if file != Path("-"))
    return next((name for name in found if name is not None), None)


def copied_columns(files: Sequence[Path], reading: Reading, *, into_table: bool) -> dict[str, object]:
    """The columns that are copied into a table, with their Arrow types if they have any; empty for objects of JSON.

    Raises UsageError if a file has no columns or others than the first, and what `sources.copied` raises.
    """
    kinds = [reading.described(file)[0] for file in files]
    for file, kind in zip(files, kinds, strict=True):
        if kind in NO_COLUMNS:
            raise UsageError(f"{file} has a text per line and no columns to keep: leave out --keep-columns")
    if not into_table:
        return {}
    first, *others = (
        sources.copied(file, kind=kind, columns=reading.columns, known=reading.known, part=reading.part)
        for file, kind in zip(files, kinds, strict=True)
    )
    for file, columns in zip(files[1:], others, strict=True):
        if columns != first:
            raise UsageError(f"{file} has other columns than {files[0]}: predict each by itself, or add --format jsonl")
    return first


def rows(
    texts: Iterable[str], files: Iterable[Path], reading: Reading, *, warn: Warn, on_read: OnRead | None = None
) -> Iterator[Row]:
    """The rows of texts, then those of files; ``-`` is stdin, both as a text and as a file.

    Raises DataError at a line of stdin that is not text and, if strict, at a row without a text that can be read.
    """
    yield from _rows_of_texts(texts, reading)
    is_warned = reading.several
    for file in files:
        of_file = sources.rows(
            file,
            kind=reading.kind,
            columns=reading.columns,
            known=reading.known,
            warn=warn,
            part=reading.part,
            all_columns=reading.all_columns,
            on_read=on_read,
        )
        for row in of_file:
            if row.error and reading.strict:
                raise DataError(row.error)
            if row.other_labels and not is_warned:
                is_warned = True
                warn(f"{row.place}: more than one label; here and in the rows that follow, the first counts")
            yield row


def _rows_of_texts(texts: Iterable[str], reading: Reading) -> Iterator[Row]:
    of_stdin = Columns(encoding=reading.columns.encoding)
    for number, text in enumerate(texts, start=1):
        given = [refuse_empty(Row(text, is_blank=is_empty(text), place=f"text {number}"))]
        for row in sources.rows(Path("-"), kind="lines", columns=of_stdin) if text == "-" else given:
            if row.error and (reading.strict or not row.is_blank):
                raise DataError(row.error)
            yield row


def texts_of(rows: Iterable[Row]) -> Iterator[str]:
    """The texts of rows; raises DataError at a row that could not be read."""
    for row in rows:
        if row.error:
            raise DataError(row.error)
        yield row.text
