"""Why a text has its label: what each of its tokens adds, and what the model looks for. No torch.

What is explained is the margin of a label: its logit, divided by the temperature as in a prediction, less the mean of
those of all other labels. It rises and falls with the probability, whatever a model adds to all logits alike.

For the mlp the margin is taken apart exactly. With the hidden units that are active for this text, the network is
linear: each feature adds its weight times its embedding times the outputs of the active units. A word gets what it adds
itself, half of what the pairs add that it is in, and what its parts add; a feature that stands there several times is
shared out evenly. All tokens and the bias add up to the margin.

For the lstm a token gets what the margin loses without it (leave one out, https://arxiv.org/abs/1612.08220). Tokens
that say the same stand in for each other, so that these do not add up: the rest is what is missing.
"""

from functools import singledispatch
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.artefact import Artefact
from textclf.errors import UsageError
from textclf.models.arithmetic import FORWARD, Floats
from textclf.models.bag_mlp.features import Bag
from textclf.models.sequences import Sequences
from textclf.text.token_offsets import spans
from textclf.text.tokenizer import UNK_ID

BATCH: Final = 64  # texts, each without one token, that go through the lstm together
MANY_WORDS: Final = 4096  # of the vocabulary, each a text of its own, that go through a model together

Doubles = NDArray[np.float64]


class Token(NamedTuple):
    """A token where it stands in the text."""

    start: int
    end: int
    """Characters of the text: ``text[start:end]``."""
    contribution: float
    """What it adds to the margin; below 0 it speaks against the label."""


class Explanation(NamedTuple):
    """What makes the margin of a label in a text."""

    label: str
    margin: float
    """The label's logit less the mean of all others."""
    rest: float
    """What no token adds: for the mlp its bias, for the lstm what leaving out single tokens does not show."""
    tokens: tuple[Token, ...]
    """All tokens of the text, in order."""


class Word(NamedTuple):
    """A word and the probability of a label in a text that is this word alone."""

    word: str
    probability: float


def explain(trained: Artefact, text: str, label: str) -> Explanation:
    """Take the margin of a label in a text apart; raises UsageError if the model has no such label."""
    ids = trained.tokenizer.encode(text)
    where = spans(text, lowercase=trained.tokenizer.lowercase)
    against = _against_others(trained, label)
    margin, rest, contributions = _contributions(trained.inputs, trained, ids, against)
    placed = zip(where, contributions[: len(where)].tolist(), strict=True)  # an empty text has an <unk>, but no token
    return Explanation(label, margin, rest, tuple(Token(*span, contribution) for span, contribution in placed))


def top_words(trained: Artefact, label: str, *, top_k: int) -> list[Word]:
    """The words that, each alone, give the label the highest probability; raises UsageError if there is no such label.

    Pairs of words are no part of it: the model knows them by a hash.
    """
    place = _place(trained, label)
    size = trained.inputs.words
    logits = np.concatenate(
        [
            _logits(trained, np.arange(start, min(start + MANY_WORDS, size), dtype=np.int32))
            for start in range(UNK_ID + 1, size, MANY_WORDS)
        ]
    ).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits[:, place]) / np.exp(logits).sum(axis=1)
    best = np.argsort(-probabilities, kind="stable")[:top_k]
    return [Word(trained.tokenizer.words[UNK_ID + 1 + word], float(probabilities[word])) for word in best]


def _logits(trained: Artefact, words: NDArray[np.int32]) -> Floats:
    """Calibrated logits of words, each a text of its own, shape (words, classes)."""
    inputs = trained.inputs(words, np.ones(len(words), dtype=np.int64))
    return FORWARD[trained.model](trained.weights, inputs) / np.float32(trained.temperature)


def _place(trained: Artefact, label: str) -> int:
    if label not in trained.labels:
        raise UsageError(f"the model has no label {label!r}; it has {', '.join(trained.labels[:20])}")
    return trained.labels.index(label)


def _against_others(trained: Artefact, label: str) -> Doubles:
    """What logits are multiplied by and summed to give the margin, shape (classes,)."""
    weights = np.full(len(trained.labels), -1 / max(len(trained.labels) - 1, 1))
    weights[_place(trained, label)] = 1
    return weights / trained.temperature


@singledispatch
def _contributions(
    inputs: Bag | Sequences, trained: Artefact, ids: NDArray[np.int32], against: Doubles
) -> tuple[float, float, Doubles]:
    """Margin, rest, and what each token adds, shape (tokens,)."""
    raise TypeError(f"no explanation for {type(inputs).__name__}")


@_contributions.register
def _of_bag(inputs: Bag, trained: Artefact, ids: NDArray[np.int32], against: Doubles) -> tuple[float, float, Doubles]:
    bags = inputs(ids, np.array([len(ids)]))
    added = np.zeros(len(inputs.rarity))  # by each feature of the text to the margin
    margin = rest = 0.0
    for view, (start, end) in enumerate(zip(bags.offsets, [*bags.offsets[1:], len(bags.features)], strict=True)):
        features, weights = bags.features[start:end], bags.weights[start:end]
        rows = trained.weights["embedding.weight"][features].astype(np.float64)  # (N, H)
        hidden = weights @ rows  # (H,)
        output = against @ trained.weights[f"outputs.{view}.weight"] / inputs.views  # (H,)
        added[features] = weights * (rows @ np.where(hidden > 0, output, 0))
        bias = float(against @ trained.weights[f"outputs.{view}.bias"]) / inputs.views
        margin += float(np.maximum(hidden, 0) @ output) + bias
        rest += bias
    occurrences = inputs.occurrences(ids)
    total = np.bincount(occurrences.features, occurrences.shares, minlength=len(added))
    shares = occurrences.shares * added[occurrences.features] / total[occurrences.features]
    tokens = int((ids < trained.tokenizer.size).sum())
    contributions: Doubles = np.bincount(occurrences.tokens, shares, minlength=tokens).astype(np.float64)
    return margin, rest, contributions


@_contributions.register
def _of_sequence(
    inputs: Sequences, trained: Artefact, ids: NDArray[np.int32], against: Doubles
) -> tuple[float, float, Doubles]:
    words = ids[ids < inputs.words]
    read = words[: inputs.max_length]
    without = [np.delete(read, place) if len(read) > 1 else np.array([UNK_ID]) for place in range(len(read))]
    texts = [read, *without]
    margins = np.concatenate([_margins(trained, texts[i : i + BATCH], against) for i in range(0, len(texts), BATCH)])
    contributions = np.zeros(len(words))
    contributions[: len(read)] = margins[0] - margins[1:]
    return float(margins[0]), float(margins[0] - contributions.sum()), contributions


def _margins(trained: Artefact, texts: list[NDArray[np.int32]], against: Doubles) -> Doubles:
    inputs = trained.inputs(np.concatenate(texts), np.array(list(map(len, texts))))
    margins: Doubles = FORWARD[trained.model](trained.weights, inputs) @ against
    return margins
