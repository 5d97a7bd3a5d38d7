import multiprocessing

from textclf.serve.counting import SECONDS, STATUSES, Counts


def values(counts: Counts) -> dict[str, float]:
    lines = counts.exposition().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_requests_are_in_the_bucket_of_their_time_and_all_above() -> None:
    counts = Counts()
    for seconds in (0.0005, 0.001, 0.03, 99):
        counts.add_request(200, seconds)
    found = values(counts)
    buckets = [found[f'textclf_request_seconds_bucket{{le="{bound}"}}'] for bound in (*SECONDS, "+Inf")]
    assert buckets == [2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4]
    assert found["textclf_request_seconds_count"] == found['textclf_requests_total{status="200"}'] == 4
    assert abs(found["textclf_request_seconds_sum"] - 99.0315) < 1e-6


def test_every_status_has_its_count() -> None:
    counts = Counts()
    for number, status in enumerate(STATUSES):
        for _ in range(number):
            counts.add_request(status, 0)
    found = values(counts)
    assert [found[f'textclf_requests_total{{status="{status}"}}'] for status in STATUSES] == [*range(len(STATUSES))]


def test_texts_and_batches_are_counted() -> None:
    counts = Counts()
    counts.add_texts(3)
    counts.add_batch(2)
    counts.add_batch(5)
    found = values(counts)
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
    assert values(counts)["textclf_texts_total"] == 111
