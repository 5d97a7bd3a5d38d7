import pytest

from textclf.text import subwords
from textclf.text.subwords import most_frequent_parts, parts_of_words, word_parts

WORDS = ["cats", "a", "<", "aaaaa", "кошка", "字", "\U00020000\U00020001x", "\x00", "कि", "cat", "a" * 300, "\ud800b"]


@pytest.mark.parametrize("bits", [0, subwords.TABLE_BITS])
@pytest.mark.parametrize("words", [WORDS, [*WORDS, *map(chr, range(0x400, 0x480))]])
def test_the_parts_of_many_words_are_those_of_each(words, bits, monkeypatch):
    monkeypatch.setattr(subwords, "TABLE_BITS", bits)
    found = parts_of_words(words)
    assert found.spellings == sorted(set(found.spellings))
    assert found.word.tolist() == sorted(found.word.tolist())
    for number, word in enumerate(words):
        assert [found.spellings[part] for part in found.part[found.word == number].tolist()] == word_parts(word)


def test_more_letters_than_fit_into_two_bytes_are_told_apart():
    words = [chr(number) * 2 for number in range(0x10000, 0x10000 + (1 << 16) + 1)]
    found = parts_of_words(words)
    assert found.spellings == sorted(part for word in words for part in word_parts(word))
    assert found.spellings[found.part[-1]] == f"<{words[-1]}>"


def test_no_words_have_no_parts():
    assert parts_of_words([]).spellings == []
    assert most_frequent_parts({}, limit=10, min_count=1) == []


@pytest.mark.parametrize(("count", "lengths"), [(3, {3, 4}), (1_000_000, {4})])
def test_in_long_texts_only_the_longer_parts_are_known(count, lengths):
    assert {len(part) for part in most_frequent_parts({"cats": count, "a": 3}, limit=100, min_count=2)} == lengths


def test_of_equally_frequent_parts_those_first_by_spelling_are_kept(monkeypatch):
    monkeypatch.setattr(subwords, "SHORT_TEXT", 0)
    assert most_frequent_parts({"zebra": 2, "ant": 2}, limit=3, min_count=2) == ["<ant", "<zeb", "ant>"]
