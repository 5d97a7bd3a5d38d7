"""The most confident mistakes: the user's id, the text as the source has it, and the words that misled the model."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from textclf.dataset.documents import labels_of
from textclf.dataset.originals import texts_of
from textclf.errors import TextclfError, UsageError
from textclf.evaluation.predictions import Predictions
from textclf.inference.explain import Token, explain

LEAD: Final = 300
"""Characters that begin a text; the rest is shown on demand."""
LONGEST: Final = 4_000
"""Characters of a text that are shown at all."""
FAINT: Final = 0.08
"""Strength below which a word is not marked, as on the page of `textclf serve`."""


class Piece(NamedTuple):
    """A stretch of a text."""

    text: str
    strength: float = 0.0
    """From -1, it speaks most against the label, to 1, it speaks most for it; 0: it is not marked."""


class Mistake(NamedTuple):
    """A document with a wrong answer."""

    document: str
    """The source's own id: of an id column, a file name or a row number."""
    labels: tuple[str, ...]
    answers: tuple[str, ...]
    probability: float
    """Of the answer: see `Outcome.sureness`."""
    own: float
    """The probability of the document's own label, or the mean of several."""
    marked: str
    """The label whose words are marked; empty if none are."""
    lead: Sequence[Piece]
    """The beginning of the text; empty if texts are left out."""
    rest: Sequence[Piece]
    """What follows it."""
    is_cut: bool
    """Whether the text goes on."""


class Mistakes(NamedTuple):
    """The most confident mistakes of a model."""

    found: Sequence[Mistake]
    total: int
    """Number of all mistakes."""
    missing: str
    """Why the texts are not those of the source but known words; empty if they are."""


def mistakes(found: Predictions, *, most: int, texts: bool = True) -> Mistakes:
    """The surest mistakes first; without ``texts``, the source is not read and none is shown."""
    places = found.outcome.mistakes(most)
    originals, missing = {}, ""
    if texts and places:
        try:
            originals = texts_of(found.data, found.rows[places].tolist())
        except (TextclfError, ImportError) as error:  # datasets may not be installed where a model is
            missing = str(error)
    own = found.outcome.own_probability()
    shown = [
        _mistake(found, place, float(own[place]), originals.get(int(found.rows[place])), texts=texts)
        for place in places
    ]
    return Mistakes(shown, int((~found.outcome.is_right()).sum()), missing)


def _mistake(found: Predictions, place: int, own: float, original: str | None, *, texts: bool) -> Mistake:
    outcome, row = found.outcome, int(found.rows[place])
    text, marked, tokens = "", "", list[Token]()
    if original is not None:
        text, marked = original, outcome.names[_surest(found, place)]
        try:
            tokens += explain(found.trained, text, marked).tokens
        except UsageError:  # it is too long
            marked = ""
    elif texts:
        text = found.text(place, most=120)
    end = _end_of_lead(text)
    pieces = list(_pieces(text[:LONGEST], tokens))
    return Mistake(
        document=found.data.documents.source[row],
        labels=labels_of(found.data.documents.label_of(row)),
        answers=tuple(outcome.names[answer] for answer in np.flatnonzero(outcome.given[place])),
        probability=outcome.sureness(place),
        own=own,
        marked=marked,
        lead=list(_between(pieces, 0, end)),
        rest=list(_between(pieces, end, LONGEST)),
        is_cut=len(text) > LONGEST,
    )


def _surest(found: Predictions, place: int) -> int:
    """The label that is given wrongly or, of several, missing, and that the model is surest of."""
    given, probabilities = found.outcome.given[place], found.outcome.probabilities[place]
    known = found.outcome.truth[place, : len(given)]
    if not found.trained.is_multi:
        return int(given.argmax())
    sureness = np.where(given, probabilities, 1 - probabilities)
    return int(np.where(given != known, sureness, 0).argmax())


def _end_of_lead(text: str) -> int:
    """Where the beginning of a text ends: after a word, or the text itself if hardly more follows."""
    if len(text) <= LEAD * 1.25:
        return len(text)
    return text.rfind(" ", LEAD // 2, LEAD) + 1 or LEAD


def _pieces(text: str, tokens: Sequence[Token]) -> Iterator[Piece]:
    """The text in pieces, of which the words that count are marked."""
    largest = max((abs(token.contribution) for token in tokens), default=0.0)
    end = 0
    for token in tokens:
        strength = token.contribution / largest if largest else 0.0
        if abs(strength) < FAINT or not end <= token.start < token.end <= len(text):
            continue
        yield Piece(text[end : token.start])
        yield Piece(text[token.start : token.end], strength)
        end = token.end
    yield Piece(text[end:])


def _between(pieces: Sequence[Piece], start: int, end: int) -> Iterator[Piece]:
    """The part of the pieces from one character of the text to another."""
    place = 0
    for text, strength in pieces:
        some = text[max(start - place, 0) : max(end - place, 0)]
        if some:
            yield Piece(some, strength)
        place += len(text)
