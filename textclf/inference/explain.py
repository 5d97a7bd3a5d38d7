"""Why a text has its label: the contribution of each token, and the words that speak most for a label. No torch.

The margin of a label is explained: its calibrated logit minus the mean logit of all other labels. It rises and falls
with the probability, whatever a model adds to all logits alike. Where a text may have several labels, each is a
question of its own, and its margin is its logit. Each model divides the margin among tokens in its own
way: the mlp exactly (`textclf.models.bag_mlp.predict.contributions`), the others, and a sentence encoder, by leaving
out one token at a time (`textclf.models.sequences.features.LeaveOneOut`).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from textclf.artefacts.artefact import Artefact
from textclf.artefacts.encoder_view import EncoderView
from textclf.errors import UsageError
from textclf.models.arithmetic import Doubles, sigmoid
from textclf.models.model import Contributions
from textclf.text import unspaced
from textclf.text.token_offsets import Span, spans
from textclf.text.tokenizer import UNK_ID

MANY_WORDS: Final = 4096  # one-word texts in a batch
MOST_EXPLAINED: Final = 1_000_000
"""Most characters of a text that is explained: each token takes 280 bytes, where predicting takes ten."""


MOST_LEFT_OUT: Final = 64
"""Times that a sentence encoder reads a text, each time with another part left out."""


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
    """The label's logit minus the mean of all others or, where a text may have several labels, its logit."""
    rest: float
    """The part of no token: the bias of the mlp, or what leaving out single tokens does not show."""
    tokens: tuple[Token, ...]
    """All tokens of the text, in order."""


class Word(NamedTuple):
    """A word, and the probability of a label for the text of this word alone."""

    word: str
    probability: float


def explain(trained: Artefact, text: str, label: str) -> Explanation:
    """Divide the margin of a label among the tokens of a text.

    Raises UsageError if there is no such label, or if the text has more than MOST_EXPLAINED characters.
    """
    if len(text) > MOST_EXPLAINED:
        raise UsageError(
            f"a text of {len(text):,} characters is too long to explain, the most is {MOST_EXPLAINED:,}; "
            "shorten it, or predict without --explain"
        )
    ids = trained.tokenizer.encode(text)
    where = spans(text, lowercase=trained.tokenizer.lowercase)
    against = _against_others(trained, label)
    of_view = 0.0 if trained.view is None else trained.view.share
    found = trained.kind.runtime().contributions(trained.weights, trained.inputs, ids, (1 - of_view) * against)
    if trained.view is not None:
        found = _with_view(found, trained.view, text, where, against)
    shift = float(against @ np.array(trained.shift)) if trained.shift else 0.0  # which the model's logits have
    where, contributions = _without_marks(where, found.tokens[: len(where)])  # an empty text has an <unk>, but no token
    placed = zip(where, contributions.tolist(), strict=True)
    return Explanation(
        label,
        found.margin - shift,
        found.rest - shift,
        tuple(Token(*span, contribution) for span, contribution in placed),
    )


def _without_marks(where: Sequence[Span], contributions: Doubles) -> tuple[list[Span], Doubles]:
    """The tokens of the text alone: what a mark at either end of a pre-token contributes is that of the token there.

    Marks are tokens of no character, and come in pairs with tokens between them.
    """
    marks = np.flatnonzero([span.start == span.end for span in where])
    begins, ends = marks[::2], marks[1::2]
    shared = contributions.copy()
    shared[begins + 1] += contributions[begins]
    shared[ends - 1] += contributions[ends]
    return [span for span in where if span.start < span.end], np.delete(shared, marks)


def _with_view(
    found: Contributions, view: EncoderView, text: str, where: Sequence[tuple[int, int]], against: Doubles
) -> Contributions:
    """Add what the encoder's classifier contributes: how the margin falls when a token is left out of the text.

    A long text has its tokens left out in MOST_LEFT_OUT runs, each of which is shared out evenly.
    """
    runs = np.array_split(np.arange(len(where)), min(len(where), MOST_LEFT_OUT)) if where else []
    without = [text[: where[run[0]][0]] + text[where[run[-1]][1] :] for run in runs]
    margins = view.share * view.logits(view.read([text, *without])).astype(np.float64) @ against  # (1 + runs,)
    falls = margins[0] - margins[1:]
    tokens = found.tokens.copy()
    for run, fall in zip(runs, falls.tolist(), strict=True):
        tokens[run] += fall / len(run)
    margin = float(margins[0])
    return Contributions(found.margin + margin, found.rest + margin - float(falls.sum()), tokens)


def top_words(
    trained: Artefact, labels: Sequence[str], *, top_k: int, many_words: int = MANY_WORDS
) -> dict[str, list[Word]]:
    """For each label, the words that, each alone, give it the highest probability.

    Each word is classified once, whatever the number of labels. Pairs of words are left out, since the model knows only
    their hashes, and so is a sentence encoder, which a word alone tells little. The marks of `unspaced` are no words.

    Raises UsageError if there is no such label, or if the model knows no word.
    """
    places = {label: _place(trained, label) for label in labels}
    best: dict[str, list[Word]] = {label: [] for label in places}
    size = trained.inputs.words
    if size <= UNK_ID + 1:
        raise UsageError(
            "the model knows no whole word, so that there are none to list; explain a text: textclf predict --explain"
        )
    for start in range(UNK_ID + 1, size, many_words):
        words = range(start, min(start + many_words, size))
        probabilities = _probabilities_of_words(trained, words)
        probabilities[:, np.isin(trained.tokenizer.words[start : words.stop], unspaced.MARKS)] = -1
        for label, place in places.items():
            best[label] = _best(best[label], trained.tokenizer.words[start : words.stop], probabilities[place], top_k)
    return best


def _best(so_far: list[Word], words: Sequence[str], probabilities: Doubles, top_k: int) -> list[Word]:
    """The most probable words of those so far and of more words; of equals, those that come first."""
    better = np.flatnonzero(probabilities > (so_far[-1].probability if len(so_far) == top_k else -1))
    first = better[np.argsort(-probabilities[better], kind="stable")[:top_k]]
    more = [Word(words[place], float(probabilities[place])) for place in first.tolist()]
    return sorted([*so_far, *more], key=lambda word: -word.probability)[:top_k]


def _probabilities_of_words(trained: Artefact, words: range) -> Doubles:
    """Calibrated probabilities of texts of one word each, shape (classes, words)."""
    own = trained.own_logits(np.array(words, dtype=np.int32), np.ones(len(words), dtype=np.int64))
    logits = trained.calibrated(own).astype(np.float64)
    if trained.is_multi:
        return sigmoid(logits).T
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Doubles = exponentials.T / exponentials.sum(axis=1)
    return probabilities


def _place(trained: Artefact, label: str) -> int:
    if label not in trained.labels:
        raise UsageError(f"the model has no label {label!r}; it has {', '.join(trained.labels[:20])}")
    return trained.labels.index(label)


def _against_others(trained: Artefact, label: str) -> Doubles:
    """Weights of the logits whose weighted sum is the margin, shape (classes,)."""
    others = 0 if trained.is_multi else -1 / max(len(trained.labels) - 1, 1)
    weights = np.full(len(trained.labels), others, dtype=np.float64)
    weights[_place(trained, label)] = 1
    return weights / trained.temperature
