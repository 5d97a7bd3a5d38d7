import itertools
import time

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch.testing import assert_close

from tests.training.helpers import SlowBatches
from textclf.training.meters import Clock, Meter, Score
from textclf.training.objective import Sigmoid, Softmax


@pytest.fixture
def meter():
    return Meter(Softmax(), torch.device("cpu"))


def test_a_meter_can_be_read_between_batches(meter):
    meter.add(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]), torch.tensor(3.0), torch.tensor(2.0))
    # both are given the first class: its F1 is 2/3, that of the second 0
    assert meter.score() == pytest.approx(Score(1.5, 0.5, 2, macro_f1=1 / 3, micro_f1=0.5))
    assert (meter.gradient_norm(), meter.documents) == (2.0, 2)
    meter.add(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor(3.0), torch.tensor(4.0))
    assert meter.score() == pytest.approx(Score(2.0, 2 / 3, 3, macro_f1=(4 / 5) / 2, micro_f1=2 / 3))
    assert (meter.gradient_norm(), meter.documents) == (3.0, 3)


def test_a_label_that_the_model_cannot_give_counts_in_the_accuracy_and_not_in_the_loss(meter):
    meter.add(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, -1]), torch.tensor(3.0))
    assert meter.score() == pytest.approx(Score(3.0, 0.5, 2, macro_f1=(2 / 3) / 2, micro_f1=0.5))


def macro_and_micro(truth, answers):
    """Over the labels that occur."""
    occurs = (truth | answers).any(axis=0)
    macro = f1_score(truth[:, occurs], answers[:, occurs], average="macro", zero_division=0)
    return macro, f1_score(truth, answers, average="micro", zero_division=0)


@pytest.mark.parametrize("seed", range(3))
def test_f1_is_that_of_scikit_learn_whatever_the_batches(seed, meter):
    """Of one label per document; the last class never occurs."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(50, 5, generator=generator) - torch.tensor([0.0, 0, 0, 0, 99])
    labels = torch.randint(0, 4, (50,), generator=generator)
    for batch in torch.arange(50).split(7):
        meter.add(logits[batch], labels[batch], torch.tensor(1.0))
    answers = logits.argmax(dim=1)
    macro = f1_score(labels, answers, average="macro", zero_division=0)
    assert (meter.score().macro_f1, meter.score().micro_f1) == pytest.approx((macro, accuracy_score(labels, answers)))


@pytest.mark.parametrize("seed", range(3))
def test_f1_of_several_labels_is_that_of_scikit_learn(seed):
    generator = torch.Generator().manual_seed(seed)
    sets = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))
    sets = torch.hstack([sets, torch.zeros(8, 1)])  # no document has the last
    several = Meter(Sigmoid(sets), torch.device("cpu"))
    labels = torch.randint(0, 8, (50,), generator=generator)
    logits = torch.randn(50, 4, generator=generator) - torch.tensor([0.0, 0, 0, 99])
    for batch in torch.arange(50).split(7):
        several.add(logits[batch], labels[batch], torch.tensor(1.0))
    truth, answers = sets[labels].bool().numpy(), (logits > 0).numpy()
    score = several.score()
    assert (score.macro_f1, score.micro_f1) == pytest.approx(macro_and_micro(truth, answers))
    assert score.accuracy == pytest.approx(accuracy_score(truth, answers))


def test_without_any_label_or_answer_f1_is_0():
    several = Meter(Sigmoid(torch.zeros(1, 2)), torch.device("cpu"))
    several.add(torch.full((3, 2), -1.0), torch.tensor([0, 0, 0]), torch.tensor(1.0))
    assert several.score() == pytest.approx(Score(1 / 3, 1.0, 3, macro_f1=0.0, micro_f1=0.0))


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
    assert_close(other.state_dict(), meter.state_dict())
    assert other.score() == meter.score()
    assert other.documents == 2 * saved["documents"]


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
