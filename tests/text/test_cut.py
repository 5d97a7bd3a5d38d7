import numpy as np
import pytest

from tests.text.test_chunks import ODD
from textclf.text.cut import Table, Texts
from textclf.text.tokenizer import chunks_of


@pytest.mark.parametrize("lowercase", [True, False])
def test_texts_are_cut_as_the_tokenizer_cuts_them(lowercase):
    everything = [*ODD, "", " \t", *("a" * size for size in range(20)), "b\ud800 c", *map(chr, range(0x3100))]
    texts = [text.lower() if lowercase else text for text in everything]
    cut = Texts.of(texts)
    expected = [chunks_of(text, lowercase=lowercase) for text in everything]
    assert list(cut.chunks(np.arange(len(cut.starts)))) == [chunk for chunks in expected for chunk in chunks]
    assert cut.counts.tolist() == [len(chunks) for chunks in expected]
    assert [text.decode("utf-8", "surrogatepass") for text in cut.spaced()] == [" ".join(chunks) for chunks in expected]


def test_a_table_finds_each_key_that_was_added_and_no_other():
    words = [f"{number:x}" for number in range(20_000)]
    keys = Texts.of([" ".join(words)]).keys()
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
    keys = Texts.of([f"{one} {other} {one}"]).keys()
    first, second, again = zip(keys.low.tolist(), keys.high.tolist(), strict=True)
    assert first == again != second
