import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim import Adam as TorchAdam
from torch.optim import SparseAdam
from torch.testing import assert_close

from textclf.training.learner import Adam

GPU = pytest.param(
    "cuda",
    marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
)
DEVICES = pytest.mark.parametrize("device", ["cpu", GPU])
FUSED = pytest.mark.parametrize("fused", [False, True])
MOST_ROWS = 0.9  # share of the table up to which the rows alone are updated
ROWS = [[0, 3, 4, 19], [3], [1, 3, 18], [5, 0], [0, 3, 4, 19], [7, 8, 9, 10, 11]]  # of each step, each at most once


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def table(*, sparse, device="cpu"):
    """Embeddings that are the same each time."""
    embedding = nn.Embedding(20, 6, sparse=sparse)
    with torch.no_grad():
        embedding.weight.copy_(torch.randn(20, 6, generator=torch.Generator().manual_seed(3)))
    return embedding.to(device)


def step(optimizer, embedding, rows):
    """One step, whose gradient of a row depends on the row and on its weights."""
    optimizer.zero_grad()
    chosen = torch.tensor(rows, device=embedding.weight.device)
    ((embedding(chosen) - chosen[:, None]) ** 2).sum().backward()
    assert embedding.weight.grad.is_sparse is embedding.sparse
    optimizer.step()


@DEVICES
@FUSED
def test_rows_are_updated_as_by_torch_s_sparse_adam(fused, device):
    ours, theirs = table(sparse=True, device=device), table(sparse=True, device=device)
    adam = Adam(ours.parameters(), lr=0.05, betas=(0.8, 0.95), fused=fused, few_rows=MOST_ROWS)
    sparse_adam = SparseAdam(theirs.parameters(), lr=0.05, betas=(0.8, 0.95))
    begun = ours.weight.detach().clone()
    for rows in ROWS * 3:
        step(adam, ours, rows)
        step(sparse_adam, theirs, rows)
        assert_close(ours.weight, theirs.weight)
    touched = sorted({row for rows in ROWS for row in rows})
    assert ((ours.weight - begun)[touched].abs() > 0.05).all()
    for name in ("exp_avg", "exp_avg_sq"):
        assert_close(adam.state[ours.weight][name], sparse_adam.state[theirs.weight][name])


@DEVICES
@FUSED
def test_dense_gradients_are_applied_as_by_torch_s_adam(fused, device):
    ours, theirs = table(sparse=False, device=device), table(sparse=False, device=device)
    row_adam, adam = (kind([made.weight], lr=0.05, fused=fused) for kind, made in ((Adam, ours), (TorchAdam, theirs)))
    for rows in ROWS * 3:
        step(row_adam, ours, rows)
        step(adam, theirs, rows)
    assert torch.equal(ours.weight, theirs.weight)


@FUSED
def test_a_sparse_gradient_of_every_row_acts_as_a_dense_one(fused):
    """As long as no row waits, the rows move as Adam moves them, beside dense parameters of the same model."""
    models = []
    for kind, sparse in ((Adam, True), (TorchAdam, False)):
        torch.manual_seed(1)
        model = nn.Sequential(table(sparse=sparse), nn.Linear(6, 3))
        optimizer = kind(model.parameters(), lr=0.05, fused=fused)
        for _ in range(5):
            optimizer.zero_grad()
            model(torch.randperm(20)).square().sum(dim=1).log().sum().backward()
            optimizer.step()
        models.append(model)
    for ours, theirs in zip(*(model.parameters() for model in models), strict=True):
        assert_close(ours, theirs)


@FUSED
def test_a_row_without_a_gradient_keeps_its_weights_and_moments(fused):
    embedding = table(sparse=True)
    adam = Adam(embedding.parameters(), lr=0.05, fused=fused, few_rows=MOST_ROWS)
    step(adam, embedding, [0, 1, 2])
    state = adam.state[embedding.weight]
    before = [tensor.detach().clone() for tensor in (embedding.weight, state["exp_avg"], state["exp_avg_sq"])]
    step(adam, embedding, [2, 5])
    still = [row for row in range(20) if row not in (2, 5)]
    for earlier, tensor in zip(before, (embedding.weight, state["exp_avg"], state["exp_avg_sq"]), strict=True):
        assert torch.equal(earlier[still], tensor[still])
        assert (earlier[[2, 5]] != tensor[[2, 5]]).all()


