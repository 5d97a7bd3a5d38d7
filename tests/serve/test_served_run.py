"""Answers of a served run: the same, however a request is answered."""

import asyncio
import json
from dataclasses import replace

import pytest

from tests.serve.conftest import samples
from textclf.artefacts.artefact import Abstention
from textclf.inference.classifier import Classifier
from textclf.inference.predicting import Rejection
from textclf.serve import served_run
from textclf.serve.asgi import Refused
from textclf.serve.counting import Counts
from textclf.serve.query import Query
from textclf.serve.served_run import Lane, ServedRun

TEXTS = ["the cat sat", "bread with butter", "rain and wind", "?", "qqq \x00"]


@pytest.fixture
def served(classifier):
    return ServedRun("run", classifier, "", Counts(runs={"run": classifier.labels}))


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


@pytest.mark.parametrize("options", [{}, {"explain": True}, {"top_k": 3}])
def test_a_precision_rejects_what_the_command_rejects(options, classifier):
    learned = Abstention({"0.9": 0.5, "0.95": 0.99}, unlike=0.5)
    strict = Classifier(replace(classifier.trained, abstention=learned))
    served = ServedRun("run", strict, "", Counts(runs={"run": strict.labels}))
    texts = ["the cat sat", "rain qqq zzz", "?"]
    (answers,) = ask(served, Query(texts=texts, target_precision=0.92, **options))
    rejection = Rejection.of(learned, below=None, target_precision=0.92)
    expected = [rejection.applies(found) for found in strict.predict(texts)]
    assert [json.loads(answer)["rejected"] for answer in answers] == expected
    assert [json.loads(answer)["label"] is None for answer in answers] == expected
    (unlike,) = ask(served, Query(text="rain qqq zzz", target_precision=0.9, **options))
    assert (json.loads(unlike[0])["unlike"], json.loads(unlike[0])["rejected"]) == (True, True)
    (kept,) = ask(served, Query(text="rain qqq zzz", reject_below=0.0, **options))
    assert json.loads(kept[0])["rejected"] is False
    (refused,) = ask(served, Query(text="rain", target_precision=0.99, **options))
    assert (refused.status, "0.95 is the highest that is" in refused.why) == (422, True)


@pytest.mark.parametrize("options", [{}, {"explain": True}, {"top_k": 300}])
def test_answers_are_counted_however_they_are_made(options, classifier):
    counts = Counts(runs={"run": classifier.labels})
    served = ServedRun("run", classifier, "", counts)
    texts = ["the cat sat", "rain and wind", "qqq zzz xxx", ""]
    ask(served, Query(texts=texts, reject_below=0.2, **options))
    found = samples(counts)
    labels = [answer.label for answer in classifier.predict(texts[:3])]
    for label in classifier.labels:
        assert found[f'textclf_answers_total{{run="run",label="{label}"}}'] == labels.count(label)
    assert found['textclf_confidence_count{run="run"}'] == found['textclf_unknown_words_count{run="run"}'] == 3
    assert found['textclf_unlike_total{run="run"}'] == found['textclf_unanswered_total{run="run"}'] == 1
    assert found["textclf_texts_total"] == 4


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
