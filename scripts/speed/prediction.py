"""Section `predict`: the time of one text as a whole process, and the rate of many texts without the start."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from speed import peers
from speed.figures import Row, Sample
from speed.materials import Corpus, Materials, first_lines, in_turns, repeated
from speed.newsgroups import default_run
from speed.peers import Command, script
from speed.processes import TEXTCLF, run

FASTTEXT: Final = f"{peers.FASTTEXT}, its default width"
IMPORT: Final = '`python -c "import torch"`'
OURS: Final = '`textclf predict "text"`'
TEXT: Final = "The shuttle will carry the telescope into orbit next spring"
WARM_UP: Final = 1  # turns not counted: the first process of each kind reads its libraries from disk
QUICK_TIMES: Final = 5  # repetitions of the test split for fast peers, whose time is otherwise within the noise


class Models(NamedTuple):
    """Models of the same corpus."""

    run: Path
    svm: Path
    fasttext: Path
    vw: Path


def predict(materials: Materials, repeats: int) -> list[Row]:
    """One text as a whole process; documents per second on the test split of 20 Newsgroups, without the start."""
    peers.install()
    models = _train(materials)
    return _start(materials, models, repeats) + _rates(materials, models, max(repeats // 2, 1))


def _train(materials: Materials) -> Models:
    """Train on 20 Newsgroups, not measured; one epoch is enough for fastText, since its model is as large."""
    corpus, folder = materials.newsgroups, materials.folder("models")
    models = Models(default_run(materials), folder / "svm", folder / "fasttext", folder / "vw")
    run(script("svm_train", corpus.train, models.svm), folder, memory=False)
    run(
        script("fasttext_train", corpus.fasttext, models.fasttext, "1", str(peers.DEFAULT_DIM)),
        folder,
        memory=False,
    )
    run(peers.vw_train(corpus.vw, models.vw, classes=len(corpus.classes)), folder, memory=False)
    return models


def _start(materials: Materials, models: Models, repeats: int) -> list[Row]:
    folder = materials.folder("start")
    (folder / "text.txt").write_text(f"{TEXT}\n", encoding="utf-8")
    (folder / "text.vw").write_text(f"| {TEXT}\n", encoding="utf-8")
    commands: dict[str, Command] = {
        OURS: [*TEXTCLF, "predict", "--run", models.run, TEXT],
        IMPORT: [TEXTCLF[0], "-c", "import torch"],
        FASTTEXT: script("fasttext_predict", models.fasttext, folder / "text.txt"),
        peers.VW: peers.vw_predict(models.vw, folder / "text.vw", folder / "answers"),
        peers.SVM: script("svm_predict", models.svm, folder / "text.txt"),
    }
    results = in_turns(
        {name: partial(_seconds, command, folder) for name, command in commands.items()}, repeats + WARM_UP
    )
    ours, *others = (Sample(name, tuple(values[WARM_UP:])) for name, values in results.items())
    return [Row("one text, whole process", "s", ours, other) for other in others]


def _rates(materials: Materials, models: Models, repeats: int) -> list[Row]:
    """Documents per second, from the time of the test split minus the time of its first line."""
    corpus, folder = materials.newsgroups, materials.folder("rates")
    ways: dict[str, tuple[int, Callable[[Path], Command]]] = {
        "`textclf predict --input`": (1, lambda lines: [*TEXTCLF, "predict", "--run", models.run, "--input", lines]),
        FASTTEXT: (QUICK_TIMES, lambda lines: script("fasttext_predict", models.fasttext, lines)),
        peers.SVM: (1, lambda lines: script("svm_predict", models.svm, lines)),
        peers.VW: (QUICK_TIMES, lambda lines: peers.vw_predict(models.vw, lines, folder / "answers")),
    }
    runs: dict[str, Callable[[], float]] = {}
    for name, (times, command) in ways.items():
        lines = corpus.vw_lines if name == peers.VW else corpus.lines
        whole = repeated(lines, times) if times > 1 else lines
        runs[f"{name}, one line"] = partial(_seconds, command(first_lines(lines, 1)), folder)
        runs[name] = partial(_seconds, command(whole), folder)
    results = in_turns(runs, repeats)
    ours, *others = (
        Sample(name, _rate(corpus, times, results[f"{name}, one line"], results[name]))
        for name, (times, _) in ways.items()
    )
    return [Row("20newsgroups test split, after the start", "documents/s", ours, other) for other in others]


def _rate(corpus: Corpus, times: int, start: list[float], whole: list[float]) -> tuple[float, ...]:
    """Subtract the median time of the start, so that its noise does not add to that of the rate."""
    return tuple(times * len(corpus.answers) / (seconds - median(start)) for seconds in whole)


def _seconds(command: Command, folder: Path) -> float:
    return run(command, folder, memory=False).seconds
