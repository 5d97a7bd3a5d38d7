import random

import numpy as np
import pytest

from tests.text.test_bag import ODD, TRAINING, encoded, fit, learn, random_texts
from textclf.text.remembered import Remembered


class Counting:
    """A bag that knows how many documents it made."""

    def __init__(self, bag):
        self.bag, self.views, self.made = bag, bag.views, 0

    def __call__(self, tokens, lengths):
        self.made += len(lengths)
        return self.bag(tokens, lengths)


def same(one, other):
    for ours, theirs in zip(one, other, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("limit", [0, 500, 10**6])
@pytest.mark.parametrize("max_parts", [0, 1_000])
def test_remembered_bags_are_the_same(limit, max_parts):
    training = random_texts(0)
    tokenizer = learn(training, max_parts=max_parts)
    bag = fit(training, tokenizer)
    remembered = Remembered(bag, limit=limit)
    texts = [*random_texts(1), *training, *ODD]
    rng = random.Random(0)
    for _ in range(40):
        rows = rng.choices(range(len(texts)), k=rng.randrange(1, 9))
        tokens = encoded([texts[row] for row in rows], tokenizer)
        same(remembered(*tokens, np.array(rows)), bag(*tokens))


def test_bags_are_made_once():
    tokenizer = learn(TRAINING)
    counting = Counting(fit(TRAINING, tokenizer))
    remembered = Remembered(counting)
    everything = list(range(len(TRAINING)))
    for rows in (everything, everything[::-1], [0], [1, 2, 1, 2]):
        tokens = encoded([TRAINING[row] for row in rows], tokenizer)
        same(remembered(*tokens, np.array(rows)), counting.bag(*tokens))
    assert counting.made == len(TRAINING)
    remembered(*encoded(["mat the", TRAINING[0]], tokenizer), np.array([77, 0]))
    assert counting.made == len(TRAINING) + 2


def test_what_is_remembered_has_a_limit():
    tokenizer = learn(TRAINING)
    counting = Counting(fit(TRAINING, tokenizer))
    first = len(counting.bag(*encoded(TRAINING[:1], tokenizer)).features)
    remembered = Remembered(counting, limit=first)
    for _ in range(3):
        for row, text in enumerate(TRAINING[:2]):
            remembered(*encoded([text], tokenizer), np.array([row]))
    assert remembered.is_full
    assert counting.made == 1 + 3  # the first fills the room, the second is made each time


@pytest.mark.parametrize("limit", [0, 700, 1_200, 10**6])
@pytest.mark.parametrize("max_parts", [0, 1_000])
def test_what_it_has_learnt_from_is_remembered_as_if_made_anew(limit, max_parts):
    training = random_texts(0)
    tokenizer = learn(training, max_parts=max_parts)
    cut = [range(start, min(start + 7, len(training))) for start in range(0, len(training), 7)]
    batches = [(*encoded([training[row] for row in rows], tokenizer), 3 * np.array(rows)) for rows in cut]
    remembered = Remembered.fit(batches, tokenizer=tokenizer, limit=limit)
    bag = fit(training, tokenizer)
    same(
        [getattr(remembered.bag, name) for name in ("pairs", "spelling", "spelled", "rarity")],
        [getattr(bag, name) for name in ("pairs", "spelling", "spelled", "rarity")],
    )
    kept = [batch for batch in batches if remembered.has(batch[-1])]
    assert (len(kept) > 0) is (limit > 0)
    assert len(kept) < len(batches) or limit > 700
    for tokens, lengths, rows in batches:
        same(remembered(tokens, lengths, rows), bag(tokens, lengths))
    remembered.bag = None  # cannot make any more
    for tokens, lengths, rows in kept:
        same(remembered(tokens, lengths, rows), bag(tokens, lengths))


def test_there_is_room_again_when_what_is_no_feature_has_gone():
    texts = ["a b c d", "d c b a"]  # words that both have, and no pair that both have
    tokenizer = learn(texts, max_parts=0)
    batches = [(*encoded([text], tokenizer), np.array([row])) for row, text in enumerate(texts)]
    remembered = Remembered.fit(batches, tokenizer=tokenizer, limit=10)
    assert not remembered.has(np.array([1]))
    remembered(*batches[1])
    assert remembered.has(np.array([0, 1]))
