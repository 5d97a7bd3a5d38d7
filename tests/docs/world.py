"""The files that the commands of the documentation name: small corpora, data directories and runs."""

import csv
import gzip
import json
import random
import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import textclf
from tests.conftest import MY_MODEL

WORDS = {
    "billing": (
        ("invoice", "refund", "charge", "payment"),
        ("arrived twice", "shows the wrong amount", "is still open"),
    ),
    "login": (("password", "account", "reset link", "second factor"), ("is rejected", "has expired", "never works")),
    "printer": (
        ("paper tray", "toner", "driver", "scanner"),
        ("jams every morning", "is empty again", "prints stripes"),
    ),
}
PLACES = ("in Berlin", "at the Madrid office", "for the sales team", "on the third floor", "since Monday")
LABELS = list(WORDS)
Document = tuple[str, str]


def documents() -> list[Document]:
    """Texts and their labels: 180, in random order, no two nearly the same."""
    found = [
        (f"The {thing} {trouble} {place}: case {number * 7919 % 10007} of {thing} {label}{number}", label)
        for label, (things, troubles) in WORDS.items()
        for number, (thing, trouble, place) in enumerate(product(things, troubles, PLACES))
    ]
    random.Random(0).shuffle(found)
    return found


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str = ",") -> None:
    """A CSV or TSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerows([header, *rows] if header else rows)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """A text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_jsonl(path: Path, records: Iterable[Mapping[str, object]]) -> None:
    """A file of JSON lines."""
    write_lines(path, (json.dumps(record) for record in records))


def write_files(root: Path) -> None:
    """The corpora and texts of the pages, in a folder."""
    pairs = documents()
    texts = [text for text, _ in pairs]
    stars = {"billing": "1", "login": "3", "printer": "5"}
    rows = [(str(place), text.split(":")[0], text, stars[label]) for place, (text, label) in enumerate(pairs)]
    write_table(root / "reviews.csv", ("id", "title", "body", "stars"), rows)
    write_table(root / "tickets.csv", ("text", "label"), pairs)
    (root / "articles.csv.gz").write_bytes(gzip.compress((root / "tickets.csv").read_bytes()))
    write_table(root / "pool.csv", ("text",), [(text,) for text in texts[20:]])
    write_table(root / "certain.csv", ("text", "label"), pairs[:40])
    write_table(root / "golden.csv", ("id", "title", "body", "stars"), rows[:60])
    write_table(root / "new.csv", ("id", "body"), [(row[0], row[2]) for row in rows[:20]])
    pq.write_table(pa.table({"id": [row[0] for row in rows], "body": texts}), root / "reviews.parquet")
    for name, some in (("a", texts[:20]), ("b", texts[20:40])):
        write_table(root / "shards" / f"{name}.csv", ("text",), [(text,) for text in some])
    write_lines(root / "headlines.txt", texts[:5])
    write_lines(root / "millions.txt", texts)
    write_jsonl(root / "log.jsonl", ({"text": text} for text in texts[:5]))
    _write_single_label(root, pairs)
    _write_several_labels(root, pairs)


def _write_single_label(root: Path, pairs: list[Document]) -> None:
    write_jsonl(root / "data.jsonl", ({"body": text, "topic": label} for text, label in pairs))
    nested = [{"data": {"text": text}, "annotations": [{"label": label}]} for text, label in pairs]
    (root / "tasks.json").write_text(json.dumps(nested))
    (root / "clinc.json").write_text(json.dumps({"train": pairs[30:], "val": pairs[:15], "test": pairs[15:30]}))
    for name, part in (("train", pairs[30:]), ("test", pairs[:30])):
        write_lines(root / f"cooking.{name}", (f"__label__{label} {text}" for text, label in part))
    write_lines(root / "trec.txt", (f"{label} {text}" for text, label in pairs))
    for place in range(2):
        write_jsonl(root / "data" / f"part{place}.jsonl", ({"text": a, "label": b} for a, b in pairs[place:150:2]))
    write_jsonl(root / "held_out.jsonl", ({"text": text, "label": label} for text, label in pairs[150:]))
    write_lines(root / "tweeteval/emotion/train_text.txt", (text for text, _ in pairs))
    write_lines(root / "tweeteval/emotion/train_labels.txt", (label for _, label in pairs))
    for place, (text, label) in enumerate(pairs):
        write_lines(root / "aclImdb" / ("test" if place < 30 else "train") / label / f"{place}.txt", [text])


def _write_several_labels(root: Path, pairs: list[Document]) -> None:
    several = []
    for place, (text, label) in enumerate(pairs):
        other = pairs[place - 1][1]
        several.append((text, [label, other] if place % 3 == 0 and other != label else [label]))
    write_jsonl(root / "tickets.jsonl", ({"text": text, "labels": labels} for text, labels in several))
    write_table(root / "requests.csv", ("text", "label"), [(text, ";".join(labels)) for text, labels in several])
    emotions = ("anger", "joy", "trust")
    flags = [[str(int(label in labels)) for label in LABELS] for _, labels in several]
    rows = [(str(place), text, *flag) for place, ((text, _), flag) in enumerate(zip(several, flags, strict=True))]
    write_table(root / "emotions.tsv", ("id", "text", *emotions), rows, delimiter="\t")
    write_lines(
        root / "cooking.txt", (" ".join([*(f"__label__{label}" for label in labels), text]) for text, labels in several)
    )


def train(root: Path) -> None:
    """A data directory, finished runs with the names that pages use, and one that was stopped."""
    data = textclf.preprocess(
        root / "reviews.csv",
        text_column="body",
        label_column="stars",
        id_column="id",
        name="NAME",
        data_dir=root / "data",
        validation_size=0.4,
    )
    for seed, name in enumerate(("OLD", "OTHER", "NEW", "NAME")):
        run = textclf.train(data, tier="full", seed=seed, epochs=3, hidden_size=16, run_dir=root / "runs")
        shutil.move(run, root / "runs" / name)
        (root / "runs" / "latest").write_text(name, encoding="utf-8")
    shutil.copytree(root / "runs" / "NAME", root / "runs" / "STOPPED")
    for name in ("metrics.json", "checksums.json"):
        (root / "runs" / "STOPPED" / name).unlink()
    shutil.rmtree(root / "runs" / "STOPPED" / "model")


def make(root: Path) -> None:
    """Everything, in an empty folder; takes seconds."""
    write_files(root)
    (root / "my_model.py").write_text(MY_MODEL)
    (root / "scripts").symlink_to(Path(__file__).resolve().parents[2] / "scripts")
    textclf.preprocess("bbc_news", data_dir=root / "data", progress=False)
    train(root)  # last, so that a command that names no data takes the small corpus
