"""Figures drawn by matplotlib, without a window. Computes nothing that it shows."""

import io
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.evaluation.calibration import Reliability
from textclf.system import escaping

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRAIN: Final = "#8a8f98"
VALIDATION: Final = "#1f6feb"
COLOURS: Final = {
    TRAIN: "var(--quiet)",
    VALIDATION: "var(--accent)",
    "#000000": "var(--ink)",
    "#ffffff": "var(--card)",
}
"""Colours of figures, and those of `textclf.system.style`, which are others on a dark screen."""
MOST_NAMED: Final = 30
"""Classes up to which the axes of a confusion matrix show their names."""
MOST_COUNTED: Final = 12
"""Classes up to which the cells of a confusion matrix show counts."""

MARGIN: Final = 0.08
"""Of a logarithmic axis, on each side of the points."""
APART: Final = 0.12
"""Distance between two of its ticks, at least: room for seven digits."""

_GROUP: Final = re.compile(r'<g id="[^"]*"')
"""Two figures of a page would have the same ids."""
_NO_STYLE: Final = ("backend", "backend_fallback", "interactive", "toolbar")
"""Settings of windows, which there are none of."""


@contextmanager
def _our_style() -> Iterator[None]:
    """Draw as matplotlib does by default, though the user's settings ask for LaTeX, perhaps."""
    with _no_settings_here():
        import matplotlib
    defaults = {name: value for name, value in matplotlib.rcParamsDefault.items() if name not in _NO_STYLE}
    with matplotlib.rc_context(defaults):
        yield


@contextmanager
def _no_settings_here() -> Iterator[None]:
    """Let matplotlib find no ``matplotlibrc`` in the current folder while it is imported.

    It would be read first, whatever MATPLOTLIBRC says; one that is not text, or a pipe, would fail or never end.
    """
    exists = os.path.exists

    def elsewhere(path: Any) -> bool:
        return path != "matplotlibrc" and exists(path)

    os.path.exists = elsewhere
    try:
        yield
    finally:
        os.path.exists = exists


@_our_style()
def curve(history: Sequence[Mapping[str, Any]], name: str, *, best_epoch: int) -> "Figure":
    """A figure of train and validation by epoch, such as the loss; ``history`` is the lines of history.jsonl."""
    figure = _figure(4.6, 3)
    axes = figure.add_subplot()
    epochs = [epoch["number"] for epoch in history]
    for split, colour in (("train", TRAIN), ("validation", VALIDATION)):
        axes.plot(epochs, [epoch[split][name] for epoch in history], color=colour, marker="o", ms=3, label=split)
    axes.axvline(best_epoch, color=VALIDATION, lw=0.8, ls=":")
    axes.set(xlabel="epoch", ylabel=name.replace("_", "-"))
    axes.locator_params(axis="x", integer=True)
    axes.legend(frameon=False)
    return figure


@_our_style()
def confusion(counts: NDArray[np.int64], names: Sequence[str]) -> "Figure":
    """Share of each label's documents by answer, with counts if there are few classes."""
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    size = min(3.5 + 0.3 * len(names), 11)
    figure = _figure(size + 1, size)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="answer", ylabel="label")
    if len(names) <= MOST_NAMED:
        shown = [_short(name) for name in names]
        axes.set_xticks(range(len(names)), shown, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), shown)
    if len(names) <= MOST_COUNTED:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, ax=axes, fraction=0.046, pad=0.04, label="share of the label's documents")
    return figure


@_our_style()
def reliability(found: Reliability, *, before: Reliability | None = None) -> "Figure":
    """Accuracy by confidence, on the diagonal where probabilities are calibrated, and below it the answers counted."""
    figure = _figure(4.6, 4.8)
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    axes.plot([0, 1], [0, 1], color=TRAIN, lw=1, ls="--")
    width = np.diff(found.edges)
    axes.bar(found.edges[:-1], np.nan_to_num(found.accuracy), width, align="edge", color=VALIDATION, alpha=0.25)
    if before is not None:
        axes.plot(before.confidence, before.accuracy, color=TRAIN, marker="o", ms=3, label="before")
    axes.plot(found.confidence, found.accuracy, color=VALIDATION, marker="o", ms=4, label="calibrated")
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of right answers")
    counts.bar(found.edges[:-1], found.documents, width, align="edge", color=VALIDATION, alpha=0.5)
    counts.set(xlabel="probability of the answer", ylabel="answers")
    axes.legend(frameon=False, loc="upper left")
    return figure


