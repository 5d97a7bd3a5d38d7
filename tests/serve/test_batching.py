"""Texts of many requests in one batch, each answered with its own."""

import asyncio
import threading
from typing import NamedTuple

import numpy as np
import pytest

from textclf.inference.classifier import BATCH
from textclf.models.arithmetic import softmax
from textclf.serve.batching import Batcher
from textclf.serve.counting import Counts

TEXTS = ["the cat sat", "bread with butter", "rain and wind", "", "qqq", "a dog barks at rain"]


class Recorded(NamedTuple):
    """A batcher, and the texts of each batch that it has scored, in a thread of its own."""

    batcher: Batcher
    batches: list[list[str]]

    @classmethod
    def of(cls, classifier):
        batches = []

        def recorded(classifier, texts):
            assert threading.current_thread() is not threading.main_thread()
            if "fail" in texts:
                raise ValueError("a text")
            batches.append(texts)
            return classifier.scores(texts)

        return cls(Batcher(classifier, Counts(), score=recorded), batches)


@pytest.fixture
def recorded(classifier):
    return Recorded.of(classifier)


def ask(batcher, requests):
    async def main():
        return await asyncio.gather(*(batcher.score(texts) for texts in requests), return_exceptions=True)

    return asyncio.run(main())


def test_requests_at_once_are_one_batch_and_each_gets_its_own(classifier, recorded):
    requests = [[TEXTS[i % 6]] * (1 + i % 3) for i in range(30)]
    answers = ask(recorded.batcher, requests)
    assert len(recorded.batches) == 1
    assert sum(map(len, recorded.batches)) == sum(map(len, requests))
    for texts, answer in zip(requests, answers, strict=True):
        np.testing.assert_allclose(answer.probabilities, softmax(classifier.logits(texts)), atol=1e-6)


def test_a_long_request_is_cut_and_others_come_between(classifier, recorded):
    answers = ask(recorded.batcher, [[TEXTS[i % 6] for i in range(200)], ["rain"]])
    assert [len(batch) for batch in recorded.batches] == [BATCH, BATCH, BATCH, 9]
    np.testing.assert_allclose(
        answers[0].probabilities, softmax(classifier.logits([TEXTS[i % 6] for i in range(200)])), atol=1e-6
    )
    assert len(answers[0].unknown) == 200


def test_a_failure_is_that_of_its_batch_and_the_next_goes_on(classifier, recorded):
    async def main():
        batcher = recorded.batcher
        failed = await asyncio.gather(batcher.score(["fail"]), batcher.score(["rain"]), return_exceptions=True)
        return failed, await batcher.score(["rain"])

    failed, answer = asyncio.run(main())
    assert [type(error) for error in failed] == [ValueError, ValueError]
    assert len(answer.probabilities) == 1


def test_a_request_that_is_given_up_harms_no_other(classifier, recorded):
    async def main():
        batcher = recorded.batcher
        given_up = asyncio.create_task(batcher.score(["the cat"]))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(batcher.score(["rain"]))
        given_up.cancel()
        return await asyncio.wait_for(waiting, 10)

    assert len(asyncio.run(main()).probabilities) == 1


def test_unknown_is_a_share_of_the_words(classifier):
    answer = classifier.scores(["", "qqq", "the qqq", "the cat", "catty the"])
    assert answer.unknown.tolist() == [1, 1, 0.5, 0, 0.5]
