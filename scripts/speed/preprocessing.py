"""Sections `preprocess` and `scale`: speed of `textclf preprocess` on synthetic documents, few and many."""

from typing import Final

import click

from speed.figures import Row, Sample
from speed.materials import Materials
from speed.parts import measured_inside
from speed.processes import Finished, textclf, together

DOCUMENTS: Final = 50_000
LENGTH: Final = 200  # words
MANY, FEW, SHORT = 1_000_000, 100_000, 20  # documents, documents, words of each


def preprocess(materials: Materials, repeats: int) -> list[Row]:
    """Documents per second from CSV to a data directory; the tokenizer alone and the disk alone, in one process."""
    source = materials.generated(DOCUMENTS, LENGTH)
    ours: list[float] = []
    alone: list[float] = []
    files: list[float] = []
    for turn in range(repeats):
        click.echo(f"  turn {turn + 1} of {repeats}", err=True)
        done = textclf("preprocess", source, "--name", "generated", folder=materials.folder("preprocess"))
        ours.append(DOCUMENTS / done.seconds)
        alone += measured_inside("encode", source).by_way["tokenizer"]
        files += measured_inside("files", materials.folder("files")).by_way["files"]
    measure = f"`preprocess` of {DOCUMENTS:,} documents of {LENGTH} words"
    all_of_it = Sample("all of it, whole process", tuple(ours))
    peers = {"its tokenizer alone, one process": alone, "such files alone: open, write, close": files}
    return [Row(measure, "documents/s", all_of_it, Sample(name, tuple(values))) for name, values in peers.items()]


def scale(materials: Materials, _repeats: int) -> list[Row]:
    """Preprocessing and one epoch of the mlp on 100,000 and on 1,000,000 documents; takes minutes and gigabytes."""
    few, many = (_through(materials, documents) for documents in (FEW, MANY))
    names = [f"{documents:,} documents" for documents in (MANY, FEW)]
    task = f"`preprocess` and an epoch of the `mlp`, {SHORT}-word documents"
    rows = [Row(f"{task}: time", "s", Sample(names[0], (many.seconds,)), Sample(names[1], (few.seconds,)))]
    if many.memory is not None and few.memory is not None:
        samples = Sample(names[0], (many.memory,)), Sample(names[1], (few.memory,))
        rows.append(Row(f"{task}: peak memory", "MB", *samples))
    return rows


def _through(materials: Materials, documents: int) -> Finished:
    source = materials.generated(documents, SHORT)
    folder = materials.folder(f"scale-{documents}")
    click.echo(f"  {documents:,} documents", err=True)
    made = textclf("preprocess", source, "--name", "generated", folder=folder)
    options = ("--tier", "full", "--model", "mlp", "--epochs", "1", "--no-refit")
    return together([made, textclf("train", "--data", "generated", *options, folder=folder)])
