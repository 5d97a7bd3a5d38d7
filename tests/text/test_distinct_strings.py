import numpy as np

from textclf.text.batch_encoder import ByteStrings
from textclf.text.distinct_strings import END, DistinctStrings, joined, split

WORDS = ["a", "b", "a", "x" * 15, "x" * 16, "x" * 17, "é" * 8, "字", "\ud800", " a", "x" * 3_000, "\x00", "a\x00"]


def test_each_string_has_the_number_of_its_first_occurrence():
    strings, known = DistinctStrings(), {}
    for words in (WORDS, WORDS[::-1], ["c", *WORDS], []):
        assert strings.add(ByteStrings.of(words)).tolist() == [known.setdefault(word, len(known)) for word in words]
    assert len(strings) == len(known)
    assert [strings[number] for number in range(len(strings))] == list(known)


def test_many_strings_keep_their_numbers_while_the_table_grows():
    words = [f"word{number}" * (1 + number % 4) for number in np.random.default_rng(0).integers(0, 20_000, 60_000)]
    strings, known = DistinctStrings(), {}
    for start in range(0, len(words), 9_000):
        some = words[start : start + 9_000]
        assert strings.add(ByteStrings.of(some)).tolist() == [known.setdefault(word, len(known)) for word in some]
    strings.forget_numbers()
    assert [strings[number] for number in range(len(strings))] == list(known)
    ends = strings.ends
    content = strings.content(int(ends[100]), int(ends[200]))
    assert content.rstrip(END).decode().split("\n") == list(known)[100:200]


def test_strings_that_are_joined_are_split_again():
    assert list(split(joined(WORDS)).strings(np.arange(len(WORDS)))) == WORDS
    assert len(split(joined([])).starts) == 0
