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
