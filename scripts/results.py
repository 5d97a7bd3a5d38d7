"""Measures the accuracies in docs/benchmarks.md: each corpus and model over several seeds, and a linear SVM."""

import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any, Final

import blocks
import click
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from textclf.config import PreprocessConfig
from textclf.dataset import splits
from textclf.sources import SPLITS, Corpus, Document, SourceOptions, load

CORPORA: Final = ("bbc_news", "reuters_r8", "reuters_r52", "20newsgroups")
WIDE_MLP: Final = "[WideMLP](https://arxiv.org/abs/2109.03777), published"
TEXT_GCN: Final = "[TextGCN](https://arxiv.org/abs/1809.05679), which sees the test texts, published"
PUBLISHED: Final = {
    "20newsgroups": {WIDE_MLP: "84.20", TEXT_GCN: "86.34"},
    "reuters_r8": {WIDE_MLP: "97.27", TEXT_GCN: "97.07"},
    "reuters_r52": {WIDE_MLP: "93.98", TEXT_GCN: "93.56"},
}
"""Accuracies of models trained from scratch on the same splits, as published in their papers."""


def textclf(*arguments: str, folder: Path) -> str:
    """Run the command line in a folder; returns its stdout."""
    command = [sys.executable, "-m", "textclf", *arguments]
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def train(corpus: str, model: str, seed: int, *, folder: Path) -> dict[str, Any]:
    """Train on the full tier with default settings; returns the metrics of the run."""
    run = textclf("train", "--data", corpus, "--tier", "full", "--model", model, "--seed", str(seed), folder=folder)
    return dict(json.loads((folder / run / "metrics.json").read_text(encoding="utf-8")))


def divided(corpus: Corpus, **sizes: Any) -> dict[str, list[Document]]:
    """The documents of a corpus in the splits that `textclf preprocess` makes."""
    there = [(place, document) for place, split in enumerate(SPLITS) for document in corpus.splits.get(split, ())]
    texts = splits.number_texts(b"".join(splits.digest(splits.fold(document.text)) for _, document in there))
    labels = np.unique([document.label for _, document in there], return_inverse=True)[1].astype(np.int32)
    found = splits.DocumentCodes(np.array([place for place, _ in there], dtype=np.int8), labels, texts)
    drawn = splits.draw_missing(found, **sizes)
    return {split: [there[row][1] for row in np.flatnonzero(drawn == at)] for at, split in enumerate(SPLITS)}


def svm(corpus: str) -> tuple[float, float]:
    """Test accuracy and seconds of TF-IDF of words and pairs into a linear SVM, on train and validation together."""
    usual = PreprocessConfig()
    sizes = {"test_size": usual.test_size, "validation_size": usual.validation_size, "seed": usual.seed}
    parts = divided(load(corpus, options=SourceOptions()), **sizes)
    known = parts["train"] + parts["validation"]
    begin = perf_counter()
    peer = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LinearSVC(random_state=0))
    peer.fit([document.text for document in known], [document.label for document in known])
    predicted = peer.predict([document.text for document in parts["test"]])
    hits = [guess == document.label for guess, document in zip(predicted, parts["test"], strict=True)]
    return mean(hits), perf_counter() - begin


def spread(values: Sequence[float], digits: int) -> str:
    """Mean ± standard deviation."""
    return f"{mean(values):.{digits}f} ± {stdev(values):.{digits}f}"


def rows(corpus: str, models: Sequence[str], seeds: int, *, folder: Path) -> list[str]:
    """Measure one corpus; returns its rows of the table."""
    textclf("preprocess", corpus, folder=folder)
    made = []
    for model in models:
        runs = [train(corpus, model, seed, folder=folder) for seed in range(seeds)]
        accuracy = spread([100 * run["test"]["accuracy"] for run in runs], 2)
        macro_f1 = spread([100 * run["test"]["macro_f1"] for run in runs], 2)
        seconds = f"{mean(run['seconds']['train'] for run in runs):.0f}"
        parameters = f"{runs[0]['parameters'] / 1e6:.1f} M"
        made.append(f"| {corpus} | textclf `{model}` | {accuracy} | {macro_f1} | {seconds} | {parameters} |")
        click.echo(made[-1], err=True)
    accuracy_of_svm, seconds_of_svm = svm(corpus)
    made.append(f"| {corpus} | TF-IDF + LinearSVC | {100 * accuracy_of_svm:.2f} | | {seconds_of_svm:.0f} | |")
    made += [f"| {corpus} | {name} | {accuracy} | | | |" for name, accuracy in PUBLISHED.get(corpus, {}).items()]
    return made


def merge(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """The rows of the table, with new rows in place of old ones of the same corpus and model."""
    table = {tuple(row.split("|")[1:3]): row for row in (*before, *now)}
    order = [f" {corpus} " for corpus in CORPORA]
    kinds = ["`mlp`", "`lstm`", "`cnn`", "SVC", "WideMLP", "TextGCN"]

    def place(key: tuple[str, ...]) -> tuple[int, int]:
        return order.index(key[0]), next(number for number, kind in enumerate(kinds) if kind in key[1])

    return [table[key] for key in sorted(table, key=place)]


@click.command()
@click.option("--seeds", type=click.IntRange(min=2), default=3, show_default=True, help="Runs of each model.")
@click.option("--corpus", "corpora", multiple=True, default=CORPORA, show_default=True)
@click.option("--model", "models", multiple=True, default=("mlp", "lstm"), show_default=True)
@click.option("--write/--print", default=True, show_default=True, help="Write to docs/benchmarks.md, or to stdout.")
def main(seeds: int, corpora: tuple[str, ...], models: tuple[str, ...], write: bool) -> None:
    """Train the models of the results table; rows of other corpora and models stay as they are."""
    head = [
        "| corpus | model | test accuracy, % | macro-F1, % | training, s | parameters |",
        "|---|---|---|---|---|---|",
    ]
    for corpus in corpora:
        with tempfile.TemporaryDirectory() as name:
            measured = rows(corpus, models, seeds, folder=Path(name))
        shown = [line for line in blocks.read(blocks.RESULTS).splitlines() if line.startswith("| ")]
        old = [line for line in shown if not line.startswith("| corpus ")]
        versions = ", ".join(f"{package} {version(package)}" for package in ("textclf", "torch", "scikit-learn"))
        machine = f"Python {platform.python_version()}, {versions}, {platform.machine()}"
        note = f"Seeds 0 to {seeds - 1}; {datetime.now(UTC):%Y-%m-%d}; {machine}."
        table = "\n".join([*head, *merge(old if write else [], measured), "", note])
        if write:
            blocks.write(blocks.RESULTS, table)
        else:
            click.echo(table)


if __name__ == "__main__":
    main()
