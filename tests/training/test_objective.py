import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, log_loss
from torch.testing import assert_close

from textclf.training.objective import Sigmoid, Softmax

LABELS = torch.tensor([0, 1, 2, 1, 0])


@pytest.fixture
def logits():
    """Of two views, five documents and three classes."""
    return torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))


def test_the_loss_is_the_mean_over_views_and_documents(logits):
    expected = np.mean([log_loss(LABELS, view.double().softmax(dim=1), labels=range(3)) for view in logits])
    assert Softmax().loss(logits, LABELS).item() == pytest.approx(expected, abs=1e-6)


def test_label_smoothing_spreads_the_target_in_training_only(logits):
    log_p = logits.log_softmax(dim=2)
    of_labels = log_p[:, torch.arange(5), LABELS]
    expected = -(0.7 * of_labels + 0.3 * log_p.mean(dim=2)).mean()
    assert_close(Softmax(label_smoothing=0.3).loss(logits, LABELS), expected)
    losses = [Softmax(label_smoothing=share).validation_loss(logits[0], LABELS) for share in (0.0, 0.3)]
    assert losses[0] == losses[1]


def test_class_weights_weigh_the_documents_of_a_class(logits):
    weights = torch.tensor([1.0, 2.0, 5.0])
    of_documents = -logits[:1].log_softmax(dim=2)[0, torch.arange(5), LABELS]
    expected = (weights[LABELS] * of_documents).sum() / weights[LABELS].sum()
    assert_close(Softmax(class_weights=weights).loss(logits[:1], LABELS), expected)


@pytest.mark.parametrize("objective", [Softmax(), Softmax(0.1), Softmax(class_weights=torch.tensor([1.0, 2.0, 5.0]))])
def test_an_unseen_label_has_no_loss_and_is_an_error(objective, logits):
    unseen = torch.cat([LABELS, torch.tensor([-1, -1])])
    more = torch.cat([logits, torch.randn(2, 2, 3)], dim=1)
    assert_close(objective.loss(more, unseen), objective.loss(logits, LABELS))
    assert_close(objective.validation_loss(more[0], unseen), objective.validation_loss(logits[0], LABELS))
    assert objective.has_loss(unseen).tolist() == [True] * 5 + [False] * 2
    assert objective.is_right(more[0], unseen).tolist()[5:] == [False, False]


def test_the_answer_is_the_most_probable_class(logits):
    assert Softmax().is_right(logits[0], logits[0].argmax(dim=1)).all()
    assert not Softmax().is_right(logits[0], (logits[0].argmax(dim=1) + 1) % 3).any()


def test_right_answers_answers_and_documents_are_counted_by_class(logits):
    labels = torch.cat([LABELS, torch.tensor([-1])])
    scores = torch.cat([logits[0], torch.tensor([[0.0, 0.0, 9.0]])])
    answers = scores.argmax(dim=1)
    matrix = confusion_matrix([*LABELS, 3], answers, labels=range(4))  # unseen labels are a class, the last
    expected = torch.tensor(np.array([matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1)]))
    assert_close(Softmax().counts(scores, labels), expected)


def test_the_validation_loss_weighs_documents_as_training_does(logits):
    weights = torch.tensor([1.0, 2.0, 5.0])
    of_documents = -logits[0].log_softmax(dim=1)[torch.arange(5), LABELS]
    objective = Softmax(label_smoothing=0.3, class_weights=weights)
    assert_close(objective.validation_loss(logits[0], LABELS), (weights[LABELS] * of_documents).sum())


def test_smoothing_with_weights_weighs_documents_and_not_what_smoothing_gives_to_other_classes(logits):
    weights = torch.tensor([1.0, 2.0, 5.0])
    log_p = logits[:1].log_softmax(dim=2)
    of_documents = -(0.7 * log_p[0, torch.arange(5), LABELS] + 0.3 * log_p[0].mean(dim=1))
    expected = (weights[LABELS] * of_documents).sum() / weights[LABELS].sum()
    assert_close(Softmax(label_smoothing=0.3, class_weights=weights).loss(logits[:1], LABELS), expected)


# Several labels

SETS = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1]], dtype=torch.float32)
NUMBERS = torch.tensor([0, 1, 3, 2, 2])
"""The set of each document."""


def of_pairs(logits, targets, weights=(1.0, 1.0, 1.0)):
    """The loss of each pair of a document and a class, by its formula."""
    p = 1 / (1 + np.exp(-logits.double().numpy()))
    targets = targets.numpy()
    return -(np.array(weights) * targets * np.log(p) + (1 - targets) * np.log(1 - p))


@pytest.mark.parametrize("weights", [None, (1.0, 3.0, 0.5)])
def test_the_loss_of_several_labels_is_the_sum_over_classes(weights, logits):
    objective = Sigmoid(SETS, class_weights=None if weights is None else torch.tensor(weights))
    losses = [of_pairs(view, SETS[NUMBERS], weights or (1.0,) * 3).sum(axis=1).mean() for view in logits]
    assert objective.loss(logits, NUMBERS).item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_smoothing_moves_targets_of_several_labels_towards_one_half_in_training_only(logits):
    objective, plain = Sigmoid(SETS, label_smoothing=0.3), Sigmoid(SETS)
    smoothed = SETS[NUMBERS] * 0.7 + 0.15
    expected = np.mean([of_pairs(view, smoothed).sum(axis=1).mean() for view in logits])
    assert objective.loss(logits, NUMBERS).item() == pytest.approx(expected, rel=1e-5)
    assert objective.validation_loss(logits[0], NUMBERS) == plain.validation_loss(logits[0], NUMBERS)


@pytest.mark.parametrize("weights", [None, (1.0, 3.0, 0.5)])
def test_the_validation_loss_of_several_labels_is_a_sum(weights, logits):
    objective = Sigmoid(SETS, class_weights=None if weights is None else torch.tensor(weights))
    expected = of_pairs(logits[0], SETS[NUMBERS], weights or (1.0,) * 3).sum()
    assert objective.validation_loss(logits[0], NUMBERS).item() == pytest.approx(expected, rel=1e-5)


def test_the_logit_that_a_weighted_loss_is_lowest_at_has_its_odds_multiplied_by_the_weight():
    """Of a class that a third of the documents have."""
    weight, sets = 6.0, torch.tensor([[0.0], [1.0]])
    objective = Sigmoid(sets, class_weights=torch.tensor([weight]))
    places = torch.linspace(-4, 4, 8001)
    losses = [objective.loss(torch.full((1, 3, 1), float(place)), torch.tensor([0, 0, 1])) for place in places[::20]]
    lowest = places[::20][int(torch.stack(losses).argmin())]
    assert float(lowest) == pytest.approx(np.log(weight * 0.5), abs=0.02)


def test_several_labels_are_right_if_all_are_there_and_no_other():
    objective = Sigmoid(SETS)
    logits = torch.tensor([[-1.0, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, 1], [-1, 1, 0]])
    assert objective.is_right(logits, NUMBERS).tolist() == [True, True, False, True, False]
    assert objective.has_loss(NUMBERS).all()
    right, answers, labelled = objective.counts(logits, NUMBERS).tolist()
    assert (right, answers, labelled) == ([2, 3, 1], [2, 3, 1], [2, 3, 3])
