import numpy as np
import pytest
from scipy.stats import binomtest

from textclf.dataset.directory import DataDirectory
from textclf.evaluation import calibration
from textclf.evaluation.calibration import answers, curve_of, learn_from, point_of
from textclf.evaluation.predictions import unknown_shares
from textclf.models.arithmetic import softmax
from textclf.system import files
from textclf.text.tokenizer import UNK_ID, Tokenizer


def learn(labels, logits, unknown):
    return learn_from(*answers(labels, logits), unknown)


def point(labels, logits, threshold):
    return point_of(*answers(labels, logits), threshold)


def curve(labels, logits):
    return curve_of(*answers(labels, logits))


def sampled(documents, seed=0, scale=2):
    """Logits, and labels that are as likely as the logits say."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=scale, size=(documents, 4))
    labels = np.argmax(logits + random.gumbel(size=logits.shape), axis=1)
    return labels, logits.astype(np.float32)


KNOWN = np.zeros(1)


@pytest.mark.parametrize("seed", range(5))
def test_answers_above_a_threshold_have_its_precision_on_other_documents(seed):
    found = learn(*sampled(2_000, seed), KNOWN)
    assert {"0.7", "0.8", "0.9"} <= set(found.thresholds)
    assert list(found.thresholds.values()) == sorted(found.thresholds.values())
    others = sampled(20_000, seed + 100)
    for precision, threshold in found.thresholds.items():
        assert point(*others, threshold).precision >= float(precision) - 0.01


def test_easy_documents_do_not_lower_a_threshold_below_twice_the_precision_minus_one():
    easy, harder = sampled(2_000, scale=20), sampled(20_000, 100)
    assert point(*easy, 0).precision > 0.95  # validation alone would have every document answered
    found = learn(*easy, KNOWN).thresholds
    assert [found[name] for name in ("0.8", "0.9", "0.95")] == [0.6, 0.8, 0.9]
    for precision in ("0.8", "0.9", "0.95"):
        assert point(*harder, found[precision]).precision >= float(precision) - 0.01


def test_probabilities_that_promise_too_much_are_not_believed():
    labels, logits = sampled(2_000)
    sure, too_sure = learn(labels, logits, KNOWN).thresholds, learn(labels, 3 * logits, KNOWN).thresholds
    others, other_logits = sampled(20_000, 100)
    assert too_sure["0.9"] > sure["0.9"]
    for precision, threshold in too_sure.items():
        assert point(others, 3 * other_logits, threshold).precision >= float(precision) - 0.01


@pytest.mark.parametrize("documents", [1, 5, 28, 58, 59, 298, 299])
def test_few_documents_show_little_even_if_all_are_right(documents):
    """The interval of n right ones of n begins at 0.05 ** (1 / n): 59 are needed to show 95 %."""
    logits = np.tile(np.array([[9, 0]], dtype=np.float32), (documents, 1))
    found = learn(np.zeros(documents, dtype=np.int64), logits, KNOWN).thresholds
    shown = binomtest(documents, documents, alternative="greater").proportion_ci(0.95).low
    assert set(found) == {f"{precision:g}" for precision in calibration.PRECISIONS if precision <= shown}
    assert ("0.95" in found, "0.99" in found) == (documents >= 59, documents >= 299)


def test_wrong_answers_give_no_threshold():
    labels, logits = sampled(100)
    assert learn((logits.argmax(axis=1) + 1) % 4, logits, KNOWN).thresholds == {}
    assert learn(np.full_like(labels, -1), logits, KNOWN).thresholds == {}


@pytest.mark.parametrize(("shares", "expected"), [([0.1] * 100, 0.5), ([0.0] * 98 + [0.7, 0.9], 0.9), ([1.0] * 9, 1.0)])
def test_unlike_are_few_of_the_validation_documents_and_mostly_unknown(shares, expected):
    assert learn(*sampled(len(shares)), np.array(shares)).unlike == expected


def test_coverage_and_precision_of_each_threshold_are_kept_without_texts_that_are_unlike():
    labels, logits = sampled(1_000)
    found = learn(labels, logits, np.where(np.arange(1_000) < 5, 0.9, 0.1))
    assert found.thresholds.keys() == found.coverage.keys() == found.precision.keys()
    probabilities = softmax(logits[5:])
    for name, threshold in found.thresholds.items():
        is_given = probabilities.max(axis=1) >= threshold
        assert found.coverage[name] == pytest.approx(is_given.sum() / 1_000, abs=1e-4)
        right = probabilities.argmax(axis=1) == labels[5:]
        assert found.precision[name] == pytest.approx(right[is_given].mean(), abs=1e-4)


def test_the_curve_goes_from_the_surest_answers_to_all():
    labels, logits = sampled(1_000)
    points = curve(labels, logits)
    assert [round(each.coverage, 3) for each in points] == [round(step / 20, 3) for step in range(1, 21)]
    confidence, right = softmax(logits).max(axis=1), logits.argmax(axis=1) == labels
    for each in points:
        assert each.precision == pytest.approx(right[confidence >= each.threshold].mean())
        assert point(labels, logits, each.threshold) == each
    assert points[-1].precision == pytest.approx(right.mean())
    assert point(labels, logits, 1.5) == (1.5, 0, None)
    assert [each.coverage for each in curve(labels[:3], logits[:3])] == pytest.approx([1 / 3, 2 / 3, 1])


def test_unknown_words_of_documents_are_counted_by_document(data_dir):
    data = DataDirectory.open(data_dir)
    tokenizer = Tokenizer.from_json(files.read_json(data.layout.tokenizer))
    rows = data.rows("validation")
    expected = []
    for place in rows:
        tokens, _ = data.packed().gather(np.array([place]))
        words = tokens[tokens < tokenizer.size]
        expected.append(np.mean(words == UNK_ID))
    assert unknown_shares(data, rows, tokenizer).tolist() == pytest.approx(expected)
