"""The README's results table: every corpus with both models over several seeds, beside a linear SVM, in one run."""

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

import click
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from textclf.config import PreprocessConfig
from textclf.corpora import SourceOptions, load, splits

README: Final = Path(__file__).parent.parent / "README.md"
BEGIN: Final = "<!-- results: written by scripts/reproduce -->"
END: Final = "<!-- end of results -->"
CORPORA: Final = ("bbc_news",)


def textclf(*arguments: str, folder: Path) -> str:
    """Run the command line as a user would, in a folder of its own; returns what it prints."""
    command = [sys.executable, "-m", "textclf", *arguments]
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def train(corpus: str, model: str, seed: int, *, folder: Path) -> dict[str, Any]:
    """The metrics of a run on the full tier, with default settings."""
    run = textclf("train", "--data", corpus, "--tier", "full", "--model", model, "--seed", str(seed), folder=folder)
    return dict(json.loads((folder / run / "metrics.json").read_text(encoding="utf-8")))


def svm(corpus: str) -> tuple[float, float]:
    """Test accuracy and seconds of TF-IDF of words and pairs into a linear SVM, on train and validation together."""
    usual = PreprocessConfig()
    sizes = {"test_size": usual.test_size, "validation_size": usual.validation_size, "seed": usual.seed}
    parts = splits.complete(load(corpus, options=SourceOptions()).splits, **sizes)
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


def rows(corpus: str, seeds: int, *, folder: Path) -> list[str]:
    """The table's rows for one corpus."""
    textclf("preprocess", corpus, folder=folder)
    made = []
    for model in ("mlp", "lstm"):
        runs = [train(corpus, model, seed, folder=folder) for seed in range(seeds)]
        accuracy = spread([100 * run["test"]["accuracy"] for run in runs], 2)
        macro_f1 = spread([100 * run["test"]["macro_f1"] for run in runs], 2)
        seconds = f"{mean(run['seconds']['total'] for run in runs):.0f}"
        parameters = f"{runs[0]['parameters'] / 1e6:.1f} M"
        made.append(f"| {corpus} | textclf `{model}` | {accuracy} | {macro_f1} | {seconds} | {parameters} |")
    accuracy_of_svm, seconds_of_svm = svm(corpus)
    made.append(f"| {corpus} | TF-IDF + LinearSVC | {100 * accuracy_of_svm:.2f} | | {seconds_of_svm:.0f} | |")
    return made


@click.command()
@click.option("--seeds", type=click.IntRange(min=2), default=3, show_default=True, help="Runs of each model.")
@click.option("--corpus", "corpora", multiple=True, default=CORPORA, show_default=True)
@click.option("--write/--print", default=True, show_default=True, help="Into the README, or to stdout.")
def main(seeds: int, corpora: tuple[str, ...], write: bool) -> None:
    """Train everything in the results table."""
    head = ["| corpus | model | test accuracy, % | macro-F1, % | seconds | parameters |", "|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as name:
        body = [row for corpus in corpora for row in rows(corpus, seeds, folder=Path(name))]
    versions = ", ".join(f"{package} {version(package)}" for package in ("textclf", "torch", "scikit-learn"))
    machine = f"Python {platform.python_version()}, {versions}, {platform.machine()}"
    note = f"Seeds 0 to {seeds - 1}; {datetime.now(UTC):%Y-%m-%d}; {machine}."
    table = "\n".join([*head, *body, "", note])
    if not write:
        click.echo(table)
        return
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
