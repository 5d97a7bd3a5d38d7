from collections import Counter

import numpy as np
import pytest

from textclf.encoders import encoder, own_text
from textclf.errors import DataError

WEATHER = ("rain wind clouds", "wind rain", "clouds rain", "wind clouds")
FOOD = ("bread butter salt", "salt bread", "butter bread", "salt butter")
TEXTS = [*WEATHER, *FOOD] * 3


def learned(texts=TEXTS, **given):
    return own_text.learn(lambda: iter(texts), source="pool.csv", **given)


def test_words_of_the_same_texts_become_similar():
    found = learned(dimension=2)
    assert (found.texts, found.tokens, found.is_all) == (24, sum(len(text.split()) for text in TEXTS), True)
    rain, clouds, bread = found.encoder.encode(["rain", "clouds", "bread"])
    assert rain @ clouds > 0.9
    assert rain @ bread < 0.1


def test_it_is_an_encoder_as_any_other(tmp_path):
    found = learned().encoder
    assert (found.kind, found.name, found.source) == ("words", "own-text", "pool.csv")
    assert found.count(["rain with snow wind"]).tolist() == [2]
    found.save(tmp_path)
    again = encoder.load(tmp_path)
    assert (again.hash, again.kind, again.dimension) == (found.hash, found.kind, found.dimension)
    np.testing.assert_array_equal(again.encode(TEXTS), found.encode(TEXTS))
    assert np.isfinite(again.encode(["", "never seen"])).all()


def test_the_same_texts_give_the_same_bits():
    assert learned().encoder.hash == learned().encoder.hash != learned(TEXTS[:-1]).encoder.hash


def test_a_word_of_one_text_has_no_vector():
    assert learned([*TEXTS, "rain hail"]).encoder.count(["hail rain"]).tolist() == [1]


def test_of_more_tokens_than_it_reads_the_rest_is_left():
    found = learned(most_tokens=30)
    assert not found.is_all
    assert found.texts < len(TEXTS)


def test_any_script_has_words():
    texts = ["дождь и ветер", "ветер, дождь", "雨と風", "風と雨", "बारिश और हवा", "हवा और बारिश"]
    assert learned(texts).encoder.count(["дождь", "雨", "बारिश"]).tolist() == [1, 1, 1]  # of 雨 no marks


@pytest.mark.parametrize("texts", [[], ["alone"], ["no word twice", "nor here"]])
def test_texts_that_teach_nothing_are_refused(texts):
    with pytest.raises(DataError, match=r"cannot be learned from \d texts?: they need words that stand together"):
        learned(texts)


def test_the_commonest_words_are_kept_and_ties_go_by_spelling():
    assert list(own_text._commonest(Counter(b=2, a=2, c=3), 2)) == ["c", "a"]


def test_words_are_counted_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(own_text, "MOST_DISTINCT", 20)
    monkeypatch.setattr(own_text, "TOKENS_AT_ONCE", 5)
    found = learned([*TEXTS, *(f"rain word{number}" for number in range(50))])
    assert found.encoder.count(["rain wind word7"]).tolist() == [2]
