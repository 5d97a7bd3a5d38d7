from collections import Counter

import numpy as np
import pytest

from textclf.text.subwords import PartTable, most_frequent_parts, word_parts

WORDS = ["cats", "a", "<", "aaaaa", "кошка", "字", "\U00020000\U00020001x", "\x00", "कि", "cat", "a" * 300, "\ud800b"]
MORE_LETTERS = [*WORDS, *map(chr, range(0x400, 0x480))]
TOO_MANY_LETTERS = [chr(number) * 2 for number in range(0x10000, 0x10000 + (1 << 16) + 1)]


@pytest.mark.parametrize("words", [WORDS, MORE_LETTERS, [], ["", "cat"]], ids=len)
@pytest.mark.parametrize(("step", "at_once"), [(1, 10**6), (2, 1)])
def test_the_known_parts_of_many_words_are_those_of_each(words, step, at_once):
    known = sorted({part for word in words for part in word_parts(word)})[::step]
    ids, word = PartTable(known, first_id=7).find(words, at_once=at_once)
    assert (ids.dtype, word.dtype) == (np.int32, np.int64)
    expected = [(number, part) for number, each in enumerate(words) for part in word_parts(each) if part in known]
    assert [(number, known[index - 7]) for number, index in zip(word, ids, strict=True)] == expected


def test_parts_that_no_word_can_have_are_never_found():
    ids, _ = PartTable(["ca", "", "<cats", "cat", "cat\x00"], first_id=0).find(["cats", "cat\x00"])
    assert ids.tolist() == [3, 3, 4]


def most_frequent(counts, **limits):
    return most_frequent_parts(list(counts), np.array(list(counts.values()), dtype=np.int64), **limits)


@pytest.mark.parametrize("words", [WORDS, MORE_LETTERS, TOO_MANY_LETTERS], ids=len)
@pytest.mark.parametrize("at_once", [100, 10**7])
def test_parts_are_counted_once_per_word_and_ordered_by_count_then_by_spelling(words, at_once):
    counts = Counter({word: 2 + number % 5 for number, word in enumerate(words)})
    expected = Counter()
    for word, count in counts.items():
        expected.update(dict.fromkeys(set(word_parts(word)), count))
    found = most_frequent(counts, limit=10**6, min_count=3, at_once=at_once)
    frequent = [part for part, count in expected.items() if count >= 3]
    assert found == sorted(frequent, key=lambda part: (-expected[part], part))


def test_no_words_have_no_parts():
    assert most_frequent({}, limit=10, min_count=1) == []


@pytest.mark.parametrize(("count", "lengths"), [(3, {3, 4}), (1_000_000, {4})])
def test_in_long_texts_only_the_longer_parts_are_known(count, lengths):
    assert {len(part) for part in most_frequent({"cats": count, "a": 3}, limit=100, min_count=2)} == lengths


def test_of_equally_frequent_parts_those_first_by_spelling_are_kept():
    assert most_frequent({"zebra": 2, "ant": 2}, limit=3, min_count=2, short_text=0) == ["<ant", "<zeb", "ant>"]
