"""Many texts to labels, by several processes. The answers are those of one process, in the same order.

Starting a process takes about as long as two thousand texts of 200 words, unless it is a copy of this one. So this one
answers alone until it has worked for a while, and goes on when it has help, as one of them: whoever has few texts waits
for nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Final

from textclf.inference.classifier import Answers, Classifier, Prediction, batched, load_model

PATIENCE: Final = 0.5  # seconds of work before other processes are started, which takes them about as long
MUCH: Final = 4_000_000  # bytes of text that take longer than that: no need to wait and see
CHUNK: Final = 2  # batches that a process takes at a time: few, so that all are done at about the same time
AHEAD: Final = 2  # chunks under way for each process: one at work, one waiting
LATE: Final = 16  # chunks for each process that are answered while the first of them is not

_loaded: dict[Path, Classifier] = {}  # what a process reads once, or has from the one that it is a copy of


def predict(
    classifier: Classifier,
    model: Path,
    texts: Iterable[str],
    *,
    top_k: int,
    num_workers: int,
    patience: float = PATIENCE,
) -> Iterator[list[Prediction]]:
    """Classify texts a batch at a time, with that many processes if there are many texts; 1: in this one alone.

    After ``patience`` seconds of work this one starts the others, which read the classifier from ``model`` if they are
    no copies of this one. Few of the texts are in memory at a time. Raises ResourceError if a process is killed.
    """
    batches = batched(texts)
    worked = 0.0
    for batch in batches:
        start = perf_counter()
        answers = classifier.answer(batch, top_k=top_k)
        worked += perf_counter() - start  # without the wait for texts
        yield classifier.name(answers)
        if worked >= patience and num_workers > 1:
            break
    else:
        return
    yield from _together(classifier, model, batches, top_k=top_k, num_workers=num_workers)


def _together(
    classifier: Classifier, model: Path, batches: Iterator[list[str]], *, top_k: int, num_workers: int
) -> Iterator[list[Prediction]]:
    """Answer batches in this process and, once they are ready, in others."""
    from textclf.system import workers  # takes 30 ms to import

    _loaded[model] = classifier
    others = num_workers - 1
    under_way: deque[Future[list[Answers]]] = deque()
    with workers.pool(others, imports=__name__) as pool:
        ready = [pool.submit(_load, model) for _ in range(others)]
        while chunk := list(islice(batches, CHUNK)):
            has_help = any(loaded.done() for loaded in ready)
            if has_help and sum(not answers.done() for answers in under_way) < AHEAD * others:
                under_way.append(pool.submit(_answer, model, top_k, chunk))
            else:
                done: Future[list[Answers]] = Future()
                done.set_result([classifier.answer(batch, top_k=top_k) for batch in chunk])
                under_way.append(done)
            while under_way and (under_way[0].done() or len(under_way) > LATE * num_workers):
                yield from map(classifier.name, under_way.popleft().result())
        for answers in under_way:
            yield from map(classifier.name, answers.result())


def _load(model: Path) -> None:
    _classifier(model)


def _answer(model: Path, top_k: int, batches: list[list[str]]) -> list[Answers]:
    return [_classifier(model).answer(batch, top_k=top_k) for batch in batches]


def _classifier(model: Path) -> Classifier:
    """The model, instead of its being sent with every chunk."""
    if model not in _loaded:
        _loaded[model] = load_model(model)
    return _loaded[model]
