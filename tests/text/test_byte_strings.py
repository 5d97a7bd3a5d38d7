import numpy as np
import pytest

from tests.text.test_corpus_encoder import ODD
from textclf.text.byte_strings import Slices, Table, Texts
from textclf.text.tokenizer import chunks_of, split_chunk

EVERYTHING = [*ODD, "", " \t", *("a" * size for size in range(20)), "b\ud800 c", *map(chr, range(0x3100))]


@pytest.mark.parametrize("lowercase", [True, False])
def test_texts_are_cut_as_the_tokenizer_cuts_them(lowercase):
    together = Texts.of([text.lower() if lowercase else text for text in EVERYTHING])
    expected = [chunks_of(text, lowercase=lowercase) for text in EVERYTHING]
    chunks = together.chunks()
    assert list(chunks.strings(np.arange(len(chunks.starts)))) == [chunk for chunks in expected for chunk in chunks]
    assert together.counts(chunks).tolist() == [len(chunks) for chunks in expected]
    spaced = [text.decode("utf-8", "surrogatepass") for text in together.spaced(chunks)]
    assert spaced == [" ".join(chunks) for chunks in expected]


@pytest.mark.parametrize("texts", [EVERYTHING, ["a-b", "", "!?", "a_1.b"], [], [""]])
def test_chunks_of_ascii_are_cut_into_tokens_and_others_left_whole(texts):
    together = Texts.of(texts)
    tokens = together.tokens()
    chunks = [chunks_of(text, lowercase=False) for text in texts]
    expected = [
        [part for each in some for part in (split_chunk(each) if each.isascii() else [each])] for some in chunks
    ]
    assert list(tokens.strings(np.arange(len(tokens.starts)))) == [token for some in expected for token in some]
    assert together.counts(tokens).tolist() == [len(some) for some in expected]


def test_a_table_finds_each_key_that_was_added_and_no_other():
    words = [f"{number:x}" for number in range(20_000)]
    keys = Slices.of(words).keys()
    even, odd = np.arange(0, len(words), 2), np.arange(1, len(words), 2)
    table = Table(bits=4)
    for some in np.array_split(even, 30):
        table = table.add(keys.at(some), some.astype(np.int32))
    assert table.find(keys.at(even)).tolist() == even.tolist()
    assert set(table.find(keys.at(odd)).tolist()) == {-1}


@pytest.mark.parametrize(
    ("one", "other"), [("a", "a\x00"), ("ab", "ba"), ("abcdefgh", "abcdefghi"), ("x" * 14, "x" * 15)]
)
def test_keys_of_short_chunks_differ_where_the_chunks_do(one, other):
    keys = Texts.of([f"{one} {other} {one}"]).chunks().keys()
    first, second, again = zip(keys.low.tolist(), keys.high.tolist(), strict=True)
    assert first == again != second


def test_keys_tell_what_is_short_and_ascii():
    strings = ["a", "x" * 7, "x" * 8, "x" * 15, "x" * 16, "é", "x" * 13 + "é", "xé" + "x" * 12, "x" * 14 + "é"]
    assert Slices.of(strings).keys().are_short_ascii().tolist() == [True] * 4 + [False] * 5
