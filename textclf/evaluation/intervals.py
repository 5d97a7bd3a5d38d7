"""Confidence intervals by the bootstrap over documents: how much a score depends on which documents were tested.

https://doi.org/10.1214/aos/1176344552, computed by scipy.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 1000
RESAMPLES_AT_ONCE: Final = 100
LEVEL: Final = 0.95

Interval = tuple[float, float]
Resampled = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Scores of R resamples, shape (R,), from the indices of their documents, shape (R, D)."""


def accuracies(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> Resampled:
    """The accuracy of each resample."""
    right = labels == answers
    return lambda places: right[places].mean(axis=1)


def macro_f1s(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> Resampled:
    """The macro-F1 of each resample over the classes that occur in it as label or answer, as in scikit-learn."""
    names, codes = np.unique(np.concatenate((labels, answers)), return_inverse=True)
    label, answer = np.split(codes, 2)

    def of(places: NDArray[np.int64]) -> NDArray[np.float64]:
        shape = (len(places), len(names))
        resample = np.arange(len(places))[:, None] * len(names)

        def count(chosen: NDArray[np.int64]) -> NDArray[np.float64]:
            return np.bincount(chosen, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)

        labelled, answered = label[places] + resample, answer[places] + resample
        documents = count(labelled.ravel()) + count(answered.ravel())  # (R, C)
        hits = count(labelled[labelled == answered])  # (R, C)
        occurs = documents > 0
        f1 = 2 * hits / np.where(occurs, documents, 1)
        figures: NDArray[np.float64] = f1.sum(axis=1) / occurs.sum(axis=1)
        return figures

    return of


def interval(figures: Resampled, documents: int, *, seed: int = 0) -> Interval:
    """The interval that contains the score of LEVEL of the resamples; NaN for fewer than two documents."""
    from scipy.stats import bootstrap

    if documents < 2:
        return (float("nan"), float("nan"))
    found = bootstrap(
        (np.arange(documents),),
        lambda places, axis: figures(places.astype(np.int64).reshape(-1, documents)).reshape(places.shape[:axis]),
        n_resamples=RESAMPLES,
        batch=RESAMPLES_AT_ONCE,
        vectorized=True,
        method="percentile",
        confidence_level=LEVEL,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)
