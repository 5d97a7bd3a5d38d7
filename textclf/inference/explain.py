"""Why a text has its label: the contribution of each token, and the words that speak most for a label. No torch.

The margin of a label is explained: its calibrated logit minus the mean logit of all other labels. It rises and falls
with the probability, whatever a model adds to all logits alike. Each model divides the margin among tokens in its own
way: the mlp exactly (`textclf.models.bag_mlp.predict.contributions`), the others by leaving out one token at a time
(`textclf.models.sequences.features.LeaveOneOut`).
"""

from typing import Final, NamedTuple

import numpy as np

from textclf.artefacts.artefact import Artefact
from textclf.errors import UsageError
from textclf.models.arithmetic import Doubles, Floats
from textclf.text.token_offsets import spans
from textclf.text.tokenizer import UNK_ID

MANY_WORDS: Final = 4096  # one-word texts in a batch


class Token(NamedTuple):
    """A token at its position in the text."""

    start: int
    end: int
    """Characters of the text: ``text[start:end]``."""
    contribution: float
    """Its share of the margin; negative: it speaks against the label."""


class Explanation(NamedTuple):
    """The margin of a label in a text, divided among its tokens."""

    label: str
    margin: float
    """The label's logit minus the mean of all others."""
    rest: float
    """The part of no token: the bias of the mlp, or what leaving out single tokens does not show."""
    tokens: tuple[Token, ...]
    """All tokens of the text, in order."""


class Word(NamedTuple):
    """A word, and the probability of a label for the text of this word alone."""

    word: str
    probability: float


def explain(trained: Artefact, text: str, label: str) -> Explanation:
    """Divide the margin of a label among the tokens of a text; raises UsageError if there is no such label."""
    ids = trained.tokenizer.encode(text)
    where = spans(text, lowercase=trained.tokenizer.lowercase)
    against = _against_others(trained, label)
    found = trained.kind.runtime().contributions(trained.weights, trained.inputs, ids, against)
    placed = zip(where, found.tokens[: len(where)].tolist(), strict=True)  # an empty text has an <unk>, but no token
    return Explanation(
        label, found.margin, found.rest, tuple(Token(*span, contribution) for span, contribution in placed)
    )


def top_words(trained: Artefact, label: str, *, top_k: int) -> list[Word]:
    """The words that, each alone, give the label the highest probability; raises UsageError if there is no such label.

    Pairs of words are left out, since the model knows only their hashes.
    """
    place = _place(trained, label)
    size = trained.inputs.words
    logits = np.concatenate(
        [
            _logits_of_words(trained, range(start, min(start + MANY_WORDS, size)))
            for start in range(UNK_ID + 1, size, MANY_WORDS)
        ]
    ).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits[:, place]) / np.exp(logits).sum(axis=1)
    best = np.argsort(-probabilities, kind="stable")[:top_k]
    return [Word(trained.tokenizer.words[UNK_ID + 1 + word], float(probabilities[word])) for word in best]


def _logits_of_words(trained: Artefact, words: range) -> Floats:
    """Calibrated logits of texts of one word each, shape (words, classes)."""
    return trained.logits(np.array(words, dtype=np.int32), np.ones(len(words), dtype=np.int64))


def _place(trained: Artefact, label: str) -> int:
    if label not in trained.labels:
        raise UsageError(f"the model has no label {label!r}; it has {', '.join(trained.labels[:20])}")
    return trained.labels.index(label)


def _against_others(trained: Artefact, label: str) -> Doubles:
    """Weights of the logits whose weighted sum is the margin, shape (classes,)."""
    weights = np.full(len(trained.labels), -1 / max(len(trained.labels) - 1, 1))
    weights[_place(trained, label)] = 1
    return weights / trained.temperature
