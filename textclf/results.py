"""What `textclf.preprocess` and `textclf.train` return: a data directory and a run, each usable as a path."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from textclf.artefacts import runs
from textclf.errors import TextclfError, UsageError
from textclf.settings import Choice, Rule, checked, paths
from textclf.system import escaping

if TYPE_CHECKING:
    from textclf.dataset.data_report import DataReport
    from textclf.evaluation.evaluate import Evaluation
    from textclf.inference.classifier import Classifier

SPLIT: Final = Rule(str, Choice(("test", "validation")))


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Data:
    """A data directory, ready to train on. It is a path: ``open(data / "manifest.json")``, ``os.fspath(data)``."""

    path: Path

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.path.name

    @property
    def report(self) -> "DataReport":
        """Sizes, labels, lengths and duplicates of each split; raises ArtefactError if it is damaged."""
        from textclf.dataset.data_report import read_report
        from textclf.dataset.manifest import DataLayout

        return read_report(DataLayout(self.path).report)

    @property
    def problems(self) -> list[str]:
        """What makes figures from this data less trustworthy, a sentence each."""
        from textclf.dataset.data_report import problems

        return [problem.sentence for problem in problems(self.report)]

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def __eq__(self, other: object) -> bool:
        return self.path == (other.path if isinstance(other, Data) else other)

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        sizes = []
        with suppress(TextclfError):  # such as of a directory that is gone
            splits = self.report.splits
            sizes = [f"{name}={split.documents}" for name, split in splits.items()]
            sizes.append(f"labels={len(splits['train'].labels)}")
        return f"Data({', '.join([repr(str(self.path)), *sizes])})"

    def _repr_html_(self) -> str:
        report = self.report
        rows = [(label, *(split.labels.get(label, 0) for split in report.splits.values())) for label in _labels(report)]
        totals = ("all", *(split.documents for split in report.splits.values()))
        notes = "".join(f"<li>{_html(sentence)}</li>" for sentence in self.problems)
        return f"<b>{_html(self.path)}</b>{_table(('label', *report.splits), [*rows, totals])}<ul>{notes}</ul>"


class Run:
    """A run of training: ``Run("runs/latest")``. It is a path: ``open(run / "metrics.json")``, ``os.fspath(run)``."""

    __slots__ = ("_layout",)

    def __init__(self, path: str | PathLike[str] = "runs/latest") -> None:
        """Find a run by its directory or by ``runs/latest``; raises UsageError if there is none."""
        self._layout = runs.resolve(checked("path", path, Rule(Path)))

    @property
    def path(self) -> Path:
        """The directory."""
        return self._layout.root

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.path.name

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings it was trained with, by name; raises ArtefactError if they are damaged, like all that follow."""
        settings: Mapping[str, Any] = runs.read_json(self._layout.config)["settings"]
        return settings

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The figures of the finished run, as in metrics.json; raises UsageError if it is not finished."""
        return runs.read_json(self._layout.metrics)

    @property
    def history(self) -> list[dict[str, Any]]:
        """A record per epoch, for ``pandas.DataFrame(run.history)``: epoch, train_loss, train_accuracy and so on."""
        return [_flat(epoch) for epoch in runs.read_lines(self._layout.history)]

    @property
    def is_finished(self) -> bool:
        """Whether training has ended; `textclf.resume` trains a run that was stopped to its end."""
        return self._layout.metrics.exists()

    def load(self, *, code: str | PathLike[str] | Iterable[str | PathLike[str]] = ()) -> "Classifier":
        """The trained model; raises what `textclf.load_model` raises."""
        from textclf.inference.classifier import load_model

        return load_model(self.path, code=code)

    def evaluate(
        self,
        split: Literal["test", "validation"] = "test",
        *,
        code: str | PathLike[str] | Iterable[str | PathLike[str]] = (),
    ) -> "Evaluation":
        """Scores on the validation or test split, with intervals; raises what `predictions.predict` raises."""
        from textclf.evaluation.evaluate import score
        from textclf.evaluation.predictions import predict

        return score(predict(self.path, split=checked("split", split, SPLIT), code=paths("code", code)))

    def report(
        self,
        output: str | PathLike[str] | None = None,
        *,
        split: Literal["test", "validation"] | None = None,
        code: str | PathLike[str] | Iterable[str | PathLike[str]] = (),
        texts: bool = True,
    ) -> Path:
        """Write the report, one HTML file, and return its path; by default ``report.html`` in the run's directory.

        split: None is test or, of a run that was trained without, validation. ``texts``: whether it shows the texts of
        the most confident mistakes, for which the source is read again.
        """
        from textclf.evaluation import report

        path = self._layout.report if output is None else checked("output", output, Rule(Path))
        if path.exists() and not path.is_file():
            raise UsageError(f"output: {path} is not a file; name another")
        chosen = None if split is None else checked("split", split, SPLIT)
        report.write(self.path, path, split=chosen, code=paths("code", code), texts=checked("texts", texts, Rule(bool)))
        return path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def __eq__(self, other: object) -> bool:
        return self.path == (other.path if isinstance(other, Run) else other)

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        figures = []
        with suppress(TextclfError):  # such as of a directory that is gone
            figures = [f"{split}_{name}={value:.4f}" for split, name, value in self._figures()]
        return f"Run({', '.join([repr(str(self.path)), *(figures or ['not finished'])])})"

    def _repr_html_(self) -> str:
        rows = [(split, name, f"{value:.4f}") for split, name, value in self._figures()]
        return f"<b>{_html(self.path)}</b>{_table(('split', 'figure', ''), rows)}"

    def _figures(self) -> list[tuple[str, str, float]]:
        """Accuracy and macro-F1 of test and validation, as far as they are known."""
        metrics = self.metrics if self.is_finished else {}
        return [
            (split, name, metrics[split][name])
            for split in ("test", "validation")
            if split in metrics
            for name in ("accuracy", "macro_f1")
        ]


def _flat(epoch: Mapping[str, Any]) -> dict[str, Any]:
    """A record of an epoch without nesting: ``train_loss`` for the loss in train."""
    flat: dict[str, Any] = {}
    for name, value in epoch.items():
        flat |= {f"{name}_{inner}": each for inner, each in value.items()} if isinstance(value, dict) else {name: value}
    return {"epoch": flat.pop("number"), **flat}


def _labels(report: "DataReport") -> list[str]:
    return list(dict.fromkeys(label for split in report.splits.values() for label in split.labels))


def _table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    cells = "".join(f"<tr>{''.join(f'<td>{_html(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{_html(name)}</th>' for name in head)}</tr>{cells}</table>"


def _html(value: object) -> str:
    return escape(escaping.line(f"{value:,}" if isinstance(value, int) else value))
