"""Many texts to labels, by several processes. The answers are those of one process, in the same order.

Starting processes takes about as long as two thousand texts of 200 words. So this one answers until it has worked for
a while, and goes on until the others are ready: whoever has few texts waits for nothing.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Final

from textclf.inference.classifier import Answers, Classifier, Prediction, batched, load_model

PATIENCE: Final = 0.5  # seconds of work before other processes are started, which takes them about as long
CHUNK: Final = 8  # batches that a process takes at a time


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

    The others read the classifier from ``model``. Few of the texts are in memory at a time. Raises ResourceError if a
    process is killed.
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
    """Answer batches by several processes, and until they are ready by this one."""
    from textclf import processes  # takes 30 ms to import

    with processes.pool(num_workers, imports=__name__) as pool:
        ready = pool.submit(_load, model)
        for batch in batches:
            yield classifier.name(classifier.answer(batch, top_k=top_k))
            if ready.done():
                break
        chunks = iter(lambda: list(islice(batches, CHUNK)), [])
        for answers in processes.in_order(pool, partial(_answer, model, top_k), chunks, ahead=3 * num_workers):
            yield from map(classifier.name, answers)


def _load(model: Path) -> None:
    _classifier(model)


def _answer(model: Path, top_k: int, batches: list[list[str]]) -> list[Answers]:
    return [_classifier(model).answer(batch, top_k=top_k) for batch in batches]


@lru_cache(maxsize=1)
def _classifier(model: Path) -> Classifier:
    """The model, which a process reads once, instead of being sent it with every chunk."""
    return load_model(model)
