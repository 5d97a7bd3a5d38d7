from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from textclf.encoders.cooccurrences import Cooccurrences

WORDS = 6


def add(pairs, texts):
    ids = np.array([word for text in texts for word in text], dtype=np.int32)
    pairs.add(ids, np.array([len(text) for text in texts], dtype=np.int64))


def by_hand(texts, window):
    """The same, pair by pair."""
    found = Counter()
    for text in texts:
        for place, word in enumerate(text):
            for other in text[place + 1 : place + 1 + window]:
                found[word, other] += 1
                found[other, word] += 1
    matrix = np.zeros((WORDS, WORDS))
    for (word, other), times in found.items():
        matrix[word, other] = times
    return matrix


texts_of_words = st.lists(st.lists(st.integers(0, WORDS - 1), max_size=8), max_size=8)


@given(texts_of_words, st.integers(1, 9), st.integers(1, 30))
def test_pairs_within_the_window_are_counted_in_both_orders(texts, window, pending):
    pairs = Cooccurrences(WORDS, window=window, pending=pending)
    for start in range(0, len(texts), 2):
        add(pairs, texts[start : start + 2])
    np.testing.assert_array_equal(pairs.matrix().toarray(), by_hand(texts, window))


def test_of_too_many_pairs_the_rarest_are_dropped():
    pairs = Cooccurrences(WORDS, window=1, most=4, pending=1)
    add(pairs, [[0, 1]] * 5 + [[2, 3]] * 4)
    add(pairs, [[0, 2], [0, 3], [1, 2]])
    found = pairs.matrix()
    assert found.nnz == 4
    assert (found[0, 1], found[2, 3]) == (5, 4)


def test_nothing_is_counted_of_nothing():
    assert Cooccurrences(0, window=3).matrix().shape == (0, 0)
    assert Cooccurrences(WORDS, window=3).matrix().nnz == 0
