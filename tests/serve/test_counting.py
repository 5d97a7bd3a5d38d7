import multiprocessing

import pytest

from tests.serve.conftest import samples
from textclf.inference.classifier import Prediction, Score
from textclf.serve.counting import CONFIDENCES, LONGEST_LABEL, MOST_LABELS, SECONDS, STATUSES, Counts


def test_requests_are_in_the_bucket_of_their_time_and_all_above() -> None:
    counts = Counts()
    for seconds in (0.0005, 0.001, 0.03, 99):
        counts.add_request(200, seconds)
    found = samples(counts)
    buckets = [found[f'textclf_request_seconds_bucket{{le="{bound}"}}'] for bound in (*SECONDS, "+Inf")]
    assert buckets == [2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4]
    assert found["textclf_request_seconds_count"] == found['textclf_requests_total{status="200"}'] == 4
    assert abs(found["textclf_request_seconds_sum"] - 99.0315) < 1e-6


def test_every_status_has_its_count() -> None:
    counts = Counts()
    for number, status in enumerate(STATUSES):
        for _ in range(number):
            counts.add_request(status, 0)
    found = samples(counts)
    assert [found[f'textclf_requests_total{{status="{status}"}}'] for status in STATUSES] == [*range(len(STATUSES))]


def test_texts_and_batches_are_counted() -> None:
    counts = Counts()
    counts.add_texts(3)
    counts.add_batch(2)
    counts.add_batch(5)
    found = samples(counts)
    assert found["textclf_texts_total"] == 3
    assert (found["textclf_batches_total"], found["textclf_batched_texts_total"]) == (2, 7)


def test_each_name_is_described_before_its_values() -> None:
    described: set[str] = set()
    for line in Counts().exposition().splitlines():
        if line.startswith("# TYPE "):
            described.add(line.split()[2])
        elif not line.startswith("#"):
            name = line.split("{")[0].split()[0]
            assert {name, name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")} & described


def test_workers_count_into_one_table() -> None:
    counts = Counts(3)
    fork = multiprocessing.get_context("fork")
    processes = [
        fork.Process(target=lambda worker: counts.of(worker).add_texts(10**worker), args=(i,)) for i in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert samples(counts)["textclf_texts_total"] == 111


def prediction(label, probability=0.5, *, unknown=0.0, truncated=False, unlike=False, given=None):
    return Prediction(label, probability, (), unknown, truncated, unlike, given)


def test_the_answers_of_a_run_are_counted():
    counts = Counts(runs={"a": ["x", "y"], "b": ["x"]})
    counts.add_answers("a", [(prediction("y", 0.95), False), (prediction("y", 0.951, unknown=0.3), False), None])
    counts.add_answers("a", [(prediction("x", 0.05, unknown=1, unlike=True, truncated=True), True)])
    found = samples(counts)
    assert found['textclf_answers_total{run="a",label="y"}'] == 2
    assert found['textclf_answers_total{run="a",label="x"}'] == found['textclf_answers_total{run="b",label="x"}'] == 0
    buckets = [found[f'textclf_confidence_bucket{{run="a",le="{bound}"}}'] for bound in (*CONFIDENCES, "+Inf")]
    assert buckets == [1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 3, 3]
    assert found['textclf_confidence_sum{run="a"}'] == pytest.approx(1.951)
    assert found['textclf_unknown_words_bucket{run="a",le="0.3"}'] == 2
    assert found['textclf_unknown_words_sum{run="a"}'] == pytest.approx(1.3)
    for name in ("rejected", "unlike", "truncated", "unanswered"):
        assert (found[f'textclf_{name}_total{{run="a"}}'], found[f'textclf_{name}_total{{run="b"}}']) == (1, 0)


def test_each_of_several_labels_counts_and_a_text_without_one_is_rejected():
    counts = Counts(runs={"a": ["x", "y"]})
    given = (Score("x", 0.9), Score("y", 0.8))
    counts.add_answers("a", [(prediction("x", given=given), False), (prediction("x", given=()), False)])
    found = samples(counts)
    assert [found[f'textclf_answers_total{{run="a",label="{label}"}}'] for label in "xy"] == [1, 1]
    assert found['textclf_rejected_total{run="a"}'] == 1


def test_labels_have_no_more_series_than_the_most():
    labels = [f"label {number:04}" for number in range(5_000)]
    counts = Counts(runs={"a": labels, "b": ["x" * (LONGEST_LABEL + 1), "y"]})
    counts.add_answers("a", [(prediction(label), False) for label in labels])
    counts.add_answers("b", [(prediction("x" * (LONGEST_LABEL + 1)), False), (prediction("y"), False)])
    found = {name: value for name, value in samples(counts).items() if name.startswith("textclf_answers_total")}
    assert len(found) == MOST_LABELS + 1 + 2
    assert found['textclf_answers_total{run="a"}'] == 5_000 - MOST_LABELS
    assert found['textclf_answers_total{run="b"}'] == found['textclf_answers_total{run="b",label="y"}'] == 1
