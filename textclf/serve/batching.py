"""Texts of many requests through the model at once. Knows nothing about HTTP.

A batch is whatever waits when the one before is done: alone, a request waits for nothing, and among many each pays
for a small part of a batch. One thread predicts, so that the event loop goes on reading and writing meanwhile.
"""

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.inference.classifier import BATCH, MOST_CHARACTERS, Classifier, batched
from textclf.models.arithmetic import Floats, softmax
from textclf.serve.counting import Counts


class Read(NamedTuple):
    """What a model makes of B texts."""

    probabilities: Floats
    """Shape (B, C)."""
    unknown: NDArray[np.float64]
    """Shape (B,), the share of words that the model does not know; 1 for a text without any word."""


class Job(NamedTuple):
    """A part of a request that goes through the model at once."""

    texts: list[str]
    characters: int
    done: asyncio.Future[Read]


class Batcher:
    """One model, and the texts that wait for it."""

    def __init__(self, classifier: Classifier, counts: Counts) -> None:
        self._classifier = classifier
        self._counts = counts
        self._waiting: deque[Job] = deque()
        self._thread = ThreadPoolExecutor(1)
        self._working: asyncio.Task[None] | None = None

    async def read(self, texts: list[str]) -> Read:
        """Read texts, in batches that may hold texts of others; at least one text."""
        loop = asyncio.get_running_loop()
        jobs = [Job(part, sum(map(len, part)), loop.create_future()) for part in batched(texts)]
        self._waiting.extend(jobs)
        if self._working is None:
            self._working = loop.create_task(self._work())
        parts = [await job.done for job in jobs]
        return parts[0] if len(parts) == 1 else Read(*map(np.concatenate, zip(*parts, strict=True)))

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            jobs = self._next()
            texts = [text for job in jobs for text in job.texts]
            try:
                answer = await loop.run_in_executor(self._thread, read, self._classifier, texts)
            except Exception as error:  # whatever it is, each request must hear of it
                for job in jobs:
                    if not job.done.cancelled():
                        job.done.set_exception(error)
                continue
            self._counts.add_batch(len(texts))
            start = 0
            for job in jobs:
                end = start + len(job.texts)
                if not job.done.cancelled():
                    job.done.set_result(Read(answer.probabilities[start:end], answer.unknown[start:end]))
                start = end
        self._working = None

    def _next(self) -> list[Job]:
        """The jobs of the next batch, in the order in which they came."""
        jobs: list[Job] = []
        texts = characters = 0
        while self._waiting:
            job = self._waiting[0]
            texts, characters = texts + len(job.texts), characters + job.characters
            if jobs and (texts > BATCH or characters > MOST_CHARACTERS):
                break
            jobs.append(self._waiting.popleft())
        return jobs


def read(classifier: Classifier, texts: list[str]) -> Read:
    """Probabilities and unknown words of texts, as one batch."""
    trained = classifier.trained
    tokens, lengths = trained.tokenizer.encode_all(texts)
    words, unknown = trained.tokenizer.words_and_unknown(tokens, lengths)
    return Read(softmax(trained.logits(tokens, lengths)), unknown / words)
