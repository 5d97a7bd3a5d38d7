from functools import partial

import numpy as np
import pytest
import torch

from textclf.models.bag_mlp.features import BagInputs
from textclf.models.bag_mlp.network import collate
from textclf.models.bag_mlp.resident import ResidentBags
from textclf.models.model import Examples
from textclf.text.arrays import offsets

CPU = torch.device("cpu")
DOCUMENTS, FEATURES, VIEWS = 40, 60, 2
RANDOM = np.random.default_rng(0)
SIZES = RANDOM.integers(1, 12, (VIEWS, DOCUMENTS))  # features in each bag
BAGS = [[np.sort(RANDOM.choice(FEATURES, size, replace=False)) for size in view] for view in SIZES]
WEIGHTS = [[RANDOM.random(size, dtype=np.float32) for size in view] for view in SIZES]
LABELS = RANDOM.integers(-1, 3, DOCUMENTS)


def features_of(_tokens, _lengths, rows):
    """The bags of these documents, as `Bag` and `FeatureCache` give them."""
    bags = [BAGS[view][row] for view in range(VIEWS) for row in rows]
    weights = [WEIGHTS[view][row] for view in range(VIEWS) for row in rows]
    starts = offsets(np.array(list(map(len, bags))))[:-1]
    return BagInputs(np.concatenate(bags).astype(np.int32), starts.astype(np.int64), np.concatenate(weights))


make = partial(collate, inputs=features_of)


def batch_of(rows):
    rows = np.asarray(rows)
    return make(Examples(np.empty(0, np.int32), np.zeros(len(rows), np.int64), LABELS[rows], rows))


def resident(*, limit=1e9, window=1 << 20, at_once=7):
    order = np.random.default_rng(1).permutation(DOCUMENTS)
    parts = [order[start : start + at_once] for start in range(0, DOCUMENTS, at_once)]
    made = ResidentBags.of(map(batch_of, parts), order, device=CPU, limit=limit)
    if made is not None:
        made._window = window
    return made


def assert_same(ours, expected):
    for name, one, other in zip(expected._fields, ours, expected, strict=True):
        assert one.dtype == (torch.int32 if name == "offsets" else other.dtype), name
        assert torch.equal(one.to(other.dtype), other), name


@pytest.mark.parametrize("window", [1, 60, 1 << 20])
@pytest.mark.parametrize("batch_size", [1, 7, 16, DOCUMENTS])
def test_batches_have_the_bits_that_collate_gives(window, batch_size):
    order = np.random.default_rng(2).permutation(DOCUMENTS)
    parts = [order[start : start + batch_size] for start in range(0, DOCUMENTS, batch_size)]
    made = list(resident(window=window).batches(iter(parts)))
    assert len(made) == len(parts)
    for part, ours in zip(parts, made, strict=True):
        assert_same(ours, batch_of(part))


def test_keys_beyond_32_bits_are_sorted_as_well():
    made = resident()
    made._size = 1 << 30
    parts = [np.arange(5), np.arange(5, 9), np.arange(2)]
    for part, ours in zip(parts, made.batches(parts), strict=True):
        assert_same(ours, batch_of(part))


def test_a_process_reads_its_share_and_has_all_labels():
    part, share = np.arange(9), slice(1, None, 2)
    (ours,) = resident().batches([part], share=share)
    assert ours.labels.tolist() == LABELS[part].tolist()
    assert_same(ours._replace(labels=batch_of(part[share]).labels), batch_of(part[share]))


def test_no_batches_make_no_batch():
    assert list(resident().batches([])) == []


def test_documents_that_exceed_the_limit_are_not_held():
    needed = 8 * int(SIZES.sum())
    assert resident(limit=needed) is not None
    assert resident(limit=needed - 1) is None


def test_windows_are_begun_one_ahead():
    made, begun, finished = resident(window=1), [], []
    begin, finish = made._begin, made._finish
    made._begin = lambda *given: begun.append(given) or begin(*given)
    made._finish = lambda window: finished.append(window) or finish(window)
    batches = made.batches([np.arange(3), np.arange(3, 6), np.arange(6, 9)])
    next(batches)
    assert (len(begun), len(finished)) == (2, 1)
    next(batches)
    assert (len(begun), len(finished)) == (3, 2)
    assert len(list(batches)) == 1
