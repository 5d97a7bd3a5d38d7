"""Why a run that came to its end may still be worthless: it diverged in effect, or one label for all texts does better.

On corpora of 30 to 15,000 documents, with the settings that follow from them, the training loss of the best epoch was
at most 1.1 times that of a constant guess, also where labels were drawn by lot.
"""

from collections.abc import Mapping
from math import log, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.config import TIERS
from textclf.evaluation.calibration import CONFIDENCE
from textclf.system.wording import counted

FAR_ABOVE: Final = 2.0
"""Times the loss of a constant guess from which on a training loss has diverged in effect."""
FAR_ABOVE_UNSEEN: Final = 10.0
"""The same for validation, where a few documents can have a large loss by chance."""
SHOWN: Final = 0.9
"""Precision that validation documents should be able to show."""
DEVIATIONS: Final = 6.0
"""Standard deviations, at their most, by which an accuracy must be lower than that of one label for all."""


def doubts(
    epoch: Mapping[str, Any], *, classes: int, lr: float, accuracy: float, majority: NDArray[np.bool_]
) -> list[str]:
    """A sentence for each reason not to trust the model.

    epoch: the figures of the best epoch. accuracy: that of the finished model on D validation documents. majority:
    shape (D,), whether each of them has the most frequent label of the training documents.
    """
    return [*_diverged(epoch, classes=classes, lr=lr), *_worse(accuracy, majority)]


def still_falling(best_epoch: int, *, epochs: int) -> str | None:
    """A sentence if the last epoch that a run was allowed is its best one, and not its only one: more would help."""
    if best_epoch < epochs or epochs == 1:
        return None
    more = max(2 * epochs, *(tier.epochs for tier in TIERS.values()))
    return f"epoch {epochs} was the last, and the loss still fell: try --epochs {more}"


def rests_on_few(documents: int) -> str | None:
    """A sentence if a precision of SHOWN cannot be shown by so many validation documents, even if all were right.

    By the interval of Clopper and Pearson, as for thresholds: https://doi.org/10.1093/biomet/26.4.404.
    """
    shown = (1 - CONFIDENCE) ** (1 / max(documents, 1))
    if shown >= SHOWN:
        return None
    return f"thresholds rest on {counted(documents, 'validation document')}: at most {shown:.0%} precision can be shown"


def _diverged(epoch: Mapping[str, Any], *, classes: int, lr: float) -> list[str]:
    guess = log(max(classes, 2))
    for split, limit in (("train", FAR_ABOVE), ("validation", FAR_ABOVE_UNSEEN)):
        loss = epoch[split]["loss"]
        if loss > limit * guess:
            name = "training" if split == "train" else split
            return [
                f"training diverged: the {name} loss of {loss:,.4g} is {loss / guess:,.3g} times that of a guess "
                f"({guess:.4g}); train again with --lr lower than {lr:g}"
            ]
    return []


def _worse(accuracy: float, majority: NDArray[np.bool_]) -> list[str]:
    share = float(majority.mean())
    if accuracy >= share - DEVIATIONS * 0.5 / sqrt(len(majority)):
        return []
    return [
        f"the model is right for {accuracy:.1%} of the validation documents, and one label for all would be for "
        f"{share:.1%}: the texts may not tell the labels apart; try another --lr or --model"
    ]
