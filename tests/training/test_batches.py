import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.dataset import tables
from textclf.dataset.directory import DataDirectory
from textclf.dataset.documents import DocumentNames
from textclf.errors import ArtefactError
from textclf.training.batches import (
    EpochSampler,
    Example,
    LengthSortedSampler,
    SkipCached,
    TokenDataset,
    make_loader,
    to_device,
)

CPU = torch.device("cpu")


class Batch(NamedTuple):
    tokens: Tensor
    lengths: Tensor
    labels: Tensor


def collate(examples):
    return Batch(*(torch.from_numpy(np.array(column)) for column in examples[:3]))


def datasets(data, *, tier, store):
    return {split: TokenDataset(data.store(store), *part) for split, part in data.parts(tier).items()}


def plain(batch):
    return [column.tolist() for column in batch]


@pytest.fixture(scope="module")
def data(data_dir):
    return DataDirectory.open(data_dir)


@contextmanager
def loader(dataset, sampler, *, num_workers, device=CPU):
    """A loader whose processes are gone at the end, whatever became of the test."""
    before = set(multiprocessing.active_children())
    made = make_loader(dataset, sampler, collate, num_workers=num_workers, device=device)
    try:
        yield made
    finally:
        if made._iterator is not None:
            made._iterator._shutdown_workers()
        for process in set(multiprocessing.active_children()) - before:
            process.kill()
            process.join()


# Datasets


@pytest.mark.parametrize("store", ["packed", "files"])
@pytest.mark.parametrize("tier", ["tiny", "full"])
def test_a_dataset_has_the_documents_of_its_part(data, store, tier):
    parts = datasets(data, tier=tier, store=store)
    assert list(parts) == ["train", "validation", "test"]
    for split, dataset in parts.items():
        rows = data.rows(tier if split == "train" else split)
        assert dataset.rows.tolist() == rows.tolist()
        assert len(dataset) == len(rows) == len(dataset.labels) == len(dataset.lengths)
        assert [data.manifest.labels[label] for label in dataset.labels] == tables.labels(data.documents, rows)
        assert [len(example.tokens) for example in map(dataset.__getitem__, range(len(dataset)))] == (
            dataset.lengths.tolist()
        )


def test_an_empty_split_has_no_dataset(data):
    documents = replace(data.documents, names=DocumentNames((48, 6, 0)))
    assert list(datasets(replace(data, documents=documents), tier="tiny", store="packed")) == ["train", "validation"]


@pytest.mark.parametrize("store", ["packed", "files"])
def test_one_document_is_the_same_as_a_batch_of_one(data, store):
    dataset = datasets(data, tier="full", store=store)["train"]
    for index in range(len(dataset)):
        example, batch = dataset[index], dataset.__getitems__([index])
        assert type(example) is Example
        assert (example.tokens.dtype, example.tokens.ndim) == (torch.int32, 1)
        assert example.tokens.tolist() == batch.tokens.tolist()
        assert ([len(example.tokens)], [example.label]) == (batch.lengths.tolist(), batch.labels.tolist())


@pytest.mark.parametrize("indices", [[3], [2, 0, 5], [1, 1], list(range(48))])
def test_a_batch_is_its_documents_end_to_end(data, indices):
    dataset = datasets(data, tier="full", store="packed")["train"]
    examples = [dataset[index] for index in indices]
    batch = dataset.__getitems__(indices)
    assert batch.rows.tolist() == dataset.rows[indices].tolist()
    assert batch.tokens.tolist() == [token for example in examples for token in example.tokens.tolist()]
    assert batch.lengths.tolist() == [len(example.tokens) for example in examples]
    assert batch.labels.tolist() == [example.label for example in examples]


