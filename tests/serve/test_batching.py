"""Texts of many requests in one batch, each answered with its own."""

import asyncio
import threading

import numpy as np
import pytest

from textclf.inference.classifier import BATCH, load_model
from textclf.models.arithmetic import softmax
from textclf.serve import batching
from textclf.serve.batching import Batcher
from textclf.serve.counting import Counts

TEXTS = ["the cat sat", "bread with butter", "rain and wind", "", "qqq", "a dog barks at rain"]


@pytest.fixture
def classifier(run_dir):
    return load_model(run_dir)


@pytest.fixture
def batches(monkeypatch):
    """The texts of each batch that was read, noted in a thread of its own."""
    seen, read = [], batching.read

    def noted(classifier, texts):
        assert threading.current_thread() is not threading.main_thread()
        if "fail" in texts:
            raise ValueError("a text")
        seen.append(texts)
        return read(classifier, texts)

    monkeypatch.setattr(batching, "read", noted)
    return seen


def ask(classifier, requests):
    async def main():
        batcher = Batcher(classifier, Counts())
        return await asyncio.gather(*(batcher.read(texts) for texts in requests), return_exceptions=True)

    return asyncio.run(main())


def test_requests_at_once_are_one_batch_and_each_gets_its_own(classifier, batches):
    requests = [[TEXTS[i % 6]] * (1 + i % 3) for i in range(30)]
    answers = ask(classifier, requests)
    assert len(batches) == 1
    assert sum(map(len, batches)) == sum(map(len, requests))
    for texts, answer in zip(requests, answers, strict=True):
        np.testing.assert_allclose(answer.probabilities, softmax(classifier.logits(texts)), atol=1e-6)


def test_a_long_request_is_cut_and_others_come_between(classifier, batches):
    answers = ask(classifier, [[TEXTS[i % 6] for i in range(200)], ["rain"]])
    assert [len(batch) for batch in batches] == [BATCH, BATCH, BATCH, 9]
    np.testing.assert_allclose(
        answers[0].probabilities, softmax(classifier.logits([TEXTS[i % 6] for i in range(200)])), atol=1e-6
    )
    assert len(answers[0].unknown) == 200


def test_a_failure_is_that_of_its_batch_and_the_next_goes_on(classifier, batches):
    async def main():
        batcher = Batcher(classifier, Counts())
        failed = await asyncio.gather(batcher.read(["fail"]), batcher.read(["rain"]), return_exceptions=True)
        return failed, await batcher.read(["rain"])

    failed, answer = asyncio.run(main())
    assert [type(error) for error in failed] == [ValueError, ValueError]
    assert len(answer.probabilities) == 1


def test_a_request_that_is_given_up_harms_no_other(classifier, batches):
    async def main():
        batcher = Batcher(classifier, Counts())
        given_up = asyncio.create_task(batcher.read(["the cat"]))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(batcher.read(["rain"]))
        given_up.cancel()
        return await asyncio.wait_for(waiting, 10)

    assert len(asyncio.run(main()).probabilities) == 1


def test_unknown_is_a_share_of_the_words(classifier):
    answer = batching.read(classifier, ["", "qqq", "the qqq", "the cat", "catty the"])
    assert answer.unknown.tolist() == [1, 1, 0.5, 0, 0.5]
