"""Measures accuracy against documents per label: `textclf train --shots`, and peers on the same texts.

    python scripts/few_labels.py data/reviews data/posts --encoder minilm --unlabelled --output few.jsonl

With ``--unlabelled``, the texts of the training split that were not drawn are learned from, too, without their labels.
Each measurement is a line of the output, which the same command goes on with; then it prints the means as a table.
fastText is measured if it can be imported.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Final

import click
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

import textclf
from textclf.dataset.directory import DataDirectory
from textclf.dataset.originals import texts_of

C: Final = [0.1, 0.3, 1.0, 3.0, 10.0]
"""Values of the tuned SVM's regularisation that are tried."""
FOLDS: Final = 3

Texts = Sequence[str]
Peer = Callable[[Texts, Sequence[int], Texts], Sequence[int]]
"""Learns from texts and labels, and labels other texts."""


def svm(texts: Texts, labels: Sequence[int], others: Texts) -> Sequence[int]:
    """TF-IDF of words into a linear SVM."""
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LinearSVC()).fit(texts, labels)
    return list(map(int, model.predict(others)))


def tuned_svm(texts: Texts, labels: Sequence[int], others: Texts) -> Sequence[int]:
    """TF-IDF of words, pairs and characters into a linear SVM, whose regularisation three folds choose."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    model = make_pipeline(make_union(words, characters), LinearSVC())
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    tuned = GridSearchCV(model, {"linearsvc__C": C}, cv=folds).fit(texts, labels)
    return list(map(int, tuned.predict(others)))


def fasttext(texts: Texts, labels: Sequence[int], others: Texts) -> Sequence[int]:
    """The settings of fastText's own tutorial: pairs of words, 25 epochs, a learning rate of 1."""
    import fasttext as library

    with tempfile.TemporaryDirectory() as folder:
        lines = [f"__label__{label} {' '.join(text.split())}" for label, text in zip(labels, texts, strict=True)]
        source = Path(folder, "train.txt")
        source.write_text("\n".join(lines), encoding="utf-8")
        model = library.train_supervised(str(source), epoch=25, lr=1.0, wordNgrams=2, thread=1, seed=0, verbose=0)
    answers = (model.f.predict(f"{' '.join(text.split())}\n", 1, 0.0, "strict") for text in others)
    return [int(found[0][1].removeprefix("__label__")) if found else 0 for found in answers]


def peers() -> dict[str, Peer]:
    """Those that can be imported."""
    found: dict[str, Peer] = {"TF-IDF + LinearSVC": svm, "tuned word + char SVM": tuned_svm}
    try:
        import fasttext as library  # noqa: F401
    except ImportError:
        return found
    return {**found, "fastText": fasttext}


def others(data: Path, shots: int, seed: int) -> list[str]:
    """The texts of train and validation that were not drawn."""
    opened = DataDirectory.open(data)
    every, drawn = (
        np.concatenate([parts[name].rows for name in ("train", "validation")])
        for parts in (opened.parts("full"), opened.parts("full", shots=shots, seed=seed))
    )
    rows = np.setdiff1d(every, drawn).tolist()
    texts = texts_of(opened, rows)
    return [texts[row] for row in rows]


def measure(
    data: Path, shots: int, seed: int, encoder: str | None, unlabelled: bool
) -> Iterator[tuple[str, Callable[[], float]]]:
    """The name of each method, and what measures its accuracy on the test split in per cent."""

    def ours(**given: Any) -> Callable[[], float]:
        def accuracy() -> float:
            with tempfile.TemporaryDirectory() as folder:
                settings = {"tier": "full", "shots": shots, "seed": seed, "run_dir": folder, "progress": False, **given}
                return 100 * float(textclf.train(data, **settings).metrics["test"]["accuracy"])

        return accuracy

    def with_others() -> float:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "others.jsonl")
            lines = [json.dumps({"text": text}) for text in others(data, shots, seed)]
            file.write_text("\n".join(lines), encoding="utf-8")
            return ours(unlabelled=file, unlabelled_column="text")()

    def of_peer(peer: Peer) -> Callable[[], float]:
        def accuracy() -> float:
            opened = DataDirectory.open(data)
            parts = opened.parts("full", shots=shots, seed=seed)
            rows = np.concatenate([parts["train"].rows, parts["validation"].rows])  # a peer learns from all of them
            classes, texts = opened.classes(), texts_of(opened, [*rows.tolist(), *parts["test"].rows.tolist()])
            known, unseen = ([texts[row] for row in each.tolist()] for each in (rows, parts["test"].rows))
            answers = peer(known, classes[rows].tolist(), unseen)
            return 100 * float(np.mean(np.array(answers) == classes[parts["test"].rows]))

        return accuracy

    yield "`mlp`", ours()
    if encoder is not None:
        yield f"`mlp --encoder {encoder}`", ours(encoder=encoder)
    if unlabelled:
        yield "`mlp --unlabelled`", with_others
    for name, peer in peers().items():
        yield name, of_peer(peer)


def table(measured: Sequence[dict[str, Any]]) -> str:
    """Mean accuracy of each method for each number of documents: first over the draws, then over the corpora."""
    cells: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in measured:
        cells[each["method"], each["shots"]][each["data"]].append(each["accuracy"])
    shots = sorted({shots for _, shots in cells})
    methods = dict.fromkeys(method for method, _ in cells)
    rows = [
        [
            method,
            *(f"{mean(map(mean, cells[method, some].values())):.1f}" if cells[method, some] else "" for some in shots),
        ]
        for method in methods
    ]
    head = ["documents of each label", *(str(some) for some in shots)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--shots", multiple=True, type=int, default=(8, 16, 64), show_default=True, help="Documents per label.")
@click.option("--draws", type=click.IntRange(min=1), default=5, show_default=True, help="Draws of these documents.")
@click.option("--encoder", help="Sentence encoder, as `textclf encoder list` has it.")
@click.option("--unlabelled", is_flag=True, help="Learn from the texts of the training split that were not drawn, too.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="File of the measurements, JSON lines.")
def main(
    data: tuple[Path, ...], shots: tuple[int, ...], draws: int, encoder: str | None, unlabelled: bool, output: Path
) -> None:
    """Measure what is not yet in the output, and print the table."""
    lines = output.read_text(encoding="utf-8").splitlines() if output.exists() else []
    measured = [json.loads(line) for line in lines]
    done = {(each["data"], each["shots"], each["seed"], each["method"]) for each in measured}
    for seed in range(draws):
        for folder, some in ((folder, some) for folder in data for some in shots):
            for method, accuracy in measure(folder, some, seed, encoder, unlabelled):
                if (folder.name, some, seed, method) in done:
                    continue
                found = {"data": folder.name, "shots": some, "seed": seed, "method": method, "accuracy": accuracy()}
                measured.append(found)
                with output.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(found) + "\n")
    click.echo(table(measured))


if __name__ == "__main__":
    main()
