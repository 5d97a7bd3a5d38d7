"""A score to hold: what is said and when."""

import pytest

from textclf.errors import QualityError, UsageError
from textclf.evaluation.gate import Bound, hold, refuse_drop

FIGURES = {"accuracy": 0.9, "macro_f1": 0.75}
INTERVALS = {"accuracy": (0.88, 0.92)}


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("accuracy=0.9", Bound("accuracy", 0.9)),
        ("macro-F1=.8", Bound("macro_f1", 0.8)),
        (" micro_f1 = 1", Bound("micro_f1", 1.0)),
        ("loss=0", Bound("loss", 0.0)),
    ],
)
def test_a_bound_is_a_figure_and_its_least_value(text, bound):
    assert Bound.parse(text) == bound


@pytest.mark.parametrize("text", ["", "accuracy", "accuracy=", "accuracy=90", "accuracy=-0.1", "accuracy=nan", "a=b"])
def test_anything_else_is_refused(text):
    with pytest.raises(UsageError) as caught:
        Bound.parse(text)
    assert str(caught.value) == f"--min {text}: give a figure and its least value between 0 and 1, as in accuracy=0.9"


def held(*texts):
    return hold([Bound.parse(text) for text in texts], FIGURES, INTERVALS)


def test_figures_that_reach_their_bounds_say_nothing():
    assert held() is None
    assert held("accuracy=0.9", "macro_f1=0.7") is None


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["accuracy=0.91"],
            "accuracy is 0.9000, 0.0100 below 0.91 (its 95 % interval, 0.8800 to 0.9200, includes that)",
        ),
        (
            ["accuracy=0.95"],
            "accuracy is 0.9000, 0.0500 below 0.95 (its 95 % interval, 0.8800 to 0.9200, does not include that)",
        ),
        (["accuracy=0.9", "macro_f1=0.8"], "macro_f1 is 0.7500, 0.0500 below 0.8"),
        (
            ["macro_f1=0.8", "accuracy=0.92"],
            "macro_f1 is 0.7500, 0.0500 below 0.8; accuracy is 0.9000, 0.0200 below 0.92 "
            "(its 95 % interval, 0.8800 to 0.9200, includes that)",
        ),
    ],
)
def test_each_figure_that_falls_short_is_named_with_what_it_lacks(texts, message):
    with pytest.raises(QualityError) as caught:
        held(*texts)
    assert str(caught.value) == message
    assert caught.value.exit_code == 7


def test_a_figure_that_is_not_there_is_a_mistake_of_the_user():
    with pytest.raises(UsageError, match=r"^--min f1=0.5: there is no such figure; there are accuracy, macro_f1$"):
        held("f1=0.5")


@pytest.mark.parametrize(("drop", "refused"), [(-3.0, False), (0.0, False), (0.5, False), (0.51, True), (4.0, True)])
def test_a_drop_is_refused_if_it_is_larger_than_allowed(drop, refused):
    interval = (-drop / 100 - 0.01, -drop / 100 + 0.01)
    if not refused:
        assert refuse_drop("accuracy", drop, interval, most=0.5, baseline="old") is None
        return
    with pytest.raises(QualityError) as caught:
        refuse_drop("accuracy", drop, interval, most=0.5, baseline="old")
    verdict = "includes" if drop < 1.5 else "does not include"
    assert str(caught.value) == (
        f"accuracy is {drop:.2f} points below that of old, and at most 0.5 are allowed (the 95 % interval of the "
        f"change, {-drop - 1:+.2f} to {-drop + 1:+.2f} points, {verdict} that)"
    )
