import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from textclf.text.tokenizer import Tokenizer
from textclf.text.vocabulary_map import VocabularyMap

TEXTS = ["the cat sat on the mat", "a dog barks at the cat", "rain and wind, all day!", "catty cats bark", ""]
WORDS = sorted({word for text in TEXTS for word in text.replace(",", " , ").replace("!", " !").split()})


def whole():
    return Tokenizer.fit(TEXTS, max_parts=60)


def kept(items, chosen):
    return [item for item, stays in zip(items, chosen, strict=True) if stays]


@settings(derandomize=True, database=None, deadline=None, max_examples=100)
@given(data=st.data())
def test_mapped_ids_are_those_that_the_smaller_vocabulary_gives_the_text(data):
    larger = whole()
    words = kept(larger.words[2:], data.draw(st.lists(st.booleans(), min_size=(n := larger.size - 2), max_size=n)))
    parts = kept(larger.parts, data.draw(st.lists(st.booleans(), min_size=(n := len(larger.parts)), max_size=n)))
    smaller = Tokenizer(words, parts=parts)
    texts = data.draw(st.lists(st.lists(st.sampled_from([*WORDS, "catsup", "zzz", "é"])).map(" ".join), min_size=1))
    before, after = ([each.encode(text) for text in texts] for each in (larger, smaller))
    translated, lengths = VocabularyMap.between(larger, smaller)(
        np.concatenate(before), np.array([len(ids) for ids in before])
    )
    assert lengths.tolist() == [len(ids) for ids in after]
    assert translated.tolist() == np.concatenate(after).tolist()
    assert translated.dtype == np.int32


def test_an_empty_vocabulary_leaves_only_unknown_words():
    larger, nothing = whole(), Tokenizer([])
    ids = larger.encode("the cat sat, unheardof")
    translated, lengths = VocabularyMap.between(larger, nothing)(ids, np.array([len(ids)]))
    assert translated.tolist() == [1] * 5
    assert lengths.tolist() == [5]
