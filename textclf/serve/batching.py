"""Batches the texts of many requests. Knows nothing about HTTP.

A batch holds whatever is waiting when the previous one is done: a single request waits for nothing, and many requests
share the cost of a batch. One thread predicts, so that the event loop can read and write meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from textclf.inference.classifier import BATCH, MOST_CHARACTERS, Classifier, Scores, batched
from textclf.serve.counting import Counts


class Job(NamedTuple):
    """A part of a request that is predicted in one batch."""

    texts: list[str]
    characters: int
    done: asyncio.Future[Scores]


class Batcher:
    """A model and the queue of texts that wait for it."""

    def __init__(
        self,
        classifier: Classifier,
        counts: Counts,
        *,
        score: Callable[[Classifier, list[str]], Scores] = Classifier.scores,
    ) -> None:
        self._classifier = classifier
        self._counts = counts
        self._score = score
        self._waiting: deque[Job] = deque()
        self._thread = ThreadPoolExecutor(1)
        self._working: asyncio.Task[None] | None = None

    async def score(self, texts: list[str]) -> Scores:
        """Predict at least one text, in batches shared with other requests."""
        loop = asyncio.get_running_loop()
        jobs = [Job(part, sum(map(len, part)), loop.create_future()) for part in batched(texts)]
        self._waiting.extend(jobs)
        if self._working is None:
            self._working = loop.create_task(self._work())
        parts = [await job.done for job in jobs]
        return parts[0] if len(parts) == 1 else Scores(*map(np.concatenate, zip(*parts, strict=True)))

    async def _work(self) -> None:
        """Predict batch after batch until nothing waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            jobs = self._next()
            texts = [text for job in jobs for text in job.texts]
            try:
                scores = await loop.run_in_executor(self._thread, self._score, self._classifier, texts)
            except Exception as error:  # whatever it is, each request must get it
                for job in jobs:
                    if not job.done.cancelled():
                        job.done.set_exception(error)
            else:
                self._counts.add_batch(len(texts))
                _distribute(scores, jobs)
        self._working = None

    def _next(self) -> list[Job]:
        """The jobs of the next batch, in order of arrival."""
        jobs: list[Job] = []
        texts = characters = 0
        while self._waiting:
            job = self._waiting[0]
            texts, characters = texts + len(job.texts), characters + job.characters
            if jobs and (texts > BATCH or characters > MOST_CHARACTERS):
                break
            jobs.append(self._waiting.popleft())
        return jobs


def _distribute(scores: Scores, jobs: Sequence[Job]) -> None:
    """Give each job its part of a batch."""
    ends = np.cumsum([len(job.texts) for job in jobs])[:-1]
    parts = (np.split(array, ends) for array in scores)
    for job, *part in zip(jobs, *parts, strict=True):
        if not job.done.cancelled():
            job.done.set_result(Scores(*part))
