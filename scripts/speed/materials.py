"""Materials of the sections: corpora in the format of each peer, and new folders.

Nothing is deleted before the end. ext4 without a journal, common in virtual machines, creates files up to eighty times
as slowly (0.6 instead of 0.008 ms) for minutes after many files were deleted, since it steps over each inode freed
recently; the next turn would measure that. So each turn writes to a new folder, and all folders are deleted at the end.
After other work that deletes many files, wait six minutes; the table shows the time of bare files next to that of
`textclf preprocess`.
"""

import csv
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, count, islice
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import click

from textclf.sources import SourceOptions, load

SEED: Final = 0
WORDS: Final = 50_000  # of the synthetic language
LABELS: Final = ("arts", "economy", "science", "sport", "world")

Result = TypeVar("Result")


class Text(NamedTuple):
    """A document on one line, so that every peer can read it."""

    text: str
    label: str


class Corpus(NamedTuple):
    """Files of a corpus with a test split; formats other than CSV are converted from the same texts, untimed."""

    train: Path
    test: Path
    fasttext: Path
    """Training documents as fastText lines."""
    vw: Path
    """Training documents for Vowpal Wabbit, with class numbers from 1."""
    lines: Path
    """Test texts without labels, one per line."""
    vw_lines: Path
    """The same for Vowpal Wabbit."""
    answers: list[str]
    """The labels of the test texts."""
    classes: list[str]
    """Class n of Vowpal Wabbit is at index n - 1."""


@dataclass(eq=False)
class Materials:
    """A temporary folder, with the files that sections share, created on first use."""

    root: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def folder(self, name: str) -> Path:
        """Create a new folder."""
        made = self.root / f"{next(self._numbers):03}-{name}"
        made.mkdir()
        return made

    @cached_property
    def newsgroups(self) -> Corpus:
        """20 Newsgroups, the training documents in random order."""
        splits = load("20newsgroups", options=SourceOptions()).splits
        train, test = (
            [Text(" ".join(document.text.split()), str(document.label)) for document in splits[name]]
            for name in ("train", "test")
        )
        random.Random(SEED).shuffle(train)  # noqa: S311 (no secret)
        return _corpus(self.folder("20newsgroups"), train, test)

    def generated(self, documents: int, length: int) -> Path:
        """A CSV file of synthetic documents with ``length`` words each."""
        path = self.root / f"generated-{documents}-{length}.csv"
        if not path.exists():
            click.echo(f"generating {documents:,} documents of {length} words ...", err=True)
            _write_csv(path, invented(documents, length))
        return path


def first_lines(path: Path, lines: int) -> Path:
    """Write the first lines of a text file to a new file next to it."""
    shorter = path.with_name(f"{path.stem}-{lines}{path.suffix}")
    with path.open(encoding="utf-8") as file:
        shorter.write_text("".join(islice(file, lines)), encoding="utf-8")
    return shorter


def repeated(path: Path, times: int) -> Path:
    """Write a text file several times over to a new file next to it."""
    longer = path.with_name(f"{path.stem}-times-{times}{path.suffix}")
    longer.write_text(path.read_text(encoding="utf-8") * times, encoding="utf-8")
    return longer


def invented(documents: int, length: int) -> Iterator[Text]:
    """Yield synthetic documents with word frequencies as in a real language (Zipf's law).

    One word in ten is one of two hundred that occur only with the document's label, and every tenth word ends with a
    full stop.
    """
    generator = random.Random(SEED)  # noqa: S311 (no secret)
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    words = ["".join(generator.choices(letters, k=generator.randint(2, 10))) for _ in range(WORDS)]
    weights = list(accumulate(1 / (rank + 10) for rank in range(WORDS)))
    topics = {label: [f"{label}{word}" for word in words[:200]] for label in LABELS}
    for _ in range(documents):
        label = generator.choice(LABELS)
        chosen = generator.choices(words, cum_weights=weights, k=length)
        chosen[::10] = generator.choices(topics[label], k=len(chosen[::10]))
        chosen[9::10] = [f"{word}." for word in chosen[9::10]]
        yield Text(" ".join(chosen), label)


def in_turns(ways: dict[str, Callable[[], Result]], repeats: int) -> dict[str, list[Result]]:
    """Call the ways in turns, A B A B; returns the results of each."""
    results: dict[str, list[Result]] = {name: [] for name in ways}
    for turn in range(repeats):
        for name, way in ways.items():
            click.echo(f"  turn {turn + 1} of {repeats}: {name}", err=True)
            results[name].append(way())
    return results


def _corpus(folder: Path, train: Sequence[Text], test: Sequence[Text]) -> Corpus:
    classes = sorted({document.label for document in train})
    numbers = {label: number for number, label in enumerate(classes, start=1)}
    made = Corpus(
        train=folder / "train.csv",
        test=folder / "test.csv",
        fasttext=folder / "train.ft",
        vw=folder / "train.vw",
        lines=folder / "test.txt",
        vw_lines=folder / "test.vw",
        answers=[document.label for document in test],
        classes=classes,
    )
    _write_csv(made.train, train)
    _write_csv(made.test, test)
    _write_lines(made.fasttext, (f"__label__{document.label} {document.text}" for document in train))
    _write_lines(made.vw, (f"{numbers[document.label]} | {_for_vw(document.text)}" for document in train))
    _write_lines(made.lines, (document.text for document in test))
    _write_lines(made.vw_lines, (f"| {_for_vw(document.text)}" for document in test))
    return made


def _for_vw(text: str) -> str:
    """The text without the two characters with a meaning in the format of Vowpal Wabbit."""
    return text.replace(":", " ").replace("|", " ")


def _write_csv(path: Path, documents: Iterable[Text]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Text._fields)
        writer.writerows(documents)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
