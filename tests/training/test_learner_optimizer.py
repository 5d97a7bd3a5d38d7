import math
import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim import Adam as TorchAdam
from torch.testing import assert_close

from textclf.training.learner import Adam

GPU = pytest.param(
    "cuda",
    marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
)
DEVICES = pytest.mark.parametrize("device", ["cpu", GPU])
FUSED = pytest.mark.parametrize("fused", [False, True])
ROWS = [[0, 3, 4, 19], [3], [1, 3, 18], [0, 5], [0, 3, 4, 19], [7, 8, 9, 10, 11]]  # of each step, rising


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def table(*, sparse, device="cpu"):
    """Embeddings that are the same each time."""
    embedding = nn.Embedding(20, 6, sparse=sparse)
    with torch.no_grad():
        embedding.weight.copy_(torch.randn(20, 6, generator=torch.Generator().manual_seed(3)))
    return embedding.to(device)


def give(embedding, rows, numbers):
    """Give a table a sparse gradient of some rows, as the mlp does."""
    places, numbers = torch.tensor([rows], device=embedding.weight.device), numbers.to(embedding.weight.device)
    shape = embedding.weight.shape
    embedding.weight.grad = torch.sparse_coo_tensor(places, numbers, shape, is_coalesced=True, check_invariants=True)


def step(optimizer, embedding, rows):
    """One step, whose gradient of a row depends on the row and on its weights."""
    optimizer.zero_grad()
    chosen = torch.tensor(rows, device=embedding.weight.device)
    ((embedding(chosen) - chosen[:, None]) ** 2).sum().backward()
    assert embedding.weight.grad.is_sparse is embedding.sparse
    optimizer.step()


class RowAdam:
    """What `Adam` does to the rows of a table, number by number."""

    def __init__(self, table, *, lr, decay):
        self.table, self.lr, self.decay = table, lr, decay
        self.squares, self.steps = [0.0] * len(table), 0

    def step(self, gradients):
        """``gradients``: of each row that has one."""
        self.steps += 1
        self.squares = [square * self.decay for square in self.squares]
        known = 1 - self.decay**self.steps
        most = math.sqrt(known / (1 - self.decay))
        for row, gradient in gradients.items():
            self.squares[row] += (1 - self.decay) * sum(number**2 for number in gradient) / len(gradient)
            size = math.sqrt(self.squares[row] / known) + 1e-8
            moves = [self.lr * min(max(number / size, -most), most) for number in gradient]
            self.table[row] = [weight - move for weight, move in zip(self.table[row], moves, strict=True)]


@DEVICES
@FUSED
def test_rows_are_updated_by_the_mean_square_of_their_numbers(fused, device):
    ours = table(sparse=True, device=device)
    adam = Adam(ours, lr=0.05, betas=(0.8, 0.95), fused=fused)
    theirs = RowAdam(ours.weight.tolist(), lr=0.05, decay=0.95)
    for rows in ROWS * 3:
        numbers = torch.randn(len(rows), 6) * (torch.rand(len(rows), 6) < 0.5)  # as with dropout
        give(ours, rows, numbers)
        theirs.step(dict(zip(rows, numbers.tolist(), strict=True)))
        adam.step()
        assert_close(ours.weight.cpu(), torch.tensor(theirs.table))
    assert_close(adam.state[ours.weight]["square"].cpu(), torch.tensor(theirs.squares))


@DEVICES
@FUSED
def test_dense_gradients_are_applied_as_by_torch_s_adam(fused, device):
    ours, theirs = table(sparse=False, device=device), table(sparse=False, device=device)
    adam, torch_adam = Adam(ours, lr=0.05, fused=fused), TorchAdam(theirs.parameters(), lr=0.05, fused=fused)
    for rows in ROWS * 3:
        step(adam, ours, rows)
        step(torch_adam, theirs, rows)
    assert torch.equal(ours.weight, theirs.weight)