def test_tokens_of_cached_documents_are_not_read(data):
    store = SkipCached(data.packed(), lambda rows: bool((rows < 4).all()))
    tokens, lengths = store.gather(np.array([3, 0]))
    assert (tokens.tolist(), tokens.dtype, lengths.tolist(), lengths.dtype) == ([], np.int32, [0, 0], np.int64)
    for ours, expected in zip(store.gather(np.array([3, 4])), data.packed().gather(np.array([3, 4])), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_changing_an_example_does_not_change_the_store(data):
    dataset = datasets(data, tier="full", store="packed")["train"]
    before = dataset[0].tokens.tolist()
    dataset[0].tokens.zero_()
    assert dataset[0].tokens.tolist() == before


def test_a_label_that_train_does_not_have_is_minus_one(data):
    documents = tables.relabelled(data.documents, {int(data.rows("test")[1]): "a label of its own"})
    test = datasets(replace(data, documents=documents), tier="tiny", store="packed")["test"]
    assert np.flatnonzero(test.labels == -1).tolist() == [1]
    assert test[1].label == -1
    assert test.__getitems__([0, 1]).labels[1] == -1


# The order of an epoch


def epoch(sampler, number):
    sampler.epoch = number
    return [batch.tolist() for batch in sampler]


LENGTHS = np.random.default_rng(0).lognormal(4, 1, 2_000).astype(np.int64) + 1
EITHER = pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["shuffled", "in buckets"])


def sampler(lengths, *, batch_size=16, seed=0):
    return EpochSampler(len(LENGTHS), batch_size=batch_size, seed=seed, lengths=lengths)


@EITHER
def test_the_order_depends_on_seed_and_epoch_only(lengths):
    first = epoch(sampler(lengths, seed=3), 5)
    np.random.seed(1)
    torch.manual_seed(1)
    later = sampler(lengths, seed=3)
    epoch(later, 0)
    assert epoch(later, 5) == first
    assert epoch(later, 5) == first


@EITHER
def test_the_order_differs_between_epochs_and_seeds(lengths):
    orders = [epoch(sampler(lengths, seed=seed), number) for seed in range(3) for number in range(3)]
    assert len({str(order) for order in orders}) == 9
    assert len({str(sorted(map(sorted, order))) for order in orders}) == 9  # not only the batches' order


