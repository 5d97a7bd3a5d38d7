import time

import pytest
import torch

from tests.training.helpers import SlowBatches
from textclf.training.meters import Clock, Meter, Score
from textclf.training.objective import Softmax


@pytest.fixture
def meter():
    return Meter(Softmax(), torch.device("cpu"))


def test_a_meter_can_be_read_between_batches(meter):
    meter.add(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]), torch.tensor(3.0), torch.tensor(2.0))
    assert (meter.score(), meter.gradient_norm(), meter.documents) == (Score(1.5, 0.5, 2), 2.0, 2)
    meter.add(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor(3.0), torch.tensor(4.0))
    assert (meter.score(), meter.gradient_norm(), meter.documents) == (Score(2.0, pytest.approx(2 / 3), 3), 3.0, 3)


def test_a_label_that_the_model_cannot_give_counts_in_the_accuracy_and_not_in_the_loss(meter):
    meter.add(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, -1]), torch.tensor(3.0))
    assert meter.score() == Score(loss=3.0, accuracy=0.5, documents=2)


@pytest.mark.parametrize("poisoned", ["loss", "gradient"])
def test_a_meter_counts_the_steps_before_the_first_that_is_not_finite(poisoned, meter):
    for value in (1.0, 1.0, float("nan"), 1.0):
        norm = torch.tensor(value if poisoned == "gradient" else 1.0)
        meter.add(torch.zeros(1, 2), torch.tensor([0]), torch.tensor(value if poisoned == "loss" else 1.0), norm)
    assert (int(meter.has_diverged), meter.finite_steps(), meter.steps) == (1, 2, 4)


def test_a_restored_meter_continues_from_the_same_counts(meter):
    other = Meter(Softmax(), torch.device("cpu"))
    batch = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]), torch.tensor(3.0), torch.tensor(2.0)
    meter.add(*batch)
    saved = meter.state_dict()
    meter.add(*batch)
    other.load_state_dict(saved)
    other.add(*batch)
    assert other.state_dict() == meter.state_dict()
    assert other.state_dict() != saved


def test_waiting_is_split_into_load_and_collate_in_proportion():
    class Slow(SlowBatches, list):
        pass

    started, clock = time.perf_counter(), Clock()
    for _ in clock.waiting(Slow("abc")):
        clock.lap("forward")
    profile = clock.stop()
    assert sum(profile.values()) <= time.perf_counter() - started
    assert list(profile) == ["load", "collate", "transfer", "forward", "backward", "step", "other"]
    assert profile["load"] + profile["collate"] >= 0.06
    assert profile["collate"] == pytest.approx(profile["load"] / 3)
    assert profile["forward"] > 0 == profile["backward"]
