import zlib

import numpy as np
import pytest

from textclf.text.word_hashes import HASH_BITS, WordHashes

WORDS = ("<pad>", "<unk>", "new", "york", "été", "猫", "\ud800", "x" * 1_000, "é")

RUNS = [2499883, 2018640, 232526, 3402268]  # the first of each length


def test_hashes_never_change():
    """They are part of the format of a model: if this fails, models that are out there no longer find their pairs."""
    ids = np.array([2, 3, 2, 4, 5, 6, 7, 8, 2], dtype=np.int32)
    expected = [3739761, 3505752, 4082930, 446802, 3960117, 2679450, 458987, 3304364]
    assert WordHashes(WORDS).pairs(ids).tolist() == expected
    assert [WordHashes(WORDS).runs(ids, length)[0].tolist() for length in (2, 3, 4, 5)] == RUNS


def test_hashes_follow_from_the_spelling_alone():
    words = [f"word{number}" for number in range(1_000)]
    ids = np.random.default_rng(0).integers(0, 1_000, 5_000).astype(np.int32)
    shuffled = np.random.default_rng(1).permutation(1_000).astype(np.int32)
    places = np.argsort(shuffled).astype(np.int32)  # of each word in the shuffled vocabulary
    expected = WordHashes(words).pairs(ids)
    np.testing.assert_array_equal(WordHashes([words[word] for word in shuffled]).pairs(places[ids]), expected)
    one_by_one = WordHashes(words)
    assert [one_by_one.pairs(ids[at : at + 2]).tolist() for at in range(len(ids) - 1)] == [
        [hash_] for hash_ in expected
    ]


@pytest.mark.parametrize("length", [2, 3, 4, 5])
def test_a_run_is_hashed_by_the_rule_of_horner(length):
    ids = np.random.default_rng(2).integers(2, len(WORDS), 50).astype(np.int32)
    expected = []
    for start in range(len(ids) - length + 1):
        number = length
        for word in ids[start : start + length]:
            crc = zlib.crc32(WORDS[word].encode("utf-8", "surrogatepass"))
            number = (number + crc) * 0x9E3779B97F4A7C15 % 2**64
        expected.append(number // 2 ** (64 - HASH_BITS))
    assert WordHashes(WORDS).runs(ids, length).tolist() == expected
    assert WordHashes(WORDS).runs(ids[: length - 1], length).tolist() == []


def test_the_order_of_the_words_counts():
    forwards, backwards = WordHashes(WORDS).pairs(np.array([2, 3, 2], dtype=np.int32)).tolist()
    assert forwards != backwards
    assert len(set(WordHashes(WORDS).runs(np.array([2, 2, 3, 2, 2], dtype=np.int32), 3).tolist())) == 3


@pytest.mark.parametrize("words", [0, 1])
def test_fewer_than_two_words_are_no_pair(words):
    assert WordHashes(WORDS).pairs(np.full(words, 2, dtype=np.int32)).tolist() == []


def test_hashes_are_spread_evenly():
    """As many distinct hashes as of random numbers, for pairs that share words and words that differ in a letter."""
    words = [f"w{number}" for number in range(1_000)]
    first, second = np.divmod(np.arange(1_000_000, dtype=np.int32), np.int32(1_000))
    hashes = WordHashes(words).pairs(np.stack((first, second), axis=1).ravel())[::2]
    assert hashes.min() >= 0
    assert hashes.max() < 2**HASH_BITS
    expected = 2**HASH_BITS * (1 - np.exp(-(10**6) / 2**HASH_BITS))
    assert len(np.unique(hashes)) == pytest.approx(expected, rel=0.01)