@pytest.mark.parametrize("documents", [1, 15, 16, 17, 799, 800, 801, 2_000])
@pytest.mark.parametrize("buckets", [False, True])
def test_every_document_is_in_one_batch_of_the_given_size(documents, buckets):
    lengths = LENGTHS[:documents] if buckets else None
    sampler = EpochSampler(documents, batch_size=16, seed=0, lengths=lengths)
    order = epoch(sampler, 1)
    assert sorted(index for batch in order for index in batch) == list(range(documents))
    assert len(order) == len(sampler) == -(-documents // 16)
    assert Counter(map(len, order))[16] >= len(order) - 1


def padding(order):
    """Share of a padded batch that is padding, over the epoch."""
    padded = sum(LENGTHS[batch].max() * len(batch) for batch in order)
    return 1 - LENGTHS.sum() / padded


@pytest.mark.parametrize("seed", range(3))
def test_buckets_leave_little_padding(seed):
    assert padding(epoch(sampler(LENGTHS, seed=seed), 0)) < padding(epoch(sampler(None, seed=seed), 0)) / 4


def test_buckets_leave_the_order_random():
    order = epoch(sampler(LENGTHS), 0)
    means = [LENGTHS[batch].mean() for batch in order]
    assert 0.3 < np.mean(np.diff(means) > 0) < 0.7  # the next batch is as often of shorter documents as of longer
    first, second = (epoch(sampler(LENGTHS), number) for number in (0, 1))
    assert not {tuple(sorted(batch)) for batch in first} & {tuple(sorted(batch)) for batch in second}


@pytest.mark.parametrize("tokens", [1, 10, 100, 1_000, 10**9])
def test_a_length_sorted_batch_is_as_large_as_both_limits_allow(tokens):
    sampler = LengthSortedSampler(LENGTHS, batch_size=300, tokens=tokens)
    order = list(sampler)
    assert len(order) == len(sampler)
    assert np.concatenate(order).tolist() == np.argsort(LENGTHS, kind="stable").tolist()
    for batch, after in zip(order, [*order[1:], None], strict=True):
        assert 1 <= len(batch) <= 300
        assert LENGTHS[batch].sum() <= tokens or len(batch) == 1
        if after is not None and len(batch) < 300:
            assert LENGTHS[batch].sum() + LENGTHS[after[0]] > tokens


def test_no_documents_make_no_length_sorted_batch():
    assert list(LengthSortedSampler(LENGTHS[:0], batch_size=3, tokens=5)) == []


def test_the_length_sorted_sampler_yields_every_document_once_shortest_first():
    sampler = LengthSortedSampler(LENGTHS, batch_size=300, tokens=10**9)
    order = [batch.tolist() for batch in sampler]
    assert [len(batch) for batch in order] == [300] * 6 + [200]
    assert len(sampler) == 7
    indices = [index for batch in order for index in batch]
    assert indices == sorted(range(len(LENGTHS)), key=lambda index: (LENGTHS[index], index))
    assert [batch.tolist() for batch in sampler] == order


# The loader


@pytest.fixture(scope="module")
def expected(data):
    """What two epochs of the training split are, put together document by document."""
    dataset = datasets(data, tier="full", store="files")["train"]
    order = EpochSampler(len(dataset), batch_size=7, seed=0)
    return [[plain(collate(dataset.__getitems__(indices))) for indices in epoch(order, number)] for number in (0, 1)]


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("store", ["packed", "files"])
def test_an_epoch_is_the_same_from_either_store_with_and_without_workers(data, store, num_workers, expected):
    dataset = datasets(data, tier="full", store=store)["train"]
    order = EpochSampler(len(dataset), batch_size=7, seed=0)
    with loader(dataset, order, num_workers=num_workers) as made:
        assert len(made) == len(expected[0]) == 7
        for number in (0, 1, 0):
            order.epoch = number
            assert [plain(batch) for batch in made] == expected[number]


def test_batches_are_of_the_model_s_own_type(data):
    dataset = datasets(data, tier="full", store="packed")["validation"]
    with loader(dataset, LengthSortedSampler(dataset.lengths, batch_size=4), num_workers=0) as made:
        assert {type(batch) for batch in made} == {Batch}


def made_by_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_the_next_batch_is_made_while_the_last_is_used(data):
    dataset = datasets(data, tier="full", store="packed")["train"]
    second = threading.Event()
    calls = []

    def tell(examples):
        calls.append(len(examples.lengths))
        if len(calls) == 2:
            second.set()
        return collate(examples)

    made = make_loader(dataset, LengthSortedSampler(dataset.lengths, batch_size=7), tell, num_workers=0, device=CPU)
    rest = iter(made)
    next(rest)
    assert second.wait(timeout=30)  # nobody has asked for it
    rest.close()
    assert len(calls) == 2  # and none further ahead
    assert made_by_threads() == []


def test_an_error_in_collate_reaches_the_caller(data):
    def fail(_examples):
        raise ArtefactError("a.pt is damaged")

    dataset = datasets(data, tier="full", store="packed")["train"]
    made = make_loader(dataset, LengthSortedSampler(dataset.lengths, batch_size=7), fail, num_workers=0, device=CPU)
    with pytest.raises(ArtefactError, match=r"^a\.pt is damaged$"):
        list(made)
    assert made_by_threads() == []


def test_a_loader_measures_the_seconds_spent_on_batches(data):
    dataset = datasets(data, tier="full", store="packed")["train"]

    def slow(examples):
        time.sleep(0.01)
        return collate(examples)

    made = make_loader(dataset, LengthSortedSampler(dataset.lengths, batch_size=7), slow, num_workers=0, device=CPU)
    assert made.seconds() == (0, 0)
    count = len(list(made))
    assert made.seconds().making >= made.seconds().collating >= 0.01 * count


@pytest.mark.parametrize(("device", "pinned"), [("cpu", False), ("cuda", True), ("cuda:1", True), ("mps", False)])
def test_memory_is_pinned_for_cuda_only(data, device, pinned):
    dataset = datasets(data, tier="full", store="packed")["validation"]
    made = make_loader(
        dataset, LengthSortedSampler(dataset.lengths, batch_size=4), collate, num_workers=0, device=torch.device(device)
    )
    assert made.pin_memory is pinned


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_batch_keeps_its_type_on_the_way_to_a_device(device):
    batch = Batch(torch.arange(3), torch.tensor([1, 2]), torch.zeros(2))
    moved = to_device(batch, torch.device(device))
    assert type(moved) is Batch
    assert {tensor.device.type for tensor in moved} == {device}
    assert [tensor.dtype for tensor in moved] == [tensor.dtype for tensor in batch]
    assert [tensor.shape for tensor in moved] == [tensor.shape for tensor in batch]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_reach_a_gpu_from_pinned_memory_unchanged(data, num_workers, expected):
    dataset = datasets(data, tier="full", store="packed")["train"]
    order = EpochSampler(len(dataset), batch_size=7, seed=0)
    device = torch.device("cuda")
    with loader(dataset, order, num_workers=num_workers, device=device) as made:
        pinned = list(made)
        assert all(tensor.is_pinned() for batch in pinned for tensor in batch)
        moved = [to_device(batch, device) for batch in pinned]
    assert {type(batch) for batch in moved} == {Batch}
    assert all(tensor.is_cuda for batch in moved for tensor in batch)
    assert [plain(batch) for batch in moved] == expected[0]


# When something fails


@pytest.fixture
def damaged(data_dir, tmp_path):
    """A data directory one of whose tensors is missing, and its path."""
    data = DataDirectory.open(shutil.copytree(data_dir, tmp_path / "damaged"))
    path = data.layout.tensor("train-0000011")
    path.unlink()
    return data, path


@pytest.mark.parametrize("num_workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_missing_tensor_is_named_wherever_it_is_read(damaged, num_workers):
    data, path = damaged
    dataset = datasets(data, tier="full", store="files")["train"]
    with (
        loader(dataset, LengthSortedSampler(dataset.lengths, batch_size=7), num_workers=num_workers) as made,
        pytest.raises(ArtefactError) as caught,
    ):
        list(made)
    assert str(caught.value) == f"{path} is missing; rebuild it: textclf preprocess SOURCE --overwrite"


@pytest.mark.slow
def test_a_program_ends_after_an_error_in_a_worker(damaged):
    program = """
import sys
from pathlib import Path
import torch
from textclf.errors import ArtefactError
from textclf.training.batches import LengthSortedSampler, TokenDataset, make_loader
from textclf.dataset.directory import DataDirectory

def whole(examples):
    return examples

if __name__ == "__main__":
    data = DataDirectory.open(Path(sys.argv[1]))
    dataset = TokenDataset(data.files(), *data.parts("full")["train"])
    order = LengthSortedSampler(dataset.lengths, batch_size=7)
    try:
        list(make_loader(dataset, order, whole, num_workers=1, device=torch.device("cpu")))
    except ArtefactError as error:
        sys.exit(error.exit_code)
"""
    data, _ = damaged
    command = [sys.executable, "-c", program, str(data.layout.root)]
    assert subprocess.run(command, check=False, timeout=20).returncode == 4


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_leave_signals_to_the_parent(data, number):
    dataset = datasets(data, tier="full", store="files")["train"]
    before = set(multiprocessing.active_children())
    with loader(dataset, LengthSortedSampler(dataset.lengths, batch_size=2), num_workers=2) as made:
        running = iter(made)
        seen = [next(running), next(running)]  # one of each worker: both have started
        workers = set(multiprocessing.active_children()) - before
        assert len(workers) == 2
        for worker in workers:
            os.kill(worker.pid, number)
        seen += running
        assert sum(len(batch.labels) for batch in seen) == len(dataset)
        assert all(worker.is_alive() for worker in workers)


def test_a_dataset_may_read_any_store():
    class Counting:
        def gather(self, indices):
            return np.repeat(indices, indices + 1).astype(np.int32), indices + 1

    rows = np.array([4, 2, 0])
    dataset = TokenDataset(Counting(), rows, np.array([1, 0, 1]), rows + 1)
    batch = dataset.__getitems__(np.array([2, 0]))
    assert (batch.tokens.tolist(), batch.labels.tolist()) == ([0, 4, 4, 4, 4, 4], [1, 1])
