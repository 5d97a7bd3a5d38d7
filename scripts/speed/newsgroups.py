"""Section `newsgroups`: from a CSV file to a saved model, whole processes of textclf and its peers."""

import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from speed import peers
from speed.figures import Row, Sample
from speed.materials import Corpus, Materials, in_turns
from speed.peers import BEST_DIM, BEST_EPOCHS, Command
from speed.processes import Finished, run, textclf, together

OURS, QUICK = "preprocess + train", "preprocess + train --no-refit"


class Trained(NamedTuple):
    """The training of a model, and its accuracy."""

    process: Finished
    accuracy: float
    """On the test split, between 0 and 1."""


def newsgroups(materials: Materials, repeats: int) -> list[Row]:
    """Time, peak memory and test accuracy; textclf also tokenizes and scores the test split."""
    corpus = materials.newsgroups
    peers.install()
    ours = Ours(materials, corpus)
    ways: dict[str, Callable[[], Trained]] = {
        OURS: ours.train,
        QUICK: ours.train_quickly,
        peers.SVM: partial(_with_script, "svm", materials, corpus, corpus.train),
        peers.FASTTEXT: partial(
            _with_script, "fasttext", materials, corpus, corpus.fasttext, str(BEST_EPOCHS), str(BEST_DIM)
        ),
        peers.VW: partial(_with_vw, materials, corpus),
        peers.LIBMULTILABEL: partial(_with_script, "libmultilabel", materials, corpus, corpus.train),
    }
    results = in_turns(ways, repeats)
    against = [name for name in ways if name not in (OURS, QUICK)]
    task = "20newsgroups, CSV to saved model"
    pairs = [(mine, other) for mine in (OURS, QUICK) for other in against]
    times = [Row(f"{task}: time", "s", _time(a, results[a]), _time(b, results[b])) for a, b in pairs]
    memory = [Row(f"{task}: peak memory", "MB", _memory(OURS, results[OURS]), _memory(b, results[b])) for b in against]
    return times + memory


class Ours:
    """`textclf preprocess` and `textclf train`; both ways to train count the preprocessing of their turn."""

    def __init__(self, materials: Materials, corpus: Corpus) -> None:
        self._materials = materials
        self._corpus = corpus
        self._folder = Path()
        self._preprocessed: list[Finished] = []

    def train(self) -> Trained:
        """Preprocess into a new folder, and train on the full tier with default settings."""
        self._folder = self._materials.folder("textclf")
        self._preprocessed.append(preprocess(self._corpus, self._folder))
        return self._train()

    def train_quickly(self) -> Trained:
        """Train without the refit on train + validation, on the data that `train` has just preprocessed."""
        return self._train("--no-refit")

    def _train(self, *options: str) -> Trained:
        done = textclf("train", "--data", "newsgroups", "--tier", "full", *options, folder=self._folder)
        metrics = json.loads((self._folder / done.output / "metrics.json").read_text(encoding="utf-8"))
        return Trained(together([self._preprocessed[-1], done]), metrics["test"]["accuracy"])


def preprocess(corpus: Corpus, folder: Path, *options: str) -> Finished:
    """Run `textclf preprocess` in a folder, with the name newsgroups."""
    return textclf("preprocess", corpus.train, "--test", corpus.test, "--name", "newsgroups", *options, folder=folder)


@cache
def default_run(materials: Materials) -> Path:
    """A run on the full tier with default settings, not measured, for sections that need a model or its history."""
    folder = materials.folder("model")
    preprocess(materials.newsgroups, folder)
    return folder / textclf("train", "--data", "newsgroups", "--tier", "full", folder=folder, memory=False).output


def _with_script(name: str, materials: Materials, corpus: Corpus, train: Path, *options: str) -> Trained:
    """Train with a peer's script, then label the test texts with its other script, untimed."""
    folder = materials.folder(name)
    model = materials.root / f"{name}.model"  # overwritten: that of fastText takes 400 MB
    done = run(peers.script(f"{name}_train", train, model, *options), folder)
    answers = run(peers.script(f"{name}_predict", model, corpus.lines), folder, memory=False).output.splitlines()
    return Trained(done, _accuracy(answers, corpus))


def _with_vw(materials: Materials, corpus: Corpus) -> Trained:
    folder = materials.folder("vw")
    command: Command = peers.vw_train(corpus.vw, folder / "model", classes=len(corpus.classes))
    done = run(command, folder)
    run(peers.vw_predict(folder / "model", corpus.vw_lines, folder / "answers"), folder, memory=False)
    numbers = (folder / "answers").read_text(encoding="utf-8").split()
    return Trained(done, _accuracy([corpus.classes[int(number) - 1] for number in numbers], corpus))


def _accuracy(answers: list[str], corpus: Corpus) -> float:
    hits = [answer == label for answer, label in zip(answers, corpus.answers, strict=True)]
    return sum(hits) / len(hits)


def _time(name: str, results: list[Trained]) -> Sample:
    accuracy = median(result.accuracy for result in results)
    processor = median(result.process.processor for result in results)
    note = f"{accuracy:.2%} accurate; {processor:.1f} s of processor time"
    return Sample(name, tuple(result.process.seconds for result in results), note)


def _memory(name: str, results: list[Trained]) -> Sample:
    peaks = (result.process.memory for result in results)
    return Sample(name, tuple(peak for peak in peaks if peak is not None))
