import subprocess
import sys
import threading
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim import Adam as TorchAdam
from torch.optim import SparseAdam
from torch.testing import assert_close

from textclf.training import optimizer as module
from textclf.training.optimizer import Adam

GPU = pytest.param(
    "cuda",
    marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
)
DEVICES = pytest.mark.parametrize("device", ["cpu", GPU])
FUSED = pytest.mark.parametrize("fused", [False, True])
ROWS = [[0, 3, 4, 19], [3], [1, 3, 18], [5, 0], [0, 3, 4, 19], [7, 8, 9, 10, 11]]  # of each step, each at most once


@pytest.fixture(autouse=True)
def _seeded(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(module, "FEW_ROWS", 0.9)


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
def test_rows_move_as_torch_s_adam_for_sparse_gradients_moves_them(fused, device):
    ours, theirs = table(sparse=True, device=device), table(sparse=True, device=device)
    adam = Adam(ours.parameters(), lr=0.05, betas=(0.8, 0.95), fused=fused)
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
def test_dense_gradients_are_adam_s(fused, device):
    ours, theirs = table(sparse=False, device=device), table(sparse=False, device=device)
    row_adam, adam = (kind([made.weight], lr=0.05, fused=fused) for kind, made in ((Adam, ours), (TorchAdam, theirs)))
    for rows in ROWS * 3:
        step(row_adam, ours, rows)
        step(adam, theirs, rows)
    assert torch.equal(ours.weight, theirs.weight)


@FUSED
def test_a_sparse_gradient_of_every_row_is_a_dense_one(fused):
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
def test_a_row_without_a_gradient_keeps_its_weights_and_its_means(fused):
    embedding = table(sparse=True)
    adam = Adam(embedding.parameters(), lr=0.05, fused=fused)
    step(adam, embedding, [0, 1, 2])
    state = adam.state[embedding.weight]
    before = [tensor.detach().clone() for tensor in (embedding.weight, state["exp_avg"], state["exp_avg_sq"])]
    step(adam, embedding, [2, 5])
    still = [row for row in range(20) if row not in (2, 5)]
    for earlier, tensor in zip(before, (embedding.weight, state["exp_avg"], state["exp_avg_sq"]), strict=True):
        assert torch.equal(earlier[still], tensor[still])
        assert (earlier[[2, 5]] != tensor[[2, 5]]).all()


@FUSED
def test_a_sparse_gradient_of_many_rows_moves_them_all(fused, monkeypatch):
    monkeypatch.setattr(module, "FEW_ROWS", 0.1)
    ours, theirs = table(sparse=True), table(sparse=False)
    adam, plain = Adam(ours.parameters(), lr=0.05, fused=fused), TorchAdam(theirs.parameters(), lr=0.05, fused=fused)
    for rows in ([0, 3, 4, 19], [3, 4, 5], [0, 3, 4, 19]):
        step(adam, ours, rows)
        step(plain, theirs, rows)
        assert_close(ours.weight, theirs.weight)


@DEVICES
@FUSED
@pytest.mark.parametrize("piece", [1, 12, 42, 120, 1 << 19])
def test_a_table_moves_piece_by_piece_as_it_would_at_once(fused, piece, device, monkeypatch):
    monkeypatch.setattr(module, "FEW_ROWS", 0.0)
    monkeypatch.setattr(module, "PIECE", piece)  # of 120 numbers, 6 a row
    ours, theirs = table(sparse=True, device=device), table(sparse=False, device=device)
    adam, plain = Adam(ours.parameters(), lr=0.05, fused=fused), TorchAdam(theirs.parameters(), lr=0.05, fused=fused)
    for rows in ([0, 3, 4, 19], [5], [18, 19], [0, 3, 4, 19], list(range(20))):
        step(adam, ours, rows)
        step(plain, theirs, rows)
        assert_close(ours.weight, theirs.weight)
    for name, value in adam.state[ours.weight].items():
        assert_close(value, plain.state[theirs.weight][name], check_device=False)


@pytest.fixture
def threads(request):
    """Lets torch have so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 5], indirect=True)
def test_pieces_of_a_large_table_give_the_same_bits_as_the_whole(threads, monkeypatch):
    monkeypatch.setattr(module, "FEW_ROWS", 0.0)
    tables = [nn.Parameter(torch.randn(140_000, 24, generator=torch.Generator().manual_seed(1))) for _ in range(2)]
    assert tables[0].numel() > 3 * module.PIECE
    pieces, whole = (Adam([made], lr=0.05, fused=True) for made in tables)
    for _ in range(3):
        rows, values = torch.randperm(140_000)[:60_000].sort()[0], torch.randn(60_000, 24)
        tables[0].grad = torch.sparse_coo_tensor(
            rows[None], values, (140_000, 24), is_coalesced=True, check_invariants=False
        )
        tables[1].grad = torch.zeros(140_000, 24).index_copy_(0, rows, values)
        pieces.step()
        whole.step()
    assert torch.equal(*tables)
    for name, value in pieces.state[tables[0]].items():
        assert torch.equal(value, whole.state[tables[1]][name])
    assert torch.get_num_threads() == threads  # for all but those that took the pieces
    assert sum(thread.name.startswith("pieces") for thread in threading.enumerate()) in range(1, threads + 1)
    pieces.forget()
    assert not any(thread.name.startswith("pieces") for thread in threading.enumerate())


def test_an_error_in_a_piece_is_one_of_the_step(monkeypatch):
    monkeypatch.setattr(module, "FEW_ROWS", 0.0)
    monkeypatch.setattr(module, "PIECE", 12)
    ours = table(sparse=True)
    adam = Adam(ours.parameters(), lr=0.05, fused=True)
    monkeypatch.setattr(Adam, "_move", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        step(adam, ours, [0, 18])


@DEVICES
@FUSED
@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_step_that_must_not_be_taken_changes_nothing(fused, share, sparse, device, monkeypatch):
    monkeypatch.setattr(module, "FEW_ROWS", share)
    ours, theirs = table(sparse=sparse, device=device), table(sparse=sparse, device=device)
    adam, other = (Adam(made.parameters(), lr=0.05, fused=fused) for made in (ours, theirs))
    for number, rows in enumerate(ROWS):
        step(adam, ours, rows)
        step(other, theirs, rows)
        if number == 2:
            theirs.weight.grad = theirs.weight.grad * float("nan")
            other.step(unless=torch.ones((), device=device))
    assert torch.equal(ours.weight, theirs.weight)
    for name, value in adam.state[ours.weight].items():
        assert torch.equal(value, other.state[theirs.weight][name])


def test_it_does_not_load_the_compiler():
    code = (
        "import sys, torch; from textclf.training.optimizer import Adam; weight = torch.nn.Parameter(torch.ones(2)); "
        "adam = Adam([weight], lr=0.1, fused=True); weight.sum().backward(); adam.step(); adam.zero_grad(); "
        "adam.load_state_dict(adam.state_dict()); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_state_of_other_parameters_is_refused():
    adam, other = Adam([nn.Parameter(torch.ones(3))], lr=0.1), Adam([nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.raises(ValueError, match="shape"):
        adam.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match="argument"):
        adam.load_state_dict(Adam([], lr=0.1).state_dict())


@FUSED
def test_it_goes_on_from_its_saved_state_as_if_nothing_had_happened(fused):
    embedding = table(sparse=True)
    adam = Adam(embedding.parameters(), lr=0.05, fused=fused)
    for rows in ROWS:
        step(adam, embedding, rows)
    again = deepcopy(embedding)
    restored = Adam(again.parameters(), lr=0.7, fused=fused)
    restored.load_state_dict(deepcopy(adam.state_dict()))
    fresh = deepcopy(embedding)
    forgetful = Adam(fresh.parameters(), lr=0.05, fused=fused)
    for rows in ROWS:
        for optimizer, weights in ((adam, embedding), (restored, again), (forgetful, fresh)):
            step(optimizer, weights, rows)
    assert torch.equal(again.weight, embedding.weight)
    assert not torch.allclose(fresh.weight, embedding.weight, atol=1e-3)
