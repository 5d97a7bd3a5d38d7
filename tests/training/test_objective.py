import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch.testing import assert_close

from textclf.evaluation.calibration import fit_temperature
from textclf.evaluation.metrics import measure
from textclf.training.objective import Softmax

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


def test_class_weights_weigh_the_documents_of_a_class_in_training_only(logits):
    weights = torch.tensor([1.0, 2.0, 5.0])
    of_documents = -logits[:1].log_softmax(dim=2)[0, torch.arange(5), LABELS]
    expected = (weights[LABELS] * of_documents).sum() / weights[LABELS].sum()
    assert_close(Softmax(class_weights=weights).loss(logits[:1], LABELS), expected)
    losses = [Softmax(class_weights=given).validation_loss(logits[0], LABELS) for given in (None, weights)]
    assert losses[0] == losses[1]


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


def test_the_figures_are_those_of_evaluation(logits):
    array, labels = logits[0].numpy(), LABELS.numpy()
    assert Softmax(0.3).measure(labels, array) == measure(labels, array)
    assert Softmax(0.3).temperature(labels, array) == fit_temperature(labels, array)
