import os
import re
import subprocess
import sys

import numpy as np
import pytest

from textclf.evaluation import plots
from textclf.evaluation.calibration import binned

HISTORY = [
    {"number": 1, "train": {"loss": 2.0, "accuracy": 0.5}, "validation": {"loss": 1.5, "accuracy": 0.6}},
    {"number": 2, "train": {"loss": 1.0, "accuracy": 0.8}, "validation": {"loss": 1.2, "accuracy": 0.7}},
]
RELIABILITY = binned(np.array([0.88, 0.73, 0.73], dtype=np.float32), np.array([True, False, True]))
FIGURES = {
    "curve": lambda: plots.curve(HISTORY, "loss", best_epoch=2),
    "confusion": lambda: plots.confusion(np.array([[3, 1], [0, 0]]), ["spam", "ham"]),
    "confusion of many": lambda: plots.confusion(np.eye(60, dtype=int), [str(number) for number in range(60)]),
    "reliability": lambda: plots.reliability(RELIABILITY, before=RELIABILITY),
    "learning curve": lambda: plots.learning_curve((100, 400), (0.5, 0.7), (1, 3), expected=(800, 0.8, 0.7, 0.9)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_be_drawn_twice_alike(name):
    assert plots.svg(FIGURES[name]()).startswith("<svg")
    assert plots.svg(FIGURES[name]()) == plots.svg(FIGURES[name]())


@pytest.mark.parametrize(
    ("name", "expected"), [("loss", [[2.0, 1.0], [1.5, 1.2]]), ("accuracy", [[0.5, 0.8], [0.6, 0.7]])]
)
def test_a_curve_shows_what_the_history_holds(name, expected):
    (axes,) = plots.curve(HISTORY, name, best_epoch=2).axes
    assert [list(line.get_ydata()) for line in axes.lines[:2]] == expected


def test_reliability_counts_the_answers_of_each_bin():
    heights = [bar.get_height() for bar in plots.reliability(RELIABILITY).axes[1].patches]
    assert heights == RELIABILITY.documents.tolist()
    assert sum(heights) == 3


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_in_a_page_has_its_colours_and_says_what_it_shows(name):
    element = plots.inline(FIGURES[name](), alt='what "it" <shows>')
    assert element.startswith('<svg role="img" aria-label="what &quot;it&quot; &lt;shows&gt;" ')
    assert {"var(--ink)", "var(--card)"} <= set(re.findall(r"var\(--[a-z]+\)", element))
    assert not set(plots.COLOURS) & set(re.findall("#[0-9a-f]{6}", element))
    assert '<g id="' not in element


def test_a_confusion_matrix_shows_shares_of_each_label_and_counts():
    axes = plots.confusion(np.array([[3, 1], [0, 0]]), ["spam", "ham"]).axes[0]
    assert np.asarray(axes.images[0].get_array()).tolist() == [[0.75, 0.25], [0, 0]]
    assert [text.get_text() for text in axes.texts] == ["3", "1", "0", "0"]


CURVES = {
    "small": ((100, 400, 1000, 1780), (2.1, 4.4, 6.6, 8.9)),
    "large": ((500, 5_000, 50_000, 1_400_000), (12.1, 60.4, 410.0, 9000.0)),
    "nearly equal": ((100, 110, 120, 120), (1.2, 1.25, 1.3, 1.22)),
    "equal": ((60, 60, 60, 60), (1.0, 1.0, 1.0, 1.0)),
}


@pytest.mark.parametrize("name", CURVES)
def test_ticks_of_a_learning_curve_do_not_overlap(name):
    documents, seconds = CURVES[name]
    figure = plots.learning_curve(
        documents, (0.5, 0.6, 0.7, 0.8), seconds, expected=(2 * documents[-1], 0.85, 0.8, 0.9)
    )
    plots.svg(figure)
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert boxes
        assert not [box for place, box in enumerate(boxes) if box.count_overlaps(boxes[:place])]
        assert axes.get_xminorticklabels() == []
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert f"{documents[-1]:,}" in labels


def test_a_label_may_be_in_a_script_that_the_font_does_not_have(recwarn):
    figure = plots.confusion(np.eye(2, dtype=int), ["\u5929\u6c17", "\U0001f436\x1b[31m\n"])
    page = plots.svg(figure)
    assert "\u5929\u6c17" in page
    assert "\\x1b[31m\\n" in page
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_a_label_is_not_read_as_a_formula():
    figure = plots.confusion(np.eye(2, dtype=int), ["$\\frac{1}$ <script>", "$"])
    assert "&lt;script&gt;" in plots.svg(figure)
    assert "<script" not in plots.svg(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_does_not_depend_on_settings_such_as_those_of_a_matplotlibrc(name):
    import matplotlib

    expected = plots.svg(FIGURES[name]())
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "red", "font.size": 40}):
        assert plots.svg(FIGURES[name]()) == expected
        assert matplotlib.rcParams["text.usetex"]  # which is the user's own


@pytest.mark.parametrize(
    "settings", [b"backend: module://evil\n\xff\xfe", b"nonsense", None], ids=["bytes", "text", "pipe"]
)
def test_matplotlib_is_imported_without_the_settings_of_the_current_folder(settings, tmp_path):
    if settings is None:
        os.mkfifo(tmp_path / "matplotlibrc")
    else:
        (tmp_path / "matplotlibrc").write_bytes(settings)
    code = "from textclf.evaluation import plots; plots.curve([], 'loss', best_epoch=1); import matplotlib; "
    code += "print(matplotlib.rcParams['backend'], matplotlib.os.path.exists('matplotlibrc'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr, "evil" in done.stdout) == (0, "", False)
    assert done.stdout.endswith("True\n")
