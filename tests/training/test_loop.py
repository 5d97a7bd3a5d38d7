from math import inf, nan
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import Tensor, nn
from torch.optim import SGD
from torch.testing import assert_close

from tests.conftest import small_config
from textclf.errors import DivergedError
from textclf.loading import TokenDataset
from textclf.models import ARCHITECTURES
from textclf.store.directory import DataDirectory
from textclf.training import loop
from textclf.training.loop import MIN_GAIN, EarlyStopping, Meter, Pass, Score, evaluate, fit, predict, train_epoch
from textclf.training.session import assemble

CPU = Pass(torch.device("cpu"))


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


class Batch(NamedTuple):
    x: Tensor
    labels: Tensor


class Scaled(nn.Module):
    """Logits are the batch's numbers times one weight, some of them dropped."""

    def __init__(self, scale=1.0, dropout=0.0):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch):
        return self.dropout(batch.x) * self.scale


class OnNumbers(nn.Module):
    """Logits are what the layers make of the batch's numbers."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, batch):
        return self.layers(batch.x)


class Loaded(list):
    """Batches with a sampler to tell the epoch to, as a DataLoader has one."""

    batch_sampler = SimpleNamespace(epoch=0)


def make_batches(*sizes, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Loaded(
        Batch(torch.randn(size, classes, generator=generator), torch.randint(classes, (size,), generator=generator))
        for size in sizes
    )


def joined(batches):
    return torch.cat([batch.x for batch in batches]), torch.cat([batch.labels for batch in batches])


def train_some(model, batches, *, epochs=range(1, 4), how=CPU, patience=100, lr=0.1):
    """Fit with plain gradient descent; validation on the training batches."""
    optimizer = SGD(model.parameters(), lr=lr)
    given = {"train": batches, "validation": batches}
    return list(fit(model, optimizer, given, epochs=epochs, stopping=EarlyStopping(patience), how=how))


def test_evaluate_scores_as_scikit_learn_does():
    batches = make_batches(5, 1, 2)  # unequal: a mean of batch means would be off
    logits, labels = joined(batches)
    score = evaluate(Scaled(), batches, how=CPU)
    assert score.loss == pytest.approx(log_loss(labels, logits.double().softmax(dim=1)), abs=1e-6)
    assert score.accuracy == accuracy_score(labels, logits.argmax(dim=1))
    assert score.documents == 8


def test_a_label_that_the_model_cannot_give_is_an_error_and_has_no_loss():
    batch = Batch(torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 0, -1, -1]))
    losses = [np.log(1 + np.exp(-2)), np.log(1 + np.exp(2))]
    score = evaluate(Scaled(), [batch], how=CPU)
    assert score == Score(pytest.approx(np.mean(losses), abs=1e-6), 0.25, 4)


def test_the_training_score_is_that_before_each_step():
    batches = make_batches(4, 3)
    model = Scaled()
    still, _ = train_epoch(model, SGD(model.parameters(), lr=0.0), batches, how=CPU)
    assert still == pytest.approx(evaluate(model, batches, how=CPU))
    first, second = (evaluate(Scaled(), [batch], how=CPU).loss for batch in batches)
    moving, _ = train_epoch(model, SGD(model.parameters(), lr=0.5), batches, how=CPU)
    assert moving.loss < (4 * first + 3 * second) / 7 - 1e-4


def test_a_step_follows_the_mean_loss_of_its_batch():
    batches = make_batches(6)
    reference, trained = Scaled(), Scaled()
    nn.functional.cross_entropy(reference(batches[0]), batches[0].labels).backward()
    _, norm = train_epoch(trained, SGD(trained.parameters(), lr=0.1), batches, how=CPU)
    assert_close(trained.scale, reference.scale - 0.1 * reference.scale.grad)
    assert norm == pytest.approx(reference.scale.grad.norm().item())


def test_gradients_of_earlier_steps_are_forgotten():
    batches = make_batches(4, 4)
    one, other = Scaled(), Scaled()
    train_epoch(one, SGD(one.parameters(), lr=0.1), batches, how=CPU)
    for batch in batches:
        fresh = SGD(other.parameters(), lr=0.1)
        fresh.zero_grad()
        train_epoch(other, fresh, [batch], how=CPU)
    assert torch.equal(one.scale, other.scale)


def test_the_meter_can_be_read_while_it_counts():
    meter = Meter(torch.device("cpu"))
    meter.add(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]), torch.tensor(3.0), torch.tensor(2.0))
    assert (meter.score(), meter.gradient_norm(), meter.documents) == (Score(1.5, 0.5, 2), 2.0, 2)
    meter.add(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor(3.0), torch.tensor(4.0))
    assert (meter.score(), meter.gradient_norm(), meter.documents) == (Score(2.0, pytest.approx(2 / 3), 3), 3.0, 3)


def test_evaluate_leaves_weights_gradients_and_random_numbers_alone():
    model, batches = Scaled(dropout=0.5), make_batches(4)
    model.scale.grad = torch.tensor(7.0)
    before = torch.get_rng_state()
    evaluate(model, batches, how=CPU)
    assert (model.scale.item(), model.scale.grad.item(), model.scale.requires_grad) == (1.0, 7.0, True)
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluate_is_without_dropout_and_training_after_it_is_with():
    model, batches = Scaled(dropout=0.5), make_batches(64)
    optimizer = SGD(model.parameters(), lr=0.0)
    whole = evaluate(model, batches, how=CPU)
    dropped, _ = train_epoch(model, optimizer, batches, how=CPU)
    assert whole == evaluate(Scaled(), batches, how=CPU)
    assert dropped.loss != pytest.approx(whole.loss, abs=1e-3)


def test_predict_returns_logits_and_labels_in_the_order_of_the_batches():
    batches = make_batches(3, 2)
    logits, labels = predict(Scaled(2.0, dropout=0.5), batches, how=CPU)
    expected, expected_labels = joined(batches)
    assert torch.equal(logits, 2 * expected)
    assert torch.equal(labels, expected_labels)
    assert not logits.requires_grad


def test_autocast_computes_in_its_type_and_returns_float32():
    layer = nn.Linear(16, 4)
    seen = []
    layer.register_forward_hook(lambda _layer, _inputs, output: seen.append(output.dtype))
    batch = Batch(torch.randn(8, 16), torch.zeros(8, dtype=torch.int64))
    half = Pass(torch.device("cpu"), autocast=torch.bfloat16).logits(OnNumbers(layer), batch)
    full = CPU.logits(OnNumbers(layer), batch)
    assert seen == [torch.bfloat16, torch.float32]
    assert half.dtype == full.dtype == torch.float32
    assert_close(half, full, rtol=0, atol=0.05)


@pytest.mark.parametrize(("clip_norm", "moved"), [(0.01, 0.01), (inf, None)])
def test_gradients_are_clipped_and_their_norm_is_reported_from_before(clip_norm, moved):
    batches = make_batches(6)
    model, free = Scaled(), Scaled()
    _, norm = train_epoch(model, SGD(model.parameters(), lr=1.0), batches, how=Pass(CPU.device, clip_norm=clip_norm))
    _, free_norm = train_epoch(free, SGD(free.parameters(), lr=1.0), batches, how=CPU)
    assert norm == free_norm > 0.02
    assert abs(model.scale.item() - 1) == pytest.approx(moved or norm, rel=1e-3)


def test_watch_sees_every_batch_and_the_meter_and_may_stop_between_two_steps():
    batches = make_batches(4, 3, 2)
    seen = []

    def watch(batches, meter):
        for batch in batches:
            seen.append(meter.documents)
            if len(seen) == 3:
                raise KeyboardInterrupt
            yield batch

    model, stopped_after_two = Scaled(), Scaled()
    with pytest.raises(KeyboardInterrupt):
        train_epoch(model, SGD(model.parameters(), lr=0.1), batches, how=Pass(CPU.device, watch=watch))
    train_epoch(stopped_after_two, SGD(stopped_after_two.parameters(), lr=0.1), batches[:2], how=CPU)
    assert seen == [0, 4, 7]
    assert torch.equal(model.scale, stopped_after_two.scale)


def test_early_stopping_waits_for_a_lower_loss():
    stopping = EarlyStopping(patience=2)
    losses = [3.0, 2.0, 2.0, 1.5, 1.6, 1.5]
    best = [stopping.is_best(number, loss) for number, loss in enumerate(losses, start=1)]
    assert best == [True, True, False, True, False, False]  # as low again is no improvement
    assert not stopping.is_best(7, 1.5 * (1 - MIN_GAIN / 2))  # nor is a hair lower
    assert (stopping.best_epoch, stopping.best_loss) == (4, 1.5)
    assert EarlyStopping(1, best_epoch=4, best_loss=1.5).is_best(8, 1.5 * (1 - MIN_GAIN * 2))
    assert [stopping.is_over(number) for number in (4, 5, 6, 7)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("patience", "losses", "best"),
    [
        (1, [3.0, 2.0, 2.5], 2),
        (2, [3.0, 2.0, 2.5, 2.1], 2),
        (2, [3.0, 3.5, 2.0, 2.5, 1.0, 9.0], 5),  # ends with the epochs
        (3, [1.0, 2.0, 2.0, 2.0], 1),
    ],
)
def test_fit_stops_after_patience_epochs_without_a_better_one(patience, losses, best, monkeypatch):
    scripted = iter(losses + [8.0] * 10)
    monkeypatch.setattr(loop, "evaluate", lambda *_, **__: Score(next(scripted), 0.5, 4))
    epochs = train_some(Scaled(), make_batches(4), epochs=range(1, 7), patience=patience)
    assert [epoch.validation.loss for epoch in epochs] == losses
    assert [epoch.number for epoch in epochs] == list(range(1, len(losses) + 1))
    assert max(epoch.number for epoch in epochs if epoch.is_best) == best


def test_fit_tells_the_sampler_and_the_reader_what_epoch_it_is():
    batches = make_batches(4, 2)
    told = []
    how = Pass(CPU.device, watch=lambda given, _meter: told.append(given.batch_sampler.epoch) or given)
    epochs = train_some(Scaled(), batches, epochs=range(3, 6), how=how, lr=0.25)
    assert told == [epoch.number for epoch in epochs] == [3, 4, 5]
    assert {epoch.learning_rate for epoch in epochs} == {0.25}
    assert {epoch.train.documents for epoch in epochs} == {epoch.validation.documents for epoch in epochs} == {6}
    assert all(epoch.seconds > 0 and epoch.gradient_norm > 0 for epoch in epochs)


def test_an_epoch_draws_its_dropout_from_seed_and_number_alone():
    def weights(seed=0, numbers=range(1, 4)):
        model = Scaled(dropout=0.5)
        optimizer = SGD(model.parameters(), lr=0.1)
        batches = make_batches(8, 8)
        given = {"train": batches, "validation": batches}
        how = Pass(CPU.device, seed=seed)
        for _ in fit(model, optimizer, given, epochs=numbers, stopping=EarlyStopping(9), how=how):
            torch.rand(torch.randint(1, 9, ()).item())  # whatever happens between two epochs
        return model.scale.item()

    torch.manual_seed(1)
    one = weights()
    torch.manual_seed(2)
    assert weights() == one
    assert weights(seed=1) != one
    assert weights(numbers=range(2, 5)) != one


def test_a_seed_as_large_as_a_clock_or_a_hash_gives_can_be_used():
    how = Pass(CPU.device, seed=2**63 - 1)
    assert len(train_some(Scaled(dropout=0.5), make_batches(4), how=how)) == 3


@pytest.mark.parametrize("poison", [nan, inf])
def test_a_loss_that_is_no_number_ends_training(poison):
    with pytest.raises(DivergedError) as caught:
        train_some(Scaled(poison), make_batches(4), epochs=range(4, 9), lr=0.125)
    assert str(caught.value) == "the loss is not a number in epoch 4; try less than --lr 0.125"
    assert caught.value.exit_code == 6


def test_a_learning_rate_beyond_all_measure_ends_training():
    network = OnNumbers(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)))
    batches = make_batches(4, 4)
    given = {"train": batches, "validation": batches}
    stopping = EarlyStopping(9)
    with pytest.raises(DivergedError):
        list(fit(network, SGD(network.parameters(), lr=1e30), given, epochs=range(1, 9), stopping=stopping, how=CPU))
    assert stopping.best_epoch == 0


@pytest.mark.parametrize("bad", ["train", "validation"])
def test_either_loss_can_end_training_and_the_epoch_is_not_best(bad, monkeypatch):
    worse = {"train": 1.0, "validation": 1.0} | {bad: nan}
    monkeypatch.setattr(loop, "train_epoch", lambda *_, **__: (Score(worse["train"], 0.5, 4), 1.0))
    monkeypatch.setattr(loop, "evaluate", lambda *_, **__: Score(worse["validation"], 0.5, 4))
    model, stopping = Scaled(), EarlyStopping(3)
    given = {"train": make_batches(4), "validation": make_batches(4)}
    with pytest.raises(DivergedError):
        next(fit(model, SGD(model.parameters(), lr=0.1), given, epochs=range(1, 3), stopping=stopping, how=CPU))
    assert stopping.best_epoch == 0


@pytest.mark.parametrize("model", sorted(ARCHITECTURES))
def test_eight_documents_can_be_learnt_by_heart(model, data_dir, tmp_path):
    data = DataDirectory.open(data_dir)
    session = assemble(small_config(model, data_dir, tmp_path, dropout=0.0, lr=0.02), data)
    rows = data.rows("train")[:8]
    labels = np.zeros(len(data.documents.id), dtype=np.int64)
    labels[rows] = [0, 1, 2, 0, 1, 2, 0, 1]  # whatever they say
    eight = TokenDataset(data.packed(), rows, labels[rows], data.documents.tokens[rows].astype(np.int64))
    batches = [ARCHITECTURES[model].collate(eight.__getitems__(range(8)), inputs=session.inputs)]
    assert evaluate(session.model, batches, how=CPU).accuracy < 1
    for _ in range(100):
        train_epoch(session.model, session.optimizer, batches, how=CPU)
    score = evaluate(session.model, batches, how=CPU)
    assert score.accuracy == 1
    assert score.loss < 0.1
