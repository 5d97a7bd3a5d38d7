"""Measures the accuracies in docs/benchmarks.md: each corpus and model over several seeds, and a linear SVM.

With --encoder, --vectors and --tuned-svm it measures what takes longer, in rows of their own.
"""

import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any, Final

import blocks
import click
import few_labels
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from textclf import encoders
from textclf.config import PreprocessConfig
from textclf.dataset import splits
from textclf.errors import TextclfError
from textclf.sources import SPLITS, Corpus, Document, SourceOptions, load
from textclf.word_vectors import store as vector_store

CORPORA: Final = ("bbc_news", "reuters_r8", "reuters_r52", "20newsgroups")
SVM: Final = "TF-IDF + LinearSVC"
TUNED_SVM: Final = "tuned word + char SVM"
WITH_WORDS: Final = ("lstm", "cnn")
"""Models that take word vectors."""
MOST_TOKENS: Final = 10**9
"""Tokens that an encoder may read of a corpus."""
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


def variants(models: Sequence[str], encoder: str | None, vectors: str | None) -> Iterator[tuple[str, list[str]]]:
    """What is trained: its name in the table, and the options of `textclf train`."""
    for model in models:
        ours = f"textclf `{model}`", ["--model", model]
        yield ours
        if vectors is not None and model in WITH_WORDS:
            yield f"{ours[0]} `--vectors {vectors}`", [*ours[1], "--vectors", vectors]
        if encoder is not None:
            yield (
                f"{ours[0]} `--encoder {encoder}`",
                [*ours[1], "--encoder", encoder, "--encoder-limit", str(MOST_TOKENS)],
            )


def is_there(find: Callable[[str], object], name: str | None) -> str | None:
    """The name of an encoder or of word vectors; None, with a line on stderr, if this user does not have them."""
    if name is None:
        return None
    try:
        find(name)
    except TextclfError as error:
        click.echo(f"left out: {error}", err=True)
        return None
    return name


def train(corpus: str, options: Sequence[str], seed: int, *, tier: str, folder: Path) -> dict[str, Any]:
    """Train with default settings, and these options; returns the metrics of the run."""
    run = textclf("train", "--data", corpus, "--tier", tier, "--seed", str(seed), *options, folder=folder)
    return dict(json.loads((folder / run / "metrics.json").read_text(encoding="utf-8")))


def divided(corpus: Corpus, **sizes: Any) -> dict[str, list[Document]]:
    """The documents of a corpus in the splits that `textclf preprocess` makes."""
    there = [(place, document) for place, split in enumerate(SPLITS) for document in corpus.splits.get(split, ())]
    texts = splits.number_texts(b"".join(splits.digest(splits.fold(document.text)) for _, document in there))
    labels = np.unique([document.label for _, document in there], return_inverse=True)[1].astype(np.int32)
    found = splits.DocumentCodes(np.array([place for place, _ in there], dtype=np.int8), labels, texts)
    drawn = splits.draw_missing(found, **sizes)
    return {split: [there[row][1] for row in np.flatnonzero(drawn == at)] for at, split in enumerate(SPLITS)}


def peer_of_words(texts: few_labels.Texts, labels: Sequence[int], others: few_labels.Texts) -> Sequence[int]:
    """TF-IDF of words and pairs into a linear SVM."""
    peer = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LinearSVC(random_state=0))
    return list(map(int, peer.fit(texts, labels).predict(others)))


def measure(peer: few_labels.Peer, corpus: str) -> tuple[float, float]:
    """Test accuracy and seconds of a peer that learns from train and validation together."""
    usual = PreprocessConfig()
    sizes = {"test_size": usual.test_size, "validation_size": usual.validation_size, "seed": usual.seed}
    parts = divided(load(corpus, options=SourceOptions()), **sizes)
    known, tested = parts["train"] + parts["validation"], parts["test"]
    classes = {label: place for place, label in enumerate(sorted({str(document.label) for document in known}))}
    begin = perf_counter()
    texts, labels = [document.text for document in known], [classes[str(document.label)] for document in known]
    predicted = peer(texts, labels, [document.text for document in tested])
    hits = [guess == classes.get(str(document.label)) for guess, document in zip(predicted, tested, strict=True)]
    return mean(hits), perf_counter() - begin


