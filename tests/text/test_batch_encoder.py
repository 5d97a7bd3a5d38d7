import numpy as np
import pytest

from tests.text.test_corpus_encoder import ODD
from tests.text.test_tokenizer import random_texts
from textclf.text import tokenizer as module
from textclf.text.tokenizer import UNK_ID, Tokenizer

TEXTS = [
    *ODD,
    *random_texts(seed=4),
    "",
    "unknown, known: knowns unkno!!",
    "unheard-of x yz xyz",
    "y" * 15 + " " + "y" * 16 + " " + "y" * 17,
    *(chr(code) for code in range(0x180)),
    " ".join(f"w{number}" for number in range(2000)),
    "<pad> <unk>",
    "b\ud800 c",
]


@pytest.fixture(params=[True, False], ids=["lowercase", "as it is"])
def tokenizer(request):
    """One that knows half of the texts, their words and parts."""
    return Tokenizer.fit(TEXTS[::2], max_parts=2000, lowercase=request.param)


@pytest.fixture
def at_once(monkeypatch):
    """As if many texts had come already."""
    monkeypatch.setattr(module, "_MANY", 0)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("texts", [TEXTS, ["known"], ["", "", "known", ""], [" "], ["東京"], ["zzzz!"]])
def test_ids_are_those_of_each_text(tokenizer, texts):
    ids, lengths = tokenizer.encode_all(texts)
    expected = [tokenizer.encode(text).tolist() for text in texts]
    assert (ids.dtype, lengths.dtype) == (np.int32, np.int64)
    assert [run.tolist() for run in np.split(ids, np.cumsum(lengths)[:-1])] == expected


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("words", "parts"), [([], []), (["known"], []), ([], ["<kn", "own"])])
def test_a_vocabulary_may_be_empty(words, parts):
    tokenizer = Tokenizer(words, parts=parts)
    ids, lengths = tokenizer.encode_all(["known unknown", ""])
    assert ids.tolist() == [*tokenizer.encode("known unknown").tolist(), UNK_ID]
    assert lengths.tolist() == [len(ids) - 1, 1]


def test_tables_are_made_for_many_texts_alone_and_too_much_does_not_go_at_once(tokenizer, monkeypatch):
    monkeypatch.setattr(module, "_MANY", 1000)
    monkeypatch.setattr(module, "_AT_ONCE", 2000)
    made = []

    def make(self):
        made.append(True)
        return lambda texts: (np.zeros(len(texts), dtype=np.int32), np.ones(len(texts), dtype=np.int64))

    monkeypatch.setattr(Tokenizer, "_lookup", property(make))
    tokenizer.encode_all(["x" * 999])
    assert not made
    tokenizer.encode_all(["x" * 2001])
    assert not made
    assert tokenizer.encode_all(["x"])[0].tolist() == [0]
    assert made
