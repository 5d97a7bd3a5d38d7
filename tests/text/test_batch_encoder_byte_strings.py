from itertools import chain

import numpy as np
import pytest

from tests.text.test_corpus_encoder import ODD
from textclf.text.batch_encoder import ByteStrings, TextBatch, are_short_ascii
from textclf.text.tokenizer import LONGEST_WORD, pre_tokens_of, split_pre_token

EVERYTHING = [*ODD, "", " \t", *("a" * size for size in range(20)), "b\ud800 c", *map(chr, range(0x3100))]


@pytest.mark.parametrize("lowercase", [True, False])
def test_texts_are_split_as_the_tokenizer_splits_them(lowercase):
    batch = TextBatch.of([text.lower() if lowercase else text for text in EVERYTHING])
    expected = [pre_tokens_of(text, lowercase=lowercase) for text in EVERYTHING]
    pre_tokens = batch.pre_tokens()
    assert list(pre_tokens.strings(np.arange(len(pre_tokens.starts)))) == list(chain(*expected))
    assert batch.count_per_text(pre_tokens).tolist() == [len(of_text) for of_text in expected]
    normalized = [text.decode("utf-8", "surrogatepass") for text in batch.normalized(pre_tokens)]
    assert normalized == [" ".join(of_text) for of_text in expected]


@pytest.mark.parametrize("texts", [EVERYTHING, ["a-b", "", "!?", "a_1.b"], [], [""]])
def test_pre_tokens_of_ascii_are_split_into_tokens_and_others_left_whole(texts):
    batch = TextBatch.of(texts)
    tokens = batch.tokens()
    pre_tokens = [pre_tokens_of(text, lowercase=False) for text in texts]
    expected = [
        [
            part
            for each in some
            for part in (split_pre_token(each) if each.isascii() and len(each) <= LONGEST_WORD else [each])
        ]
        for some in pre_tokens
    ]
    assert list(tokens.strings(np.arange(len(tokens.starts)))) == [token for some in expected for token in some]
    assert batch.count_per_text(tokens).tolist() == [len(some) for some in expected]


@pytest.mark.parametrize(
    ("one", "other"), [("a", "a\x00"), ("ab", "ba"), ("abcdefgh", "abcdefghi"), ("x" * 14, "x" * 15)]
)
def test_keys_of_short_strings_differ_where_the_strings_do(one, other):
    keys = TextBatch.of([f"{one} {other} {one}"]).pre_tokens().keys()
    first, second, again = zip(keys.low.tolist(), keys.high.tolist(), strict=True)
    assert first == again != second


def test_keys_tell_what_is_short_and_ascii():
    strings = ["a", "x" * 7, "x" * 8, "x" * 15, "x" * 16, "é", "x" * 13 + "é", "xé" + "x" * 12, "x" * 14 + "é"]
    assert are_short_ascii(ByteStrings.of(strings).keys()).tolist() == [True] * 4 + [False] * 5