def spread(values: Sequence[float], digits: int) -> str:
    """Mean ± standard deviation."""
    return f"{mean(values):.{digits}f} ± {stdev(values):.{digits}f}"


def rows(
    corpus: str,
    trained: Sequence[tuple[str, list[str]]],
    seeds: int,
    *,
    peers: Mapping[str, few_labels.Peer],
    tier: str,
    folder: Path,
) -> list[str]:
    """Measure one corpus; returns its rows of the table."""
    textclf("preprocess", corpus, folder=folder)
    made = []
    for model, options in trained:
        runs = [train(corpus, options, seed, tier=tier, folder=folder) for seed in range(seeds)]
        accuracy = spread([100 * run["test"]["accuracy"] for run in runs], 2)
        macro_f1 = spread([100 * run["test"]["macro_f1"] for run in runs], 2)
        seconds = f"{mean(run['seconds']['train'] for run in runs):.0f}"
        parameters = f"{runs[0]['parameters'] / 1e6:.1f} M"
        made.append(f"| {corpus} | {model} | {accuracy} | {macro_f1} | {seconds} | {parameters} |")
        click.echo(made[-1], err=True)
    for name, peer in peers.items():
        of_peer, time = measure(peer, corpus)
        made.append(f"| {corpus} | {name} | {100 * of_peer:.2f} | | {time:.0f} | |")
        click.echo(made[-1], err=True)
    made += [f"| {corpus} | {name} | {accuracy} | | | |" for name, accuracy in PUBLISHED.get(corpus, {}).items()]
    return made


def merge(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """The rows of the table, with new rows in place of old ones of the same corpus and model."""
    table = {tuple(row.split("|")[1:3]): row for row in (*before, *now)}
    order = [f" {corpus} " for corpus in CORPORA]
    kinds = ["`mlp`", "`lstm`", "`cnn`", "SVC", "SVM", "WideMLP", "TextGCN"]

    def place(key: tuple[str, ...]) -> tuple[int, int, str]:
        return order.index(key[0]), next(number for number, kind in enumerate(kinds) if kind in key[1]), key[1]

    return [table[key] for key in sorted(table, key=place)]


@click.command()
@click.option("--seeds", type=click.IntRange(min=2), default=3, show_default=True, help="Runs of each model.")
@click.option("--corpus", "corpora", multiple=True, default=CORPORA, show_default=True)
@click.option("--model", "models", multiple=True, default=("mlp", "lstm"), show_default=True)
@click.option("--encoder", help="Train with this sentence encoder as well, if `textclf encoder list` has it.")
@click.option("--vectors", help="Train lstm and cnn with these word vectors as well, if they are there.")
@click.option("--tuned-svm", is_flag=True, help="Measure an SVM of words, pairs and characters whose C is tuned, too.")
@click.option("--tier", default="full", show_default=True, help="Documents that textclf trains on; the SVMs get all.")
@click.option("--write/--print", default=True, show_default=True, help="Write to docs/benchmarks.md, or to stdout.")
def main(  # noqa: PLR0913 (each is an option)
    *,
    seeds: int,
    corpora: tuple[str, ...],
    models: tuple[str, ...],
    encoder: str | None,
    vectors: str | None,
    tuned_svm: bool,
    tier: str,
    write: bool,
) -> None:
    """Train the models of the results table; rows of other corpora and models stay as they are."""
    if write and tier != "full":
        raise click.UsageError(f"the page has the full tier: --print, or leave out --tier {tier}")
    trained = list(variants(models, is_there(encoders.find, encoder), is_there(vector_store.find, vectors)))
    peers = {SVM: peer_of_words, **({TUNED_SVM: few_labels.tuned_svm} if tuned_svm else {})}
    head = [
        "| corpus | model | test accuracy, % | macro-F1, % | training, s | parameters |",
        "|---|---|---|---|---|---|",
    ]
    for corpus in corpora:
        with tempfile.TemporaryDirectory() as name:
            measured = rows(corpus, trained, seeds, peers=peers, tier=tier, folder=Path(name))
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
