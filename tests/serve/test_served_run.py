"""Answers of a served run: the same, however a request is answered."""

import asyncio
import json

import pytest

from textclf.serve import served_run
from textclf.serve.asgi import Refused
from textclf.serve.counting import Counts
from textclf.serve.query import Query
from textclf.serve.served_run import Lane, ServedRun

TEXTS = ["the cat sat", "bread with butter", "rain and wind", "?", "qqq \x00"]


@pytest.fixture
def served(classifier):
    return ServedRun("run", classifier, "", Counts())


def ask(served, *queries):
    async def main():
        return await asyncio.gather(*(served.answer(query) for query in queries), return_exceptions=True)

    return asyncio.run(main())


def test_a_large_request_gets_the_answers_of_small_ones(served):
    texts = [TEXTS[number % 5] for number in range(200)]
    large, *small = ask(served, Query(texts=texts, top_k=3), *(Query(text=text, top_k=3) for text in TEXTS))
    assert len(large) == 200
    for number, answer in enumerate(large):
        expected, found = json.loads(small[number % 5][0]), json.loads(answer)
        assert found["label"] == expected["label"]
        assert found["probability"] == pytest.approx(expected["probability"], abs=1e-6)
        assert len(found["top"]) == 3


@pytest.mark.parametrize("options", [{}, {"explain": True}, {"top_k": 3}])
def test_an_empty_text_gets_no_label_and_the_others_theirs(options, served):
    answers, (rain,) = ask(served, Query(texts=["", "rain", " \n"], **options), Query(text="rain", **options))
    nothing = {"label": None, "probability": None, "top": [], "error": "the text is empty"}
    first, second, third = map(json.loads, answers)
    assert first == third == nothing
    assert second["label"] == json.loads(rain)["label"]


def test_an_explanation_has_the_answer_as_well(served):
    ((plain,), (explained,)) = ask(served, Query(text=TEXTS[0]), Query(text=TEXTS[0], explain=True))
    assert json.loads(explained)["explained"] == json.loads(plain)["label"]
    assert json.loads(explained) == {
        **json.loads(plain),
        **{name: json.loads(explained)[name] for name in ("explained", "margin", "rest", "tokens")},
    }


def test_a_small_request_does_not_wait_for_the_large_ones(served):
    async def main():
        large = [asyncio.create_task(served.answer(Query(texts=["rain"] * 256, top_k=3))) for _ in range(8)]
        await asyncio.sleep(0)
        await served.answer(Query(text="rain"))
        waiting = sum(not task.done() for task in large)
        await asyncio.gather(*large)
        return waiting

    assert asyncio.run(main()) >= 6


def test_too_many_large_requests_are_refused_and_small_ones_are_not(served):
    queries = [Query(texts=["rain"] * 129, top_k=2) for _ in range(served_run.MOST_LARGE + 2)]
    *large, small = ask(served, *queries, Query(text="rain"))
    assert sum(isinstance(answer, Refused) and answer.status == 503 for answer in large) == 2
    assert len(small) == 1


def test_a_place_is_free_again_after_a_failure():
    async def main():
        lane = Lane("requests", most=1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError), lane.place():
                await lane.run(lambda: 1 / 0)
        with lane.place(), pytest.raises(Refused, match="too many requests at once"), lane.place():
            pass

    asyncio.run(main())
