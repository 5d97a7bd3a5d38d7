import numpy as np
import pytest

from tests.text.test_corpus_encoder import ODD
from tests.text.test_tokenizer import random_texts
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


@pytest.mark.parametrize("texts", [TEXTS, ["known"], ["", "", "known", ""], [" "], ["東京"], ["zzzz!"]])
def test_ids_are_those_of_each_text(tokenizer, texts):
    ids, lengths = tokenizer.encode_all(texts, many=0)
    expected = [tokenizer.encode(text).tolist() for text in texts]
    assert (ids.dtype, lengths.dtype) == (np.int32, np.int64)
    assert [run.tolist() for run in np.split(ids, np.cumsum(lengths)[:-1])] == expected


@pytest.mark.parametrize(("words", "parts"), [([], []), (["known"], []), ([], ["<kn", "own"])])
def test_a_vocabulary_may_be_empty(words, parts):
    tokenizer = Tokenizer(words, parts=parts)
    ids, lengths = tokenizer.encode_all(["known unknown", ""], many=0)
    assert ids.tolist() == [*tokenizer.encode("known unknown").tolist(), UNK_ID]
    assert lengths.tolist() == [len(ids) - 1, 1]


def test_only_many_texts_that_are_not_too_long_are_encoded_at_once(tokenizer):
    def is_built(text):
        tokenizer.encode_all([text], many=1000, at_most=2000)
        return "_batch_encoder" in vars(tokenizer)

    assert [is_built("x" * length) for length in (999, 2001, 1)] == [False, False, True]
