"""The score of rows with several labels, counted as they pass, against scikit-learn."""

import json
import random

import pytest
from sklearn.metrics import accuracy_score, f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from textclf.inference.label_counts import LabelCounts


def drawn(seed, rows=60):
    generator = random.Random(seed)
    names = ["ham", "spam", "news", "a b"]
    some = lambda known: [name for name in known if generator.random() < 0.4]  # noqa: E731
    return [(some([*names, "not the model's"]), some([*names, "never right"])) for _ in range(rows)]


def counted(rows):
    counts = LabelCounts()
    for labels, given in rows:
        counts.add(labels, given)
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_scikit_learn(seed):
    rows = drawn(seed)
    counts, binarizer = counted(rows), MultiLabelBinarizer()
    binarizer.fit([labels + given for labels, given in rows])
    truth, given = (binarizer.transform(side) for side in zip(*rows, strict=True))
    assert counts.micro_f1() == pytest.approx(f1_score(truth, given, average="micro"))
    assert counts.macro_f1() == pytest.approx(f1_score(truth, given, average="macro", zero_division=0))
    assert counts.exact / counts.rows == accuracy_score(truth, given)


def test_a_label_counts_once_per_row():
    assert counted([(["a", "a", "b"], ["a"])]).micro_f1() == counted([(["b", "a"], ["a", "a"])]).micro_f1() == 2 / 3


def test_the_figures_are_a_sentence():
    rows = [(["a", "b"], ["b", "a"]), ([], []), (["a"], [])]
    figures = "micro-F1 0.8000, macro-F1 0.8333, all labels right for 66.67%"
    assert counted(rows).score() == f"{figures} of 3 rows with labels"


def test_without_rows_figures_are_0():
    counts = LabelCounts()
    assert (counts.micro_f1(), counts.macro_f1()) == (0, 0)
    assert counts.score().endswith("0.00% of 0 rows with labels")


def test_counts_of_two_halves_join_and_survive_json():
    rows = drawn(1)
    first, second = counted(rows[:20]), counted(rows[20:])
    first.join(LabelCounts.of_json(json.loads(json.dumps(second.to_json()))))
    assert vars(first) == vars(counted(rows))
