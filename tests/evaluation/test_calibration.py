import numpy as np
import pytest

from textclf.evaluation.calibration import BINS, FEW, HIGHEST, LOWEST, PULL, answers, binned, error_of, fit_temperature
from textclf.evaluation.metrics import cross_entropy
from textclf.models.arithmetic import softmax


def reliability(labels, logits, **options):
    return binned(*answers(labels, logits), **options)


def calibration_error(labels, logits):
    return error_of(reliability(labels, logits))


def sampled(documents, classes=4, seed=0):
    """Logits, and labels that are as likely as the logits say."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2, size=(documents, classes))
    labels = np.argmax(logits + random.gumbel(size=logits.shape), axis=1)
    return labels, logits.astype(np.float32)


# Temperature


@pytest.mark.parametrize("factor", [0.25, 1, 3, 10])
def test_a_known_temperature_is_found(factor):
    labels, logits = sampled(8_000)
    assert fit_temperature(labels, logits * np.float32(factor)) == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize("documents", [20, 200])
def test_no_other_temperature_has_a_lower_cross_entropy_with_one_more_document_for_and_one_against(documents):
    labels, logits = sampled(documents)
    logits *= 5

    def loss(temperature):
        right = (documents + 1) / (documents + 2)
        every = [cross_entropy(np.full(documents, each), logits / np.float32(temperature)) for each in range(4)]
        own = cross_entropy(labels, logits / np.float32(temperature))
        held = PULL * max(1 - documents / FEW, 0) / documents * np.log(temperature) ** 2
        return right * own + (1 - right) * (sum(every) - own) / 3 + held

    found = loss(fit_temperature(labels, logits))
    assert found <= min(map(loss, np.geomspace(LOWEST, HIGHEST, 400))) + 1e-6


@pytest.mark.parametrize("documents", [4, 40, 400])
def test_a_model_that_is_always_right_is_not_certain(documents):
    """After n right answers of n, the next is right with the probability (n + 1) / (n + 2), says Laplace."""
    labels = np.arange(documents) % 2
    logits = np.eye(2, dtype=np.float32)[labels]
    probabilities = softmax(logits / np.float32(fit_temperature(labels, logits)))
    certain = (documents + 1) / (documents + 2)
    assert softmax(logits).max() < probabilities.max() < certain + 1e-4
    assert documents < FEW or probabilities.max() == pytest.approx(certain, abs=1e-4)


def test_few_documents_hardly_move_the_temperature_and_many_do():
    labels, logits = sampled(8_000)
    found = [fit_temperature(labels[:some], 5 * logits[:some]) for some in (1, 8, 64, 8_000)]
    assert found == sorted(found)
    assert found[0] < 2.5
    assert 4.7 < found[-1] < 5.3


def test_one_wrong_answer_does_not_flatten_all_probabilities():
    logits = np.array([[3, 0], [0, 3]], dtype=np.float32)
    assert fit_temperature(np.array([1, 0]), logits) < 5


def test_a_model_that_is_always_wrong_is_made_as_unsure_as_can_be():
    labels = np.arange(FEW) % 2
    logits = np.eye(2, dtype=np.float32)[1 - labels]
    assert fit_temperature(labels, logits) == pytest.approx(HIGHEST, rel=0.01)


def test_documents_whose_label_the_model_cannot_give_do_not_change_the_temperature():
    labels, logits = sampled(500)
    strangers = np.full(100, -1), np.random.default_rng(1).normal(scale=9, size=(100, 4)).astype(np.float32)
    with_them = np.concatenate((labels, strangers[0])), np.concatenate((logits, strangers[1]))
    assert fit_temperature(*with_them) == pytest.approx(fit_temperature(labels, logits), rel=1e-6)


# Reliability


def by_hand(labels, logits, bins=BINS):
    """Expected calibration error, document by document."""
    rows = [[] for _ in range(bins)]
    for label, row in zip(labels.tolist(), logits.astype(np.float64).tolist(), strict=True):
        total = sum(np.exp(value) for value in row)
        sure = max(np.exp(value) / total for value in row)
        place = next(number for number in range(bins) if sure <= (number + 1) / bins + 1e-12)
        rows[place].append((sure, row.index(max(row)) == label))
    return sum(abs(sum(sure - right for sure, right in found)) for found in rows) / len(labels)


@pytest.mark.parametrize("factor", [0.3, 1, 4])
def test_the_calibration_error_is_that_of_a_plain_loop(factor):
    labels, logits = sampled(300, seed=2)
    logits *= np.float32(factor)
    assert calibration_error(labels, logits) == pytest.approx(by_hand(labels, logits), abs=1e-6)


def test_a_calibrated_model_has_a_small_error_and_one_that_is_too_sure_or_too_unsure_a_large_one():
    labels, logits = sampled(20_000)
    assert calibration_error(labels, logits) < 0.015
    assert calibration_error(labels, logits * 4) > 0.1
    assert calibration_error(labels, logits / 4) > 0.1


def test_the_fitted_temperature_mends_the_error_and_no_answer_changes():
    labels, logits = sampled(5_000)
    logits *= 4
    mended = logits / np.float32(fit_temperature(labels, logits))
    assert calibration_error(labels, mended) < 0.03 < calibration_error(labels, logits)
    assert (mended.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_a_bin_has_its_upper_edge_and_not_its_lower_one():
    surely, evenly, slightly = [200, 0, -200, -200], [0, 0, -200, -200], [0, 0, 0, 0]  # 1, 1/2 and 1/4
    above = [0, -0.01, -200, -200]
    logits = np.array([surely, evenly, slightly, above, evenly], dtype=np.float32)
    found = reliability(np.array([0, 0, 0, 1, 1]), logits, bins=4)
    assert found.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.documents.tolist() == [1, 2, 1, 1]
    assert found.accuracy.tolist() == [1, 0.5, 0, 1]
    assert found.confidence == pytest.approx([0.25, 0.5, 1 / (1 + np.exp(-0.01)), 1])


def test_a_bin_without_documents_has_no_figures_and_no_weight():
    logits = np.array([[200, 0], [200, 0]], dtype=np.float32)
    found = reliability(np.array([0, 1]), logits)
    assert (len(found.edges), len(found.documents)) == (BINS + 1, BINS)
    assert found.documents.tolist() == [0] * (BINS - 1) + [2]
    assert np.isnan(found.confidence[:-1]).all()
    assert np.isnan(found.accuracy[:-1]).all()
    assert (found.confidence[-1], found.accuracy[-1]) == (1, 0.5)
    assert calibration_error(np.array([0, 1]), logits) == 0.5


def test_each_document_is_in_one_bin():
    labels, logits = sampled(1_000, classes=30)
    found = reliability(labels, logits)
    assert found.documents.sum() == 1_000
    full = found.documents > 0
    assert (found.edges[:-1][full] < found.confidence[full]).all()
    assert (found.confidence[full] <= found.edges[1:][full]).all()
    right = np.nansum(found.accuracy * found.documents)
    assert right == pytest.approx(np.count_nonzero(logits.argmax(axis=1) == labels))


def test_an_answer_to_a_document_of_an_unknown_label_is_wrong():
    logits = np.array([[200, 0], [200, 0], [200, 0], [200, 0]], dtype=np.float32)
    labels = np.array([0, 0, 0, -1])
    assert reliability(labels, logits).accuracy[-1] == 0.75
    assert calibration_error(labels, logits) == 0.25


def test_no_documents_have_no_error():
    assert calibration_error(np.zeros(0, dtype=np.int64), np.zeros((0, 3), dtype=np.float32)) == 0
