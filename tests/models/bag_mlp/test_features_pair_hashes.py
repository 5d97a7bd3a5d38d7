import numpy as np
import pytest

from textclf.models.bag_mlp.features import PAIR_BITS, PairHashes

WORDS = ("<pad>", "<unk>", "new", "york", "été", "猫", "\ud800", "x" * 1_000, "é")


def test_hashes_never_change():
    """They are part of the format of a model: if this fails, models that are out there no longer find their pairs."""
    ids = np.array([2, 3, 2, 4, 5, 6, 7, 8, 2], dtype=np.int32)
    expected = [3739761, 3505752, 4082930, 446802, 3960117, 2679450, 458987, 3304364]
    assert PairHashes(WORDS)(ids).tolist() == expected


def test_hashes_follow_from_the_spelling_alone():
    words = [f"word{number}" for number in range(1_000)]
    ids = np.random.default_rng(0).integers(0, 1_000, 5_000).astype(np.int32)
    shuffled = np.random.default_rng(1).permutation(1_000).astype(np.int32)
    places = np.argsort(shuffled).astype(np.int32)  # of each word in the shuffled vocabulary
    expected = PairHashes(words)(ids)
    np.testing.assert_array_equal(PairHashes([words[word] for word in shuffled])(places[ids]), expected)
    one_by_one = PairHashes(words)
    assert [one_by_one(ids[at : at + 2]).tolist() for at in range(len(ids) - 1)] == [[hash_] for hash_ in expected]


def test_the_order_of_the_words_counts():
    forwards, backwards = PairHashes(WORDS)(np.array([2, 3, 2], dtype=np.int32)).tolist()
    assert forwards != backwards


@pytest.mark.parametrize("words", [0, 1])
def test_fewer_than_two_words_are_no_pair(words):
    assert PairHashes(WORDS)(np.full(words, 2, dtype=np.int32)).tolist() == []


def test_hashes_are_spread_evenly():
    """As many distinct hashes as of random numbers, for pairs that share words and words that differ in a letter."""
    words = [f"w{number}" for number in range(1_000)]
    first, second = np.divmod(np.arange(1_000_000, dtype=np.int32), np.int32(1_000))
    hashes = PairHashes(words)(np.stack((first, second), axis=1).ravel())[::2]
    assert hashes.min() >= 0
    assert hashes.max() < 2**PAIR_BITS
    expected = 2**PAIR_BITS * (1 - np.exp(-(10**6) / 2**PAIR_BITS))
    assert len(np.unique(hashes)) == pytest.approx(expected, rel=0.01)
