"""What a search raises: the figures are those of scikit-learn, and those of resamples are those of their documents."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_recall_curve

from textclf.errors import UsageError
from textclf.evaluation.goal import Goal, value
from textclf.evaluation.scoring import Calibrated, OneLabel, SeveralLabels
from textclf.models.arithmetic import sigmoid, softmax

NAMES = ["a", "b", "c"]
DRAW = np.random.default_rng(3)
LABELS = DRAW.integers(3, size=40)
RAW = (DRAW.normal(size=(40, 3)) + 1.5 * np.eye(3)[LABELS]).astype(np.float32)
HOW = Calibrated(1.7)


def one(text, labels=LABELS, raw=RAW):
    return Goal.parse(text).figures(OneLabel(), labels, raw, HOW, names=NAMES)


def of_all(text, labels=LABELS, raw=RAW):
    return value(one(text, labels, raw), len(labels))


def test_one_label_as_in_scikit_learn():
    answers, probabilities = RAW.argmax(axis=1), softmax(RAW / np.float32(1.7))
    assert of_all("accuracy") == of_all("micro-f1") == pytest.approx(accuracy_score(LABELS, answers))
    assert of_all("macro_f1") == pytest.approx(f1_score(LABELS, answers, average="macro"))
    assert of_all("loss") == pytest.approx(-log_loss(LABELS, probabilities))
    assert of_all("f1:b") == pytest.approx(f1_score(LABELS, answers, labels=[1], average=None)[0])
    truth = np.eye(3)[LABELS]
    precision, recall, _ = precision_recall_curve(truth.ravel(), probabilities.ravel())
    assert of_all("precision-at-recall:0.5") == pytest.approx(precision[recall >= 0.5][-1])
    assert of_all("precision-at-recall:1") == pytest.approx(precision[recall >= 1][-1])


def test_a_label_that_the_model_does_not_know_is_an_error_without_a_loss():
    labels = np.append(LABELS, [-1, -2])
    raw = np.concatenate((RAW, RAW[:2]))
    answers = raw.argmax(axis=1)
    assert of_all("accuracy", labels, raw) == pytest.approx((answers == labels).mean())
    assert of_all("macro-f1", labels, raw) == pytest.approx(f1_score(labels, answers, average="macro", zero_division=0))
    assert of_all("loss", labels, raw) == pytest.approx(of_all("loss"))
    assert of_all("precision-at-recall:1", labels, raw) == 0


def test_several_labels_as_in_scikit_learn():
    draw = np.random.default_rng(4)
    sets = draw.random((30, 4)) < 0.4  # the last is a label that only documents have
    raw = (draw.normal(size=(30, 3)) + 2 * sets[:, :3]).astype(np.float32)
    how, labels = Calibrated(1.2, thresholds=(0.5, 0.6, 0.4)), np.arange(30)
    probabilities = sigmoid(raw / np.float32(1.2))
    given = np.pad(probabilities >= np.array((0.5, 0.6, 0.4), dtype=np.float32), ((0, 0), (0, 1)))

    def found(text):
        return value(Goal.parse(text).figures(SeveralLabels(sets), labels, raw, how, names=NAMES), 30)

    assert found("accuracy") == pytest.approx(accuracy_score(sets, given))
    for kind in ("macro", "micro"):
        assert found(f"{kind}-f1") == pytest.approx(f1_score(sets, given, average=kind, zero_division=0))
    assert found("f1:c") == pytest.approx(f1_score(sets[:, 2], given[:, 2]))
    losses = [log_loss(sets[:, place], probabilities[:, place]) for place in range(3)]
    assert found("loss") == pytest.approx(-sum(losses), rel=1e-5)
    assert 0 < found("precision-at-recall:0.3") <= 1


@pytest.mark.parametrize("text", ["accuracy", "macro-f1", "micro-f1", "loss", "f1:a", "precision-at-recall:0.4"])
def test_a_resample_has_the_figure_of_its_documents(text):
    counts = np.random.default_rng(5).multinomial(40, np.full(40, 1 / 40), size=3)
    found = one(text)(counts.astype(np.float32))
    for weights, figure in zip(counts, found, strict=True):
        rows = np.repeat(np.arange(40), weights)
        assert of_all(text, LABELS[rows], RAW[rows]) == pytest.approx(figure, abs=0.02 if "recall" in text else 1e-6)


@pytest.mark.parametrize("text", ["accuracy", "loss", "f1:a: b", "precision-at-recall:0.3"])
def test_a_goal_is_spelled_as_it_is_read(text):
    assert str(Goal.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("acuracy", "did you mean accuracy"),
        ("f1", "there are accuracy, macro-f1, micro-f1, loss, precision-at-recall:R, f1:LABEL"),
        ("loss:2", "there are"),
        ("precision-at-recall", "give a recall above 0 and at most 1"),
        ("precision-at-recall:2", "give a recall"),
        ("precision-at-recall:nan", "give a recall"),
    ],
)
def test_what_is_no_goal_is_refused(text, said):
    with pytest.raises(UsageError, match=said):
        Goal.parse(text)


def test_a_label_that_the_data_does_not_have_is_refused():
    with pytest.raises(UsageError, match=r"f1:zzz: the data has no such label; there are a, b"):
        Goal.parse("f1:zzz").check(NAMES)
    with pytest.raises(UsageError, match=r"f1:ab: the data has no such label; did you mean a\?$|b\?$"):
        Goal.parse("f1:ab").check(NAMES)
    Goal.parse("f1:b").check(NAMES)


def test_what_is_watched_is_a_field_of_a_score():
    from textclf.training.meters import Score

    goals = ("accuracy", "macro-f1", "micro-f1", "loss", "f1:a", "precision-at-recall:0.5")
    assert {Goal.parse(text).watched for text in goals} <= set(Score._fields)