@FUSED
def test_a_sparse_gradient_of_many_rows_updates_all_rows(fused):
    ours, theirs = table(sparse=True), table(sparse=False)
    adam = Adam(ours.parameters(), lr=0.05, fused=fused, few_rows=0.1)
    plain = TorchAdam(theirs.parameters(), lr=0.05, fused=fused)
    for rows in ([0, 3, 4, 19], [3, 4, 5], [0, 3, 4, 19]):
        step(adam, ours, rows)
        step(plain, theirs, rows)
        assert_close(ours.weight, theirs.weight)


@DEVICES
@FUSED
@pytest.mark.parametrize("piece", [1, 12, 42, 120, 1 << 19])
def test_a_table_is_updated_the_same_in_pieces_as_at_once(fused, piece, device):
    ours, theirs = table(sparse=True, device=device), table(sparse=False, device=device)
    adam = Adam(ours.parameters(), lr=0.05, fused=fused, few_rows=0.0, piece=piece)  # of 120 numbers, 6 per row
    plain = TorchAdam(theirs.parameters(), lr=0.05, fused=fused)
    for rows in ([0, 3, 4, 19], [5], [18, 19], [0, 3, 4, 19], list(range(20))):
        step(adam, ours, rows)
        step(plain, theirs, rows)
        assert_close(ours.weight, theirs.weight)
    for name, value in adam.state[ours.weight].items():
        assert_close(value, plain.state[theirs.weight][name], check_device=False)


def test_an_error_in_a_piece_fails_the_step(monkeypatch):
    ours = table(sparse=True)
    adam = Adam(ours.parameters(), lr=0.05, fused=True, few_rows=0.0, piece=12)
    monkeypatch.setattr(Adam, "_update", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        step(adam, ours, [0, 18])


@DEVICES
@FUSED
@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_skipped_step_changes_nothing(fused, share, sparse, device):
    ours, theirs = table(sparse=sparse, device=device), table(sparse=sparse, device=device)
    adam, other = (Adam(made.parameters(), lr=0.05, fused=fused, few_rows=share) for made in (ours, theirs))
    for number, rows in enumerate(ROWS):
        step(adam, ours, rows)
        step(other, theirs, rows)
        if number == 2:
            theirs.weight.grad = theirs.weight.grad * float("nan")
            other.step(unless=torch.ones((), device=device))
    assert torch.equal(ours.weight, theirs.weight)
    for name, value in adam.state[ours.weight].items():
        assert torch.equal(value, other.state[theirs.weight][name])


def test_it_does_not_import_torch_s_compiler():
    code = (
        "import sys, torch; from textclf.training.learner import Adam; weight = torch.nn.Parameter(torch.ones(2)); "
        "adam = Adam([weight], lr=0.1, fused=True); weight.sum().backward(); adam.step(); adam.zero_grad(); "
        "adam.load_state_dict(adam.state_dict()); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_state_of_other_parameters_is_refused():
    adam, other = Adam([nn.Parameter(torch.ones(3))], lr=0.1), Adam([nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.raises(ValueError, match="shape"):
        adam.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match="argument"):
        adam.load_state_dict(Adam([], lr=0.1).state_dict())


@FUSED
def test_it_resumes_from_its_saved_state_exactly(fused):
    embedding = table(sparse=True)
    adam = Adam(embedding.parameters(), lr=0.05, fused=fused, few_rows=MOST_ROWS)
    for rows in ROWS:
        step(adam, embedding, rows)
    again = deepcopy(embedding)
    restored = Adam(again.parameters(), lr=0.7, fused=fused, few_rows=MOST_ROWS)
    restored.load_state_dict(deepcopy(adam.state_dict()))
    fresh = deepcopy(embedding)
    forgetful = Adam(fresh.parameters(), lr=0.05, fused=fused, few_rows=MOST_ROWS)
    for rows in ROWS:
        for optimizer, weights in ((adam, embedding), (restored, again), (forgetful, fresh)):
            step(optimizer, weights, rows)
    assert torch.equal(again.weight, embedding.weight)
    assert not torch.allclose(fresh.weight, embedding.weight, atol=1e-3)
