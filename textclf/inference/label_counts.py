"""Counts labels of rows and labels that they got, where both may be several, and scores them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from textclf.system.wording import counted

COUNTERS: Final = ("labelled", "given", "right")


class LabelCounts:
    """F1 of rows whose labels are known; keeps three numbers per label."""

    def __init__(self) -> None:
        self.rows = 0
        self.exact = 0
        """Rows that got all of their labels and no other."""
        self.labelled: Counter[str] = Counter()
        self.given: Counter[str] = Counter()
        self.right: Counter[str] = Counter()

    def add(self, labels: Iterable[str], given: Iterable[str]) -> None:
        """Count a row with these labels that got those."""
        own, answers = {*labels}, {*given}
        self.rows += 1
        self.exact += own == answers
        self.labelled.update(own)
        self.given.update(answers)
        self.right.update(own & answers)

    def join(self, other: "LabelCounts") -> None:
        """Count the rows of another, too."""
        self.rows += other.rows
        self.exact += other.exact
        for name in COUNTERS:
            getattr(self, name).update(getattr(other, name))

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON."""
        return {"rows": self.rows, "exact": self.exact, **{name: dict(getattr(self, name)) for name in COUNTERS}}

    @classmethod
    def of_json(cls, numbers: Mapping[str, Any]) -> "LabelCounts":
        """What `to_json` returned."""
        made = cls()
        made.rows, made.exact = numbers["rows"], numbers["exact"]
        for name in COUNTERS:
            getattr(made, name).update(numbers[name])
        return made

    def micro_f1(self) -> float:
        """F1 over all pairs of a row and a label together."""
        return 2 * self.right.total() / max(self.labelled.total() + self.given.total(), 1)

    def macro_f1(self) -> float:
        """Mean F1 over all labels that occur, of rows or of answers."""
        sizes = self.labelled + self.given
        return sum(2 * self.right[label] / size for label, size in sizes.items()) / max(len(sizes), 1)

    def score(self) -> str:
        """The figures in a sentence."""
        return (
            f"micro-F1 {self.micro_f1():.4f}, macro-F1 {self.macro_f1():.4f}, all labels right for "
            f"{self.exact / max(self.rows, 1):.2%} of {counted(self.rows, 'row')} with labels"
        )
