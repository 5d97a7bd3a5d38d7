import numpy as np
import pytest
import torch

from textclf.models.model import Examples
from textclf.models.sequences.batch import collate
from textclf.models.sequences.features import Sequences
from textclf.models.sequences.resident import ResidentTokens

CPU = torch.device("cpu")
RANDOM = np.random.default_rng(0)
LENGTHS = RANDOM.integers(1, 12, 30)
TOKENS = [RANDOM.integers(1, 50, length).astype(np.int32) for length in LENGTHS]
LABELS = RANDOM.integers(-1, 3, 30)
INPUTS = Sequences(50, 8)  # cuts some
WITH_PIECES = Sequences(50, 8, pieces=1)


def batch_of(rows, inputs=INPUTS):
    rows = np.asarray(rows)
    tokens = np.concatenate([TOKENS[row] for row in rows])
    return collate(Examples(tokens, LENGTHS[rows], LABELS[rows], rows), inputs=inputs)


def resident(limit=1e9, inputs=INPUTS):
    order = np.argsort(LENGTHS, kind="stable")
    parts = [order[start : start + 4] for start in range(0, 30, 4)]
    return ResidentTokens.of((batch_of(part, inputs) for part in parts), order, device=CPU, limit=limit)


def assert_same(ours, expected):
    for one, other in zip(ours, expected, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


@pytest.mark.parametrize("inputs", [INPUTS, WITH_PIECES])
@pytest.mark.parametrize("batch_size", [1, 7, 30])
def test_batches_have_the_bits_that_collate_gives(batch_size, inputs):
    order = np.random.default_rng(2).permutation(30)
    parts = [order[start : start + batch_size] for start in range(0, 30, batch_size)]
    made = list(resident(inputs=inputs).batches(iter(parts)))
    assert len(made) == len(parts)
    for part, ours in zip(parts, made, strict=True):
        assert_same(ours, batch_of(part, inputs))


def test_a_process_reads_its_share_and_has_all_labels():
    part, share = np.arange(9), slice(1, None, 2)
    (ours,) = resident().batches([part], share=share)
    assert ours.labels.tolist() == LABELS[part].tolist()
    assert_same(ours[:2], batch_of(part[share])[:2])


def test_no_batches_make_no_batch():
    assert list(resident().batches([])) == []


def test_documents_that_exceed_the_limit_are_not_held():
    needed = 4 * int(np.minimum(LENGTHS, 8).sum())
    assert resident(limit=needed) is not None
    assert resident(limit=needed - 1) is None