@_our_style()
def learning_curve(
    documents: Sequence[int],
    accuracy: Sequence[float],
    seconds: Sequence[float],
    *,
    score: str = "accuracy",
    intervals: Sequence[tuple[float, float]] | None = None,
    expected: tuple[int, float, float, float] | None = None,
) -> "Figure":
    """Test accuracy, or what ``score`` is called, by training documents and by seconds.

    intervals: low and high of each accuracy. expected: more documents, their accuracy, its low and high.
    """
    figure = _figure(9, 3.4)
    for place, (x, label) in enumerate(((documents, "training documents"), (seconds, "seconds")), start=1):
        axes = figure.add_subplot(1, 2, place)
        order = np.argsort(x, kind="stable")  # a larger tier may take less time
        bars = None if intervals is None else _bars(accuracy, intervals)[:, order]
        across, up = np.take(x, order), np.take(accuracy, order)
        axes.errorbar(across, up, yerr=bars, color=VALIDATION, marker="o", elinewidth=0.8, capsize=3)
        shown = sorted(x, reverse=True)
        if expected and place == 1:
            more, then, low, high = expected
            axes.plot((x[-1], more), (accuracy[-1], then), color=TRAIN, ls=":")
            axes.errorbar(more, then, yerr=_bars([then], [(low, high)]), color=TRAIN, marker="o", mfc="w", capsize=3)
            shown.append(more)
        axes.set(xlabel=label, ylabel=f"test {score}")
        _log_ticks(axes, shown)
        axes.grid(color="#e6e8eb", lw=0.6)
    return figure


def _bars(values: Sequence[float], intervals: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Lengths of error bars below and above, shape (2, values)."""
    low, high = np.transpose(intervals)
    return np.maximum([values - low, high - np.asarray(values)], 0)


def _log_ticks(axes: Any, values: Sequence[float]) -> None:
    """A logarithmic axis with a tick at each of the values that is far enough from those before it in the list."""
    from matplotlib.ticker import NullLocator

    low, high = min(values), max(values)
    room = MARGIN * max(np.log(high / low), np.log(2))
    axes.set_xscale("log")
    axes.set_xlim(low / np.exp(room), high * np.exp(room))
    ticks: dict[str, float] = {}
    for value in values:
        label = f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
        apart = min((abs(np.log(value / tick)) for tick in ticks.values()), default=np.inf)
        if label not in ticks and apart >= APART * (np.log(high / low) + 2 * room):
            ticks[label] = value
    axes.set_xticks(list(ticks.values()), list(ticks))
    axes.xaxis.set_minor_locator(NullLocator())


@_our_style()
def svg(figure: "Figure") -> str:
    """The figure as an SVG element; equal figures give equal text."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "textclf", "svg.fonttype": "none"}), _any_script():
        file = io.StringIO()
        unsaid = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(
            file,
            format="svg",
            metadata=unsaid,
            bbox_inches="tight",
            pad_inches=0.15,
        )
    return file.getvalue().partition("<svg")[1] + file.getvalue().partition("<svg")[2]


def inline(figure: "Figure", *, alt: str) -> str:
    """The figure as an SVG element of a page, in the page's colours; ``alt`` is read out in its place."""
    element = _GROUP.sub("<g", svg(figure))
    for ours, page in COLOURS.items():
        element = element.replace(ours, page)
    return element.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1)


@contextmanager
def _any_script() -> Iterator[None]:
    """Print no warning for each character of a label that the font lacks: SVG has the character itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        yield


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _short(name: str, *, most: int = 24) -> str:
    """A label short enough for an axis. Dollar signs are escaped, because matplotlib reads them as formulas."""
    name = escaping.line(name)
    return (name if len(name) <= most else f"{name[: most - 1]}…").replace("$", r"\$")