@FUSED
def test_dense_parameters_beside_a_table_are_updated_as_by_torch_s_adam(fused):
    model, alone = nn.Sequential(table(sparse=True), nn.Linear(6, 3)), nn.Linear(6, 3)
    alone.load_state_dict(model[1].state_dict())
    adam, torch_adam = Adam(model, lr=0.05, fused=fused), TorchAdam(alone.parameters(), lr=0.05, fused=fused)
    for _ in range(5):
        adam.zero_grad()
        model(torch.randperm(20)).square().sum(dim=1).log().sum().backward()
        for ours, theirs in zip(model[1].parameters(), alone.parameters(), strict=True):
            theirs.grad = ours.grad.clone()
        adam.step()
        torch_adam.step()
    for ours, theirs in zip(model[1].parameters(), alone.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert not torch.equal(model[0].weight, table(sparse=True).weight)


@FUSED
def test_a_row_without_a_gradient_keeps_its_weights(fused):
    embedding = table(sparse=True)
    adam = Adam(embedding, lr=0.05, fused=fused)
    step(adam, embedding, [0, 1, 2])
    before = embedding.weight.detach().clone()
    step(adam, embedding, [2, 5])
    still = [row for row in range(20) if row not in (2, 5)]
    assert torch.equal(before[still], embedding.weight[still])
    assert (before[[2, 5]] != embedding.weight[[2, 5]]).all()


def test_a_rare_row_moves_further_than_a_frequent_one():
    embedding = table(sparse=True)
    adam = Adam(embedding, lr=0.05)
    for rows in [[0]] * 40 + [[0, 1]]:
        before = embedding.weight.detach().clone()
        give(embedding, rows, torch.ones(len(rows), 6))
        adam.step()
    moved = (before - embedding.weight)[:2, 0]
    assert_close(moved, torch.tensor([0.05, 0.05 * (1 - 0.999**41) ** 0.5 / 0.001**0.5]), rtol=1e-3, atol=0)


def test_a_number_alone_in_its_row_moves_as_by_torch_s_adam_without_first_moment():
    """The mean over its row is smaller than its own square."""
    ours, theirs = table(sparse=True), table(sparse=False)
    adam = Adam(ours, lr=0.05)
    torch_adam = TorchAdam(theirs.parameters(), lr=0.05, betas=(0.0, 0.999))
    for row in (3, 4, 5):
        alone = torch.tensor([[0, 0, -0.7, 0, 0, 0]])
        give(ours, [row], alone)
        theirs.weight.grad = ours.weight.grad.to_dense()
        adam.step()
        torch_adam.step()
        assert_close(ours.weight, theirs.weight)


def test_a_row_whose_gradient_is_0_stays():
    embedding = table(sparse=True)
    before = embedding.weight.detach().clone()
    give(embedding, [4], torch.zeros(1, 6))
    Adam(embedding, lr=0.05).step()
    assert torch.equal(embedding.weight, before)


def test_a_table_has_one_number_of_state_per_row():
    embedding = table(sparse=True)
    state = Adam(embedding, lr=0.05).state[embedding.weight]
    assert sum(value.numel() for value in state.values()) == 20 + 1  # and the number of steps


@DEVICES
@FUSED
@pytest.mark.parametrize("sparse", [False, True])
def test_a_skipped_step_changes_nothing(fused, sparse, device):
    ours, theirs = table(sparse=sparse, device=device), table(sparse=sparse, device=device)
    adam, other = (Adam(made, lr=0.05, fused=fused) for made in (ours, theirs))
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
        "import sys, torch; from textclf.training.learner import Adam; "
        "model = torch.nn.Sequential(torch.nn.Embedding(2, 2, sparse=True), torch.nn.Linear(2, 1)); "
        "adam = Adam(model, lr=0.1, fused=True); model(torch.tensor([1])).sum().backward(); adam.step(); "
        "adam.zero_grad(); adam.load_state_dict(adam.state_dict()); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_state_of_other_parameters_is_refused():
    adam, other = (Adam(nn.ParameterList([torch.ones(size)]), lr=0.1) for size in (3, 2))
    with pytest.raises(ValueError, match="shape"):
        adam.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match="argument"):
        adam.load_state_dict(Adam(nn.ParameterList(), lr=0.1).state_dict())


@FUSED
def test_it_resumes_from_its_saved_state_exactly(fused):
    embedding = table(sparse=True)
    adam = Adam(embedding, lr=0.05, fused=fused)
    for rows in ROWS:
        step(adam, embedding, rows)
    again = deepcopy(embedding)
    restored = Adam(again, lr=0.7, fused=fused)
    restored.load_state_dict(deepcopy(adam.state_dict()))
    fresh = deepcopy(embedding)
    forgetful = Adam(fresh, lr=0.05, fused=fused)
    for rows in ROWS:
        for optimizer, weights in ((adam, embedding), (restored, again), (forgetful, fresh)):
            step(optimizer, weights, rows)
    assert torch.equal(again.weight, embedding.weight)
    assert not torch.allclose(fresh.weight, embedding.weight, atol=1e-3)
