"""What ranks send each other."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.training.many import Outcome, make_store, ranks
from textclf.errors import UsageError
from textclf.system.torchrun import Process
from textclf.training.distributed import Distributed


def test_gradients_are_added_row_by_row():
    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows = nn.Parameter(torch.zeros(6, 2))
            self.dense = nn.Parameter(torch.zeros(3))
            self.rare = nn.Parameter(torch.zeros(2))
            self.unused = nn.Parameter(torch.zeros(2))

    def add(rank):
        model = Table()
        places = torch.tensor([[0, 2, 5], [2, 3, 3]][rank.rank][: 3 - rank.rank])
        values = torch.full((len(places), 2), rank.rank + 1.0)
        model.rows.grad = torch.sparse_coo_tensor(
            places[None], values, (6, 2), is_coalesced=True, check_invariants=False
        )
        model.dense.grad = torch.tensor([1.0, 2.0, 3.0]) * (rank.rank + 1)
        if rank.rank == 1:
            model.rare.grad = torch.ones(2)
        rank.sum_gradients(model)
        rows = model.rows.grad
        assert rows.is_coalesced()
        assert model.unused.grad is None
        return (
            rows._indices()[0].tolist(),
            rows._values()[:, 0].tolist(),
            model.dense.grad.tolist(),
            model.rare.grad.tolist(),
        )

    for outcome in ranks(2, add):
        assert outcome == Outcome(0, ([0, 2, 3, 5], [1.0, 3.0, 2.0, 1.0], [3.0, 6.0, 9.0], [1.0, 1.0]))


def test_the_logits_of_all_shares_are_in_the_order_of_the_batch():
    """Five documents for three ranks, then one; its gradient goes to the rank that has it."""

    def gather(rank):
        whole = torch.arange(20.0).reshape(2, 5, 2)
        own = whole[:, rank.share].clone().requires_grad_()
        found = rank.gather(own, 5)
        (found * torch.arange(20.0).reshape(2, 5, 2)).sum().backward()
        alone = torch.ones(2, 1, 2, requires_grad=True)
        rank.gather(alone, 1).sum().backward()
        return torch.equal(found, whole), torch.equal(own.grad, whole[:, rank.share]), float(alone.grad.sum())

    assert [outcome.value for outcome in ranks(3, gather)] == [(True, True, 4.0), (True, True, 0.0), (True, True, 0.0)]


def test_each_rank_has_a_cuda_device_of_its_own(monkeypatch):
    rank = Distributed(Process(5, 8, 1, 4, 1, "node0", 29500, 0, has_store=True), None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert [str(rank.pick(name)) for name in ("auto", "cuda", "cpu")] == ["cuda:1", "cuda:1", "cpu"]
    with pytest.raises(UsageError, match="--device cuda or cpu, not cuda:2"):
        rank.pick("cuda:2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    with pytest.raises(UsageError, match="has 3 CUDA devices for 4 processes; try torchrun --nproc-per-node 3"):
        rank.pick("auto")


def test_the_next_attempt_finds_the_run_of_the_one_before():
    store = make_store()

    def begin(rank):
        before = rank.run_before()
        rank.wait()
        rank.remember(Path("runs/first"))
        return before

    assert ranks(2, begin, store=store) == [Outcome(0, None)] * 2
    assert ranks(2, begin, store=store, attempt=1) == [Outcome(0, Path("runs/first"))] * 2
