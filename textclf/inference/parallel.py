"""Predict many texts with several processes. The answers are those of one process, in the same order.

Starting a process takes about as long as predicting two thousand texts of 200 words, unless it is a forked copy. So
this process works alone at first, and starts others only if there are enough texts; then it works as one of them.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Final

from textclf.inference.classifier import Answers, Classifier, Prediction, batched, load_model

ALONE_SECONDS: Final = 0.5
"""Seconds of work before other processes are started, which takes them about as long."""
LARGE_FILE: Final = 4_000_000
"""Bytes of a file that takes longer than ALONE_SECONDS: others can be started at once."""
CHUNK: Final = 2
"""Batches that a process takes at a time: few, so that all processes finish at about the same time."""
QUEUED_CHUNKS: Final = 2
"""Chunks per other process: one being predicted, one waiting."""
FINISHED_CHUNKS: Final = 16
"""Chunks per process that may wait for an earlier one before this process waits, too."""

_loaded: dict[Path, Classifier] = {}
"""The classifier of this process, by its folder; a forked copy has it from the start."""


def predictor(
    classifier: Classifier, model: Path, *, top_k: int, num_workers: int, files: Iterable[Path]
) -> Callable[[Iterable[str]], Iterator[list[Prediction]]]:
    """`predict` for the texts of files, if there are any; large files have other processes started at once.

    A user's model runs in this process alone: torch has threads of its own, which forked copies would not have.
    """
    num_workers = num_workers if classifier.trained.user_model is None else 1
    is_large = sum(file.stat().st_size for file in files if file.is_file()) >= LARGE_FILE
    seconds = 0 if is_large else ALONE_SECONDS
    return partial(predict, classifier, model, top_k=top_k, num_workers=num_workers, alone_seconds=seconds)


def predict(
    classifier: Classifier,
    model: Path,
    texts: Iterable[str],
    *,
    top_k: int,
    num_workers: int,
    alone_seconds: float = ALONE_SECONDS,
) -> Iterator[list[Prediction]]:
    """Classify texts in batches, with up to ``num_workers`` processes, of which this is one.

    After ``alone_seconds`` of work this process starts the others; one that is no forked copy loads the classifier from
    ``model``. Few texts are in memory at a time. Raises ResourceError if a process is killed.
    """
    batches = batched(texts)
    worked = 0.0
    for batch in batches:
        start = perf_counter()
        answers = classifier.answer(batch, top_k=top_k)
        worked += perf_counter() - start  # without waiting for texts
        yield classifier.name(answers)
        if worked >= alone_seconds and num_workers > 1:
            break
    else:
        return
    yield from _predict_together(classifier, model, batches, top_k=top_k, num_workers=num_workers)


def _predict_together(
    classifier: Classifier, model: Path, batches: Iterator[list[str]], *, top_k: int, num_workers: int
) -> Iterator[list[Prediction]]:
    """Predict batches in this process and, as soon as they are ready, in others."""
    from textclf.system import workers  # takes 30 ms to import

    _loaded[model] = classifier
    others = num_workers - 1
    pending: deque[Future[list[Answers]]] = deque()
    with workers.pool(others, imports=__name__) as pool:
        thresholds = classifier.trained.thresholds
        ready = [pool.submit(_load, model, thresholds) for _ in range(others)]
        while chunk := list(islice(batches, CHUNK)):
            has_help = any(loaded.done() for loaded in ready)
            if has_help and sum(not answers.done() for answers in pending) < QUEUED_CHUNKS * others:
                pending.append(pool.submit(_answer, model, thresholds, top_k, chunk))
            else:
                done: Future[list[Answers]] = Future()
                done.set_result([classifier.answer(batch, top_k=top_k) for batch in chunk])
                pending.append(done)
            while pending and (pending[0].done() or len(pending) > FINISHED_CHUNKS * num_workers):
                yield from map(classifier.name, pending.popleft().result())
        for answers in pending:
            yield from map(classifier.name, answers.result())


def _load(model: Path, thresholds: tuple[float, ...]) -> None:
    _classifier(model, thresholds)


def _answer(model: Path, thresholds: tuple[float, ...], top_k: int, batches: list[list[str]]) -> list[Answers]:
    return [_classifier(model, thresholds).answer(batch, top_k=top_k) for batch in batches]


def _classifier(model: Path, thresholds: tuple[float, ...]) -> Classifier:
    """The model with these thresholds, loaded once per process instead of sent with every chunk."""
    if model not in _loaded:
        _loaded[model] = Classifier(replace(load_model(model).trained, thresholds=thresholds))
    return _loaded[model]
