import time
from dataclasses import replace
from itertools import islice
from math import inf, nan
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, log_loss
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.testing import assert_close

from tests.conftest import assemble, small_config
from tests.training.helpers import SlowBatches
from textclf.dataset.directory import DataDirectory
from textclf.errors import DivergedError
from textclf.models import MODELS
from textclf.training import loop
from textclf.training.batches import TokenDataset
from textclf.training.learner import AVERAGE_DECAY, AVERAGE_EVERY, Learner
from textclf.training.loop import EarlyStopping, MidEpoch, StepOptions, evaluate, fit, predict, refit, train_epoch
from textclf.training.meters import Score
from textclf.training.objective import Softmax

CPU = StepOptions(torch.device("cpu"), Softmax())


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


class Batch(NamedTuple):
    x: Tensor
    labels: Tensor


class Scaled(nn.Module):
    """Logits are the batch's numbers, some of them dropped, times a weight for each view."""

    def __init__(self, *scales, dropout=0.0):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scales or (1.0,)))
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch):
        return self.dropout(batch.x) * self.scale[:, None, None]


class OnNumbers(nn.Module):
    """Logits are what the layers make of the batch's numbers, in one view."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, batch):
        return self.layers(batch.x)[None]


class Loaded(list):
    """Batches with a sampler to tell the epoch to, as a DataLoader has one."""

    batch_sampler = SimpleNamespace(epoch=0, first=0)

    def __iter__(self):
        return islice(super().__iter__(), self.batch_sampler.first, None)

    def names(self, step):
        return f"the documents of {step}"


def make_batches(*sizes, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Loaded(
        Batch(torch.randn(size, classes, generator=generator), torch.randint(classes, (size,), generator=generator))
        for size in sizes
    )


def joined(batches):
    return torch.cat([batch.x for batch in batches]), torch.cat([batch.labels for batch in batches])


class Descent(SGD):
    """Plain gradient descent that can be told not to."""

    @torch.no_grad()
    def step(self, *, unless):
        if not unless:
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.sub_(group["lr"] * parameter.grad)


def learner_of(model, lr=0.1):
    """Learns with plain gradient descent."""
    optimizer = Descent(model.parameters(), lr=lr)
    optimizer.lr = lr  # as ours has it
    return Learner.of(model, optimizer)


def one_epoch(model, batches, *, lr=0.1, options=CPU):
    meter, _ = train_epoch(learner_of(model, lr), batches, 1, options=options)
    return meter.score(), meter.gradient_norm()


def train_some(learner, batches, *, epochs=range(1, 4), options=CPU, patience=100):
    """Fit, with validation on the training batches."""
    given = {"train": batches, "validation": batches}
    return list(fit(learner, given, epochs=epochs, stopping=EarlyStopping(patience), options=options))


def test_evaluate_scores_as_scikit_learn_does():
    batches = make_batches(5, 1, 2)  # unequal: a mean of batch means would be off
    logits, labels = joined(batches)
    score = evaluate(Scaled(), batches, options=CPU)
    assert score.loss == pytest.approx(log_loss(labels, logits.double().softmax(dim=1)), abs=1e-6)
    assert score.accuracy == accuracy_score(labels, logits.argmax(dim=1))
    assert score.macro_f1 == f1_score(labels, logits.argmax(dim=1), average="macro")
    assert score.documents == 8


def test_a_label_that_the_model_cannot_give_is_an_error_and_has_no_loss():
    batch = Batch(torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 0, -1, -1]))
    losses = [np.log(1 + np.exp(-2)), np.log(1 + np.exp(2))]
    score = evaluate(Scaled(), [batch], options=CPU)
    # given each class twice, of which one is right; labels that the model lacks are a class of their own
    assert score == pytest.approx(Score(np.mean(losses), 0.25, 4, macro_f1=(2 / 4) / 3, micro_f1=0.25), abs=1e-6)


def test_the_training_score_is_that_before_each_step():
    batches = make_batches(4, 3)
    model = Scaled()
    still, _ = one_epoch(model, batches, lr=0.0)
    assert still == pytest.approx(evaluate(model, batches, options=CPU))
    first, second = (evaluate(Scaled(), [batch], options=CPU).loss for batch in batches)
    moving, _ = one_epoch(model, batches, lr=0.5)
    assert moving.loss < (4 * first + 3 * second) / 7 - 1e-4


def test_a_step_follows_the_mean_loss_of_its_batch():
    batches = make_batches(6)
    reference, trained = Scaled(), Scaled()
    cross_entropy(reference(batches[0])[0], batches[0].labels).backward()
    _, norm = one_epoch(trained, batches)
    assert_close(trained.scale, reference.scale - 0.1 * reference.scale.grad)
    assert norm == pytest.approx(reference.scale.grad.norm().item())


def test_each_view_learns_from_its_own_loss():
    batches = make_batches(6)
    together, first, second = Scaled(1.0, -2.0), Scaled(1.0), Scaled(-2.0)
    losses = [one_epoch(model, batches)[0].loss for model in (together, first, second)]
    moved = [(model.scale - model.scale.new_tensor(begun)) for model, begun in ((first, 1.0), (second, -2.0))]
    assert_close(together.scale, torch.tensor([1.0, -2.0]) + torch.cat(moved) / 2)  # the loss is their mean
    assert losses[0] == pytest.approx((losses[1] + losses[2]) / 2)
    assert losses[0] != pytest.approx(evaluate(Scaled(1.0, -2.0), batches, options=CPU).loss, abs=0.1)


def test_the_mean_over_the_views_predicts():
    views, mean, batches = Scaled(3.0, -2.0), Scaled(0.5), make_batches(5, 2)
    assert evaluate(views, batches, options=CPU) == pytest.approx(evaluate(mean, batches, options=CPU))
    assert_close(predict(views, batches, options=CPU)[0], predict(mean, batches, options=CPU)[0])
    assert one_epoch(views, batches, lr=0.0)[0].accuracy == evaluate(mean, batches, options=CPU).accuracy


def test_label_smoothing_changes_the_training_loss_only():
    batches = make_batches(6)
    ((logits, labels),) = batches
    smooth = replace(CPU, objective=Softmax(label_smoothing=0.3))
    log_p = logits.log_softmax(dim=1)
    expected = -(0.7 * log_p[torch.arange(6), labels] + 0.3 * log_p.mean(dim=1)).mean().item()
    assert one_epoch(Scaled(), batches, lr=0.0, options=smooth)[0].loss == pytest.approx(expected)
    assert evaluate(Scaled(), batches, options=smooth) == evaluate(Scaled(), batches, options=CPU)


def test_gradients_of_earlier_steps_are_forgotten():
    batches = make_batches(4, 4)
    one, other = Scaled(), Scaled()
    one_epoch(one, batches)
    for batch in batches:
        other.zero_grad()
        one_epoch(other, Loaded([batch]))
    assert torch.equal(one.scale, other.scale)


# The mean of the weights


def test_the_average_is_a_mean_of_weights_that_soon_forgets_the_first():
    learner, batches = learner_of(Scaled(dropout=0.5), lr=0.5), make_batches(*[4] * 10)
    weights = []
    learner.optimizer.register_step_post_hook(lambda *_: weights.append(learner.model.scale.item()))
    numbers = range(1, 31)
    for number in numbers:
        train_epoch(learner, batches, number, options=CPU)
    averaged = [weight for step, weight in enumerate(weights) if step % len(batches) % AVERAGE_EVERY == 0]
    assert len(averaged) == 3 * len(numbers)
    mean = averaged[0]
    for count, weight in enumerate(averaged[1:], start=1):
        decay = min(AVERAGE_DECAY, (1 + count) / (10 + count))
        mean = decay * mean + (1 - decay) * weight
    assert learner.average.module.scale.item() == pytest.approx(mean, rel=1e-5)
    assert abs(mean - weights[-1]) > 1e-3


def test_the_average_does_not_share_its_weights_with_the_model():
    learner = learner_of(Scaled())
    train_epoch(learner, make_batches(4, 4), 1, options=CPU)  # averaged after the first step of two
    assert learner.average.module.scale.item() != learner.model.scale.item()


def test_the_average_is_what_validation_scores():
    learner, batches = learner_of(Scaled(), lr=0.5), make_batches(4, 4, 4)
    *_, last = train_some(learner, batches)
    assert last.validation == evaluate(learner.average, batches, options=CPU)
    assert last.validation != evaluate(learner.model, batches, options=CPU)


def test_evaluate_changes_no_weights_gradients_or_random_state():
    model, batches = Scaled(dropout=0.5), make_batches(4)
    model.scale.grad = torch.tensor([7.0])
    before = torch.get_rng_state()
    evaluate(model, batches, options=CPU)
    assert (model.scale.item(), model.scale.grad.item(), model.scale.requires_grad) == (1.0, 7.0, True)
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_is_off_in_evaluate_and_on_in_training_after_it():
    model, batches = Scaled(dropout=0.5), make_batches(64)
    whole = evaluate(model, batches, options=CPU)
    dropped, _ = one_epoch(model, batches, lr=0.0)
    assert whole == evaluate(Scaled(), batches, options=CPU)
    assert dropped.loss != pytest.approx(whole.loss, abs=1e-3)


def test_predict_returns_logits_and_labels_in_the_order_of_the_batches():
    batches = make_batches(3, 2)
    logits, labels = predict(Scaled(2.0, dropout=0.5), batches, options=CPU)
    expected, expected_labels = joined(batches)
    assert np.array_equal(logits, 2 * expected.numpy())
    assert np.array_equal(labels, expected_labels.numpy())


def test_autocast_computes_in_its_type_and_returns_float32():
    layer = nn.Linear(16, 4)
    seen = []
    layer.register_forward_hook(lambda _layer, _inputs, output: seen.append(output.dtype))
    batch = Batch(torch.randn(8, 16), torch.zeros(8, dtype=torch.int64))
    half = replace(CPU, autocast=torch.bfloat16).logits(OnNumbers(layer), batch)
    full = CPU.logits(OnNumbers(layer), batch)
    assert seen == [torch.bfloat16, torch.float32]
    assert half.dtype == full.dtype == torch.float32
    assert_close(half, full, rtol=0, atol=0.05)


@pytest.mark.parametrize(("clip_norm", "moved"), [(0.01, 0.01), (inf, None)])
def test_gradients_are_clipped_and_the_norm_before_clipping_is_reported(clip_norm, moved):
    batches = make_batches(6)
    model, free = Scaled(), Scaled()
    _, norm = one_epoch(model, batches, lr=1.0, options=StepOptions(CPU.device, Softmax(), clip_norm=clip_norm))
    _, free_norm = one_epoch(free, batches, lr=1.0)
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
        one_epoch(model, batches, options=StepOptions(CPU.device, Softmax(), watch=watch))
    one_epoch(stopped_after_two, Loaded(batches[:2]))
    assert seen == [0, 4, 7]
    assert torch.equal(model.scale, stopped_after_two.scale)


def test_early_stopping_waits_for_a_lower_loss():
    stopping = EarlyStopping(patience=2, min_gain=0.01)
    losses = [3.0, 2.0, 2.0, 1.5, 1.6, 1.5]
    best = [stopping.is_best(number, loss) for number, loss in enumerate(losses, start=1)]
    assert best == [True, True, False, True, False, False]  # as low again is no improvement
    assert not stopping.is_best(7, 1.5 * (1 - 0.01 / 2))  # nor is a hair lower
    assert (stopping.best_epoch, stopping.best_loss) == (4, 1.5)
    assert EarlyStopping(1, best_epoch=4, best_loss=1.5, min_gain=0.01).is_best(8, 1.5 * (1 - 0.01 * 2))
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
    epochs = train_some(learner_of(Scaled()), make_batches(4), epochs=range(1, 7), patience=patience)
    assert [epoch.validation.loss for epoch in epochs] == losses
    assert [epoch.number for epoch in epochs] == list(range(1, len(losses) + 1))
    assert max(epoch.number for epoch in epochs if epoch.is_best) == best


def test_fit_sets_the_epoch_of_the_sampler():
    batches = make_batches(4, 2)
    told = []
    options = StepOptions(
        CPU.device, Softmax(), watch=lambda given, _meter: told.append(batches.batch_sampler.epoch) or given
    )
    epochs = train_some(learner_of(Scaled(), lr=0.25), batches, epochs=range(3, 6), options=options)
    assert told == [epoch.number for epoch in epochs] == [3, 4, 5]
    assert {epoch.learning_rate for epoch in epochs} == {0.25}
    assert {epoch.train.documents for epoch in epochs} == {epoch.validation.documents for epoch in epochs} == {6}
    assert all(epoch.seconds > 0 and epoch.gradient_norm > 0 for epoch in epochs)


def test_the_dropout_of_an_epoch_depends_on_seed_and_number_only():
    def weights(seed=0, numbers=range(1, 4)):
        learner = learner_of(Scaled(dropout=0.5))
        batches = make_batches(8, 8)
        given = {"train": batches, "validation": batches}
        options = StepOptions(CPU.device, Softmax(), seed=seed)
        for _ in fit(learner, given, epochs=numbers, stopping=EarlyStopping(9), options=options):
            torch.rand(torch.randint(1, 9, ()).item())  # whatever happens between two epochs
        return learner.model.scale.item()

    torch.manual_seed(1)
    one = weights()
    torch.manual_seed(2)
    assert weights() == one
    assert weights(seed=1) != one
    assert weights(numbers=range(2, 5)) != one


@pytest.mark.parametrize("steps", [0, 1, 3, 5])
@pytest.mark.parametrize("forgotten", [None, "random", "steps"])
def test_an_epoch_stopped_midway_continues_to_the_same_bits(steps, forgotten):
    batches, kept = make_batches(8, 8, 8, 8, 8, 8), []
    straight, stopped = (learner_of(Scaled(dropout=0.5)) for _ in range(2))

    def watch(batches, meter):
        for batch in batches:
            if meter.steps == steps:
                kept.append(MidEpoch(meter.state_dict(), torch.get_rng_state()))
                raise KeyboardInterrupt
            yield batch

    whole, _ = train_epoch(straight, batches, 3, options=CPU)
    with pytest.raises(KeyboardInterrupt):
        train_epoch(stopped, batches, 3, options=StepOptions(CPU.device, Softmax(), watch=watch))
    torch.manual_seed(77)
    (mid_epoch,) = kept
    if forgotten == "random":
        mid_epoch = mid_epoch._replace(random_state=torch.get_rng_state())
    if forgotten == "steps":
        mid_epoch = mid_epoch._replace(meter={**mid_epoch.meter, "steps": (steps + 1) % 6})
    rest, _ = train_epoch(stopped, batches, 3, options=CPU, mid_epoch=mid_epoch)
    is_same = torch.equal(straight.model.scale, stopped.model.scale)
    assert is_same is (forgotten is None)
    if is_same:
        assert (rest.score(), rest.gradient_norm()) == (whole.score(), whole.gradient_norm())
        assert torch.equal(straight.average.module.scale, stopped.average.module.scale)


def test_a_large_seed_can_be_used():
    options = StepOptions(CPU.device, Softmax(), seed=2**63 - 1)
    assert len(train_some(learner_of(Scaled(dropout=0.5)), make_batches(4), options=options)) == 3


@pytest.mark.parametrize("poison", [nan, inf])
def test_a_nan_loss_ends_training(poison):
    with pytest.raises(DivergedError) as caught:
        train_some(learner_of(Scaled(poison), lr=0.125), make_batches(4), epochs=range(4, 9))
    assert str(caught.value) == (
        "the loss or its gradient is not a number in epoch 4, step 1, on the documents of 0; "
        "the best weights so far are kept; try less than --lr 0.125"
    )
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("every", [1, 2, 100])  # 100: not before the end of the epoch
@pytest.mark.parametrize("poison", [nan, inf])
def test_a_diverged_step_is_named_and_no_step_from_it_on_changes_a_weight(poison, every):
    batches = make_batches(4, 4, 4, 4, 4)
    batches[2].x[1, 0] = poison
    sound = Scaled()
    one_epoch(sound, Loaded(batches[:2]))
    model = Scaled()
    with pytest.raises(DivergedError, match="in epoch 1, step 3, on the documents of 2"):
        one_epoch(model, batches, options=replace(CPU, check_every=every))
    assert torch.equal(model.scale, sound.scale)


def test_a_huge_learning_rate_ends_training():
    network = OnNumbers(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)))
    batches = make_batches(4, 4)
    given = {"train": batches, "validation": batches}
    stopping = EarlyStopping(9)
    with pytest.raises(DivergedError):
        list(fit(learner_of(network, lr=1e30), given, epochs=range(1, 9), stopping=stopping, options=CPU))
    assert stopping.best_epoch == 0


def test_a_nan_validation_loss_ends_training_and_the_epoch_is_not_best(monkeypatch):
    monkeypatch.setattr(loop, "evaluate", lambda *_, **__: Score(nan, 0.5, 4))
    stopping = EarlyStopping(3)
    given = {"train": make_batches(4), "validation": make_batches(4)}
    with pytest.raises(DivergedError, match="the validation loss is not a number in epoch 1"):
        next(fit(learner_of(Scaled()), given, epochs=range(1, 3), stopping=stopping, options=CPU))
    assert stopping.best_epoch == 0


# The profile


def test_the_profile_of_an_epoch_adds_up_to_its_seconds():
    class Slow(SlowBatches, Loaded):
        pass

    batches = Slow(make_batches(4, 4, 4))
    started = time.perf_counter()
    _, clock = train_epoch(learner_of(Scaled()), batches, 1, options=CPU)
    profile = clock.stop()
    assert sum(profile.values()) <= time.perf_counter() - started
    assert list(profile) == ["load", "collate", "transfer", "forward", "backward", "step", "other"]
    assert profile["load"] + profile["collate"] >= 0.06
    assert profile["collate"] == pytest.approx(profile["load"] / 3)  # as the time of making was shared
    assert min(profile.values()) > 0


# Once more


def test_a_refit_trains_as_fit_does_without_validation():
    options = StepOptions(CPU.device, Softmax(label_smoothing=0.1), seed=3)
    fitted, again = (learner_of(Scaled(dropout=0.5)) for _ in range(2))
    epochs = train_some(fitted, make_batches(8, 8), options=options)
    torch.manual_seed(77)
    assert list(refit(again, make_batches(8, 8), epochs=range(1, 4), options=options)) == [
        epoch.train for epoch in epochs
    ]
    for one, other in ((fitted.model, again.model), (fitted.average, again.average)):
        assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)


def test_a_nan_loss_ends_a_refit():
    with pytest.raises(DivergedError) as caught:
        list(refit(learner_of(Scaled(nan)), make_batches(4), epochs=range(7, 9), options=CPU))
    assert "epoch 7, step 1" in str(caught.value)
    assert str(caught.value).endswith("try less than --lr 0.1, or --no-refit")


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_can_overfit_eight_documents(model, data_dir, tmp_path):
    data = DataDirectory.open(data_dir)
    session = assemble(small_config(model, data_dir, tmp_path, dropout=0.0, lr=0.02), data)
    rows = data.rows("train")[:8]
    labels = np.zeros(len(data.documents), dtype=np.int64)
    labels[rows] = [0, 1, 2, 0, 1, 2, 0, 1]  # whatever they say
    eight = TokenDataset(data.packed(), rows, labels[rows], data.documents.tokens[rows].astype(np.int64))
    batches = Loaded(
        [MODELS[model].architecture().collate(eight.__getitems__(range(8)), inputs=session.setup.features)]
    )
    assert evaluate(session.learner.model, batches, options=CPU).accuracy < 1
    for number in range(100):
        train_epoch(session.learner, batches, number, options=CPU)
    for learnt in (session.learner.model, session.learner.average):
        score = evaluate(learnt, batches, options=CPU)
        assert score.accuracy == 1
        assert score.loss < 0.1


@pytest.mark.parametrize("monitor", ["accuracy", "macro_f1", "micro_f1"])
def test_the_best_epoch_is_that_of_the_figure_that_is_monitored(monitor):
    stopping = EarlyStopping(2, monitor=monitor)
    scores = [Score(1.0, 0.5, 9, 0.5, 0.5), Score(0.1, 0.4, 9, 0.4, 0.4), Score(2.0, 0.5, 9, 0.5, 0.5)]
    scores[2] = scores[2]._replace(**{monitor: 0.6})
    assert [stopping.is_best(number, stopping.loss(score)) for number, score in enumerate(scores, 1)] == [
        True,
        False,
        True,
    ]
    assert stopping.best_epoch == 3
