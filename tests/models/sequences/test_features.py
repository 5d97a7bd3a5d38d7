from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from textclf.models.sequences.features import (
    LEFT_OUT_TOGETHER,
    LeaveOneOut,
    SequencePruner,
    Sequences,
    frequent_pairs,
    learn,
)
from textclf.text.tokenizer import PAD_ID, UNK_ID, Tokenizer
from textclf.text.word_hashes import WordHashes

WORDS = 1_000


def end_to_end(documents):
    tokens = np.array([token for document in documents for token in document], dtype=np.int32)
    return tokens, np.array([len(document) for document in documents], dtype=np.int64)


def test_documents_are_cut_and_padded():
    tokens, lengths = Sequences(WORDS, 3)(*end_to_end([[5, 6], [7], [8, 9, 10, 11, 12]]))
    assert tokens.tolist() == [[5, 6, PAD_ID], [7, PAD_ID, PAD_ID], [8, 9, 10]]
    assert lengths.tolist() == [2, 1, 3]
    assert (tokens.dtype, lengths.dtype) == (np.int64, np.int64)


def test_a_batch_is_as_wide_as_its_longest_document():
    tokens, lengths = Sequences(WORDS, 256)(*end_to_end([[5, 6], [7]]))
    assert tokens.tolist() == [[5, 6], [7, PAD_ID]]
    assert lengths.tolist() == [2, 1]


@pytest.mark.parametrize("max_length", [1, 2, 10, 1_000])
@pytest.mark.parametrize("seed", range(3))
def test_a_row_is_the_start_of_its_document(seed, max_length):
    random = np.random.default_rng(seed)
    documents = [random.integers(1, WORDS, random.integers(1, 30)).tolist() for _ in range(20)]
    tokens, lengths = Sequences(WORDS, max_length)(*end_to_end(documents))
    assert tokens.shape == (20, min(max_length, max(map(len, documents))))
    for row, length, document in zip(tokens.tolist(), lengths.tolist(), documents, strict=True):
        start = document[:max_length]
        assert length == len(start)
        assert row == start + [PAD_ID] * (len(row) - length)


def test_parts_of_unknown_words_are_not_read_and_take_no_room():
    documents = [[UNK_ID, 10, 11, 5, UNK_ID, 12], [UNK_ID, 13], [7, 8], [UNK_ID, 10, 10, 10, 10, UNK_ID, 6, 7]]
    tokens, lengths = Sequences(10, 3)(*end_to_end(documents))
    assert tokens.tolist() == [[UNK_ID, 5, UNK_ID], [UNK_ID, PAD_ID, PAD_ID], [7, 8, PAD_ID], [UNK_ID, UNK_ID, 6]]
    assert lengths.tolist() == [3, 1, 2, 3]
    assert (tokens.dtype, lengths.dtype) == (np.int64, np.int64)


