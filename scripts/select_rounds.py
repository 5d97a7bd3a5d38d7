"""What choosing the texts to label is worth: trains on more and more of them, chosen or random; draws docs/select.svg.

    python scripts/select_rounds.py                         draw the picture, and write the table of docs/select.md
    python scripts/select_rounds.py --measure reuters_r8    measure a corpus first, and record it in docs/select.json

Each round trains the default model on all texts that have a label, scores it on the corpus's test split, and chooses
the next texts from the rest of a pool of training documents. Nothing is chosen by the scores.
"""

import csv
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Final, Literal

import blocks
import click
import numpy as np

import textclf
from textclf.dataset.directory import DataDirectory
from textclf.dataset.originals import texts_of

RECORD: Final = blocks.PROJECT / "docs" / "select.json"
PICTURE: Final = blocks.PROJECT / "docs" / "select.svg"
Way = Literal["random", "margin"]
WAYS: Final[tuple[Way, ...]] = ("random", "margin")
EACH: Final = 50
"""Texts that get a label before each round."""
ROUNDS: Final = 11
POOL: Final = 2_000
"""Training documents to choose from, at most."""
SHOWN: Final = (0, 1, 3, 5, 7, 10)
"""Rounds in the table."""

Document = tuple[str, str]


def documents(data: DataDirectory, split: str) -> list[Document]:
    """Texts and labels of a split."""
    rows = data.rows(split)
    texts = texts_of(data, rows.tolist())
    return [(texts[row], str(data.documents.label_of(row))) for row in rows.tolist() if texts.get(row)]


def write(path: Path, rows: Iterable[Document]) -> str:
    """A CSV file of documents."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(path)


def rounds(train: Sequence[Document], test: Sequence[Document], *, by: Way, seed: int) -> Iterator[float]:
    """Test accuracy after each round."""
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(train))[:POOL].tolist()
    labelled, pool = [train[place] for place in order[:EACH]], [train[place] for place in order[EACH:]]
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            files = {name: write(Path(folder) / f"{name}.csv", rows) for name, rows in (("a", labelled), ("b", test))}
            data = textclf.preprocess(files["a"], test=files["b"], data_dir=folder, name="round", progress=False)
            run = textclf.train(data, tier="full", run_dir=folder, seed=seed, progress=False)
            yield run.metrics["test"]["accuracy"]
            texts = [text for text, _ in pool]
            chosen = textclf.select(texts, n=EACH, by=by, seed=seed * ROUNDS + number, run=run).chosen
        places = {int(each.id) for each in chosen}
        labelled += [pool[place] for place in sorted(places)]
        pool = [document for place, document in enumerate(pool) if place not in places]


def measure(corpus: str, seeds: Sequence[int]) -> dict[str, Any]:
    """The curves of a corpus, by way and seed."""
    with tempfile.TemporaryDirectory() as folder:
        found = textclf.preprocess(corpus, data_dir=folder, progress=False)
        data = DataDirectory.open(found.path)
        train, test = documents(data, "train"), documents(data, "test")
        curves: dict[Way, list[list[float]]] = {by: [] for by in WAYS}
        for seed in seeds:
            for by in WAYS:
                curves[by].append(list(rounds(train, test, by=by, seed=seed)))
                click.echo(f"{corpus} {by} {seed}: {curves[by][-1]}")
        return {"labels": len(data.manifest.labels), "pool": min(len(train), POOL), "test": len(test), "curves": curves}


def table(record: Mapping[str, Any]) -> str:
    """Accuracy in per cent after some of the rounds."""
    sizes = [EACH * (number + 1) for number in SHOWN]
    lines = [f"| corpus | by | {' | '.join(map(str, sizes))} |", "|---|---|" + "---|" * len(sizes)]
    for corpus, found in record.items():
        for by, curves in found["curves"].items():
            cells = [f"{100 * mean(curve[number] for curve in curves):.1f}" for number in SHOWN]
            about = f"{corpus} ({found['pool']:,} texts, {found['labels']} labels; {len(curves)} seeds)"
            lines.append(f"| {about if by == WAYS[0] else ''} | {by} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(record: Mapping[str, Any]) -> None:
    """A panel for each corpus: the mean over seeds, and the area between the lowest and the highest."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"svg.hashsalt": "select", "font.size": 11})
    figure, panels = plt.subplots(1, len(record), figsize=(2.6 * len(record), 2.9), squeeze=False)
    sizes = EACH * (1 + np.arange(ROUNDS))
    for panel, (corpus, found) in zip(panels[0], record.items(), strict=True):
        for by, colour in zip(WAYS, ("#7f7f7f", "#1f77b4"), strict=True):
            curves = 100 * np.array(found["curves"][by])
            panel.fill_between(sizes, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.2, linewidth=0)
            panel.plot(sizes, curves.mean(axis=0), color=colour, label=by)
        panel.set(title=corpus, xlabel="labelled texts", xticks=(100, 300, 500))
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("test accuracy (%)")
    panels[0][0].legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(PICTURE, metadata={"Date": None})


@click.command(help=__doc__)
@click.option("--measure", "corpora", multiple=True, metavar="CORPUS", help="Corpus to measure first; repeatable.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Number of seeds.")
def main(corpora: tuple[str, ...], seeds: int) -> None:
    """Measure, record, draw."""
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for corpus in corpora:
        record[Path(corpus).stem] = measure(corpus, range(seeds))
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
    draw(record)
    blocks.write(blocks.SELECT, table(record))


if __name__ == "__main__":
    main()
