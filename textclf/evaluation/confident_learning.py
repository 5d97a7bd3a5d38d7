"""How probable the labels of documents are, and how many are wrong: confident learning.

Method: https://arxiv.org/abs/1911.00068. The probabilities must come from models that have not learned from the
documents. Letters: D documents, C classes.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_LEAST: Final = 1e-12
"""Probability below which surprise does not grow."""

Probabilities = NDArray[np.float32]
"""Of each document and class, shape (D, C)."""


def self_confidence(labels: NDArray[np.integer], probabilities: Probabilities) -> NDArray[np.float32]:
    """The probability of each document's own label, shape (D,); labels, shape (D,), are classes."""
    own: NDArray[np.float32] = probabilities[np.arange(len(labels)), labels]
    return own


def wrong_labels(labels: NDArray[np.integer], probabilities: Probabilities) -> NDArray[np.bool_]:
    """The documents off the diagonal of the confident joint, shape (D,): as many labels are wrong by its estimate.

    A class has a threshold: the mean probability of the class over the documents that are labelled with it. A document
    is confidently in a class whose threshold it reaches; of several, in the most probable. If that is not the one it
    is labelled with, the label counts as wrong, unless it is the most probable of all: a class of few documents, whose
    threshold is hardly above 0, would else claim documents that belong to others.
    """
    own, classes = self_confidence(labels, probabilities), probabilities.shape[1]
    documents = np.bincount(labels, minlength=classes)
    thresholds = np.bincount(labels, weights=own, minlength=classes) / np.maximum(documents, 1)
    thresholds[documents == 0] = np.inf  # nobody is confidently in it
    reached = np.where(probabilities >= thresholds.astype(np.float32), probabilities, -1)
    confident = reached.argmax(axis=1)
    is_off = (reached.max(axis=1) >= 0) & (confident != labels)
    wrong: NDArray[np.bool_] = is_off & (probabilities.argmax(axis=1) != labels)
    return wrong


def wrong_pairs(truth: NDArray[np.bool_], probabilities: Probabilities) -> NDArray[np.bool_]:
    """The same for documents of several labels, of each pair of a document and a label, shape (D, C).

    truth: which document has which label, shape (D, C). Each label is a question of its own, with two classes.
    """
    wrong = np.zeros(truth.shape, dtype=bool)
    for label in range(truth.shape[1]):
        yes = probabilities[:, label]
        wrong[:, label] = wrong_labels(truth[:, label].astype(np.int64), np.stack([1 - yes, yes], axis=1))
    return wrong


def rank_pairs(truth: NDArray[np.bool_], probabilities: Probabilities) -> NDArray[np.int64]:
    """The pairs that are more probably wrong than right, as places in the flat (D, C) matrix, the most suspect first.

    By self-confidence alone, labels that documents lack would hardly be found, because a label is absent from most
    documents. So labels that are lacking and labels that are too much are ranked apart, and merged in proportion to
    the estimate of each. A pair ranks by its surprise (the negative logarithm of its self-confidence) less that of the
    document's other doubted pairs: where several labels are doubted, the model has probably misunderstood the text.
    On 20newsgroups_topics with a label added or removed in 5 % of the documents, precision at their number is 0.67,
    and 0.44 by self-confidence alone.
    """
    own = np.where(truth, probabilities, 1 - probabilities)
    surprise = -np.log(np.maximum(own, _LEAST))
    is_doubted = own < 0.5
    doubts = np.where(is_doubted, surprise, 0)
    alone = (surprise + doubts - doubts.sum(axis=1, keepdims=True)).ravel()
    wrong = wrong_pairs(truth, probabilities)
    places, ranks = [], []
    for is_kind in (~truth, truth):
        some = np.flatnonzero((is_doubted & is_kind).ravel())
        places.append(some[np.argsort(-alone[some], kind="stable")])
        ranks.append(np.arange(1, len(some) + 1) / max(int((wrong & is_kind).sum()), 1))
    order: NDArray[np.int64] = np.concatenate(places)[np.argsort(np.concatenate(ranks), kind="stable")]
    return order