@pytest.mark.parametrize("seed", range(3))
def test_a_document_reads_as_if_its_parts_were_not_there(seed):
    random = np.random.default_rng(seed)
    documents = [[3, *random.integers(1, 2 * WORDS, random.integers(1, 30)).tolist()] for _ in range(20)]
    without = [[token for token in document if token < WORDS] for document in documents]
    sequences = Sequences(WORDS, 12)
    for one, other in zip(sequences(*end_to_end(documents)), sequences(*end_to_end(without)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_is_told_how_many_words_there_are():
    assert Sequences(10, 3).sizes == {"vocabulary": 10}


@pytest.mark.parametrize("words", [9, WORDS])
def test_the_tokens_that_were_given_stay_as_they_are(words):
    tokens, lengths = end_to_end([[5, 6], [7], [8, 9, 10]])
    before = tokens.tolist(), lengths.tolist()
    Sequences(words, 2)(tokens, lengths)
    assert (tokens.tolist(), lengths.tolist()) == before


# What tokens contribute: with logits that are known, that is known

VALUES = np.array([0.0, 0.25, 1.0, 2.0, 4.0, 8.0], dtype=np.float32)  # of each word id
AGAINST = np.array([1.0, -1.0])


def sums(weights, inputs):
    """Logits of two classes: the sum of the values of a document's words, and its negative."""
    inside = np.arange(inputs.tokens.shape[1]) < inputs.lengths[:, None]
    total = (weights["values"][inputs.tokens] * inside).sum(axis=1)
    return np.stack((total, -total), axis=1)


def contributions(ids, max_length=100):
    features = Sequences(words=len(VALUES), max_length=max_length)
    return LeaveOneOut(sums)({"values": VALUES}, features, np.array(ids, dtype=np.int32), AGAINST)


def test_a_word_contributes_what_the_score_loses_without_it():
    found = contributions([2, 3, 3, 4])
    assert found.tokens.tolist() == [2, 4, 4, 8]  # twice the value: the other class loses as much
    assert (found.margin, found.rest) == (18, 0)


def test_a_single_word_is_compared_with_an_unknown_one():
    assert contributions([5]).tokens.tolist() == [2 * (8 - 0.25)]


def test_words_beyond_those_that_are_read_contribute_nothing_and_subwords_are_no_words():
    found = contributions([2, 1, len(VALUES) + 3, 4, 5], max_length=3)
    assert found.tokens.tolist() == [2, 0.5, 8, 0]
    assert found.margin == pytest.approx(found.rest + found.tokens.sum())


def test_many_words_go_through_the_model_in_several_batches():
    ids = [2, 3, 4] * LEFT_OUT_TOGETHER
    assert contributions(ids, max_length=len(ids)).tokens.tolist() == [2, 4, 8] * LEFT_OUT_TOGETHER


# Pairs, in scripts without spaces between words

UNSPACED = ["我爱北京", "我爱 北京。", "京北qqq", "北京go 我", ""]


def read(texts, features, tokenizer):
    """What is read of each text, as words."""
    tokens, lengths = features(*tokenizer.encode_all(texts))
    hashes = WordHashes(tokenizer.words)
    of_pairs = {
        int(hashes.pairs(np.array(pair, dtype=np.int32))[0]): "".join(tokenizer.words[word] for word in pair)
        for pair in product(range(2, tokenizer.size), repeat=2)
    }
    names = [*tokenizer.words, *(of_pairs[pair] for pair in features.pairs.tolist())]
    return [[names[token] for (token,) in row[:length]] for row, length in zip(tokens, lengths, strict=True)]


@pytest.fixture
def tokenizer():
    return Tokenizer.fit(UNSPACED, max_parts=50)


def learnt(tokenizer, texts=UNSPACED):
    batch = *tokenizer.encode_all(texts), np.arange(len(texts))
    return learn([batch], validation=[], tokenizer=tokenizer, max_length=6).features


def test_a_place_is_read_as_a_pair_that_the_training_documents_have_twice(tokenizer):
    features = learnt(tokenizer)
    assert read(UNSPACED, features, tokenizer) == [
        ["␂我", "我爱", "爱", "北京", "京", "␃"],
        ["␂我", "我爱", "爱", "␃␂", "␂北", "北京"],
        ["␂", "京", "北", "qqq", "␃"],
        ["␂北", "北京", "京", "go", "␃␂", "␂我"],
        ["<unk>"],
    ]
    assert read(["我爱zebra北京北京"], features, tokenizer) == [["␂我", "我爱", "爱", "<unk>", "北京", "京"]]


def test_a_document_has_the_same_pairs_alone_and_in_a_batch(tokenizer):
    features = learnt(tokenizer)
    texts = ["我", "爱", "", "我爱", "北京 我", "爱北京"]
    assert read(texts, features, tokenizer) == [read([text], features, tokenizer)[0] for text in texts]


def test_the_most_frequent_pairs_are_kept(tokenizer):
    batch = *tokenizer.encode_all([*UNSPACED, "北京"]), None
    (kept,) = frequent_pairs([batch], tokenizer, most=1)
    north, capital = (tokenizer.words.index(word) for word in "北京")
    assert [kept] == WordHashes(tokenizer.words).pairs(np.array([north, capital], dtype=np.int32)).tolist()


def test_no_pairs_are_read_in_scripts_with_spaces():
    texts = ["the cat sat", "the cat ran"]
    assert len(learnt(Tokenizer.fit(texts), texts).pairs) == 0


def test_pairs_that_a_damaged_file_may_have_do_not_fit(tokenizer):
    features = learnt(tokenizer)
    assert features.fits(tokenizer)
    for pairs in (features.pairs[::-1], features.pairs.astype(np.float32), np.append(features.pairs, np.int32(2**22))):
        assert not replace(features, pairs=pairs).fits(tokenizer)
    assert not replace(features, vocabulary=()).fits(tokenizer)


def test_a_pruned_model_keeps_words_and_the_best_pairs_or_the_best_words(tokenizer):
    features = learnt(tokenizer)
    pruner = SequencePruner(features, tokenizer)
    assert pruner.usage(*tokenizer.encode_all(UNSPACED)).shape == (features.rows,)
    ranking = np.concatenate(([0, 1], np.arange(features.rows - 1, 1, -1)))  # pairs first
    larger = pruner.keep(ranking, tokenizer.size + 2)
    assert larger.tokenizer.words == tokenizer.words
    assert larger.rows.tolist() == [*range(tokenizer.size), features.rows - 2, features.rows - 1]
    assert larger.features.fits(larger.tokenizer)
    smaller = pruner.keep(ranking, 4)
    assert (len(smaller.features.pairs), smaller.features.rows, len(smaller.rows)) == (0, 4, 4)
    assert smaller.features.fits(smaller.tokenizer)
