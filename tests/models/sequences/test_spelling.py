"""Where words say too little, networks of sequences read their parts."""

import csv
import random
import string
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import small_config
from textclf import training
from textclf.artefacts import loading
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.evaluation.evaluate import evaluate
from textclf.inference.classifier import Classifier
from textclf.inference.explain import explain
from textclf.models.sequences.features import MOST_PIECES, MOST_SPELLED, SequencePruner, Sequences, learn
from textclf.models.sequences.spelling import Spelling, needs_spelling, spelling_of, word_counts
from textclf.text.subwords import word_parts
from textclf.text.tokenizer import PAD_ID, UNK_ID, Tokenizer

THAI = [chr(code) for code in range(0x0E01, 0x0E2E)]


def names(documents, *, seed=0, letters=string.ascii_lowercase):
    """Texts of two labels, each one chunk that no other text has, of syllables of which a few tell the label."""
    generator = random.Random(seed)
    syllables = ["".join(generator.choices(letters, k=4)) for _ in range(60)]
    own = {"a": syllables[:6], "b": syllables[6:12]}
    for place in range(documents):
        label = "ab"[place % 2]
        yield "".join(generator.choices(syllables[12:], k=4) + generator.choices(own[label], k=3)), label


def run_on(rows, folder, model, **given):
    with (folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    config = PreprocessConfig(source=str(folder / "texts.csv"), data_dir=folder / "data", num_workers=1)
    settings = {"hidden_size": 16, "embedding_size": 16, "batch_size": 16, "epochs": 8, "lr": 0.02, **given}
    return training.train(small_config(model, preprocess(config)[0], folder / "runs", **settings)).root


@pytest.mark.parametrize("model", ["lstm", "cnn"])
def test_a_corpus_of_chunks_that_never_come_again_is_learned_by_their_parts(model, tmp_path, trip):
    run = run_on(names(300), tmp_path, model)
    assert evaluate(run, split="test").metrics.accuracy > 0.9
    trip(run)


@pytest.fixture
def trip():
    """Checks that a spelled model is the same once it was written, and explains what it answers."""

    def check(run):
        trained = loading.load(run / "model")
        assert trained.inputs.is_spelled
        text, _ = next(names(1, seed=5))
        (answer,) = Classifier(trained).predict([f"{text} {text[:9]}"])
        tokens = explain(trained, f"{text} {text[:9]}", answer.label).tokens
        assert [token.start for token in tokens] == [0, len(text) + 1]

    return check


COUNTS = {"the": 50, "cat": 9, "sat": 4, "catty": 1}


def tokenizer(counts, **limits):
    return Tokenizer.from_counts(list(counts), np.array(list(counts.values())), max_parts=1000, **limits)


def counts_of(vocabulary, counts):
    return np.array([0, 0, *(counts[word] for word in vocabulary.words[2:])])


def test_a_word_is_itself_if_it_is_common_and_its_shortest_parts():
    vocabulary = tokenizer(COUNTS)
    spelling = spelling_of(vocabulary, counts_of(vocabulary, COUNTS))
    assert vocabulary.words[: spelling.words] == ("<pad>", "<unk>", "the", "cat")
    parts = [part for part in vocabulary.parts if len(part) == 3]
    names = [*vocabulary.words[: spelling.words], *parts]
    ends = np.cumsum(spelling.counts)
    spelled = [
        [names[place] for place in spelling.ids[end - count : end]]
        for end, count in zip(ends, spelling.counts, strict=True)
    ]
    read = dict(zip(vocabulary.words, spelled, strict=False))
    assert read["cat"] == ["cat", *(part for part in ("<ca", "cat", "at>") if part in parts)]
    assert read["catty"][0] == read["sat"][0] == "<unk>"
    assert {len(part) for part in read["catty"][1:]} == {3}
    assert spelled[vocabulary.size :] == [[part] if part in parts else [] for part in vocabulary.parts]


def test_an_unknown_word_is_read_like_a_rare_one_with_the_same_parts():
    rare = tokenizer({"the": 50, "sattycat": 1, "satty": 7, "cattycat": 7})
    unknown = tokenizer({"the": 50, "satty": 7, "cattycat": 7})
    spelled = []
    for vocabulary in (rare, unknown):
        spelling = Spelling.of(vocabulary, words=5)
        features = Sequences.of(vocabulary, spelling=spelling)
        names = [*vocabulary.words[:5], *(part for part in vocabulary.parts if len(part) == 3)]
        ids = vocabulary.encode("the sattycat")
        spelled.append([names[place] for place in features(ids, np.array([len(ids)])).tokens[0]])
    assert spelled[0][:4] == spelled[1][:4] == ["the", "<th", "the", "he>"]
    assert set(spelled[1]) <= set(spelled[0])
    assert "cat" in spelled[1]


def english(texts, *, seed=0):
    """Texts of ten words, drawn as often as words of a language with spaces are."""
    generator = random.Random(seed)
    words = [f"w{place}" for place in range(5_000)]
    weights = [1 / (place + 3) for place in range(5_000)]
    return [" ".join(generator.choices(words, weights, k=10)) for _ in range(texts)]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (english(200), False),
        (english(2_000), False),
        ([text for text, _ in names(60)], True),
        ([text for text, _ in names(60, letters=THAI)], False),  # each letter is a word
        (["\u6771\u4eac\u5927\u962a" * 3] * 60, False),  # and each Han character
        ([f"{place * 7919:x}name" for place in range(100)], True),
    ],
)
def test_only_corpora_whose_words_say_too_little_are_spelled(texts, expected):
    vocabulary = Tokenizer.fit(texts, max_parts=1000)
    ids, lengths = vocabulary.encode_all(texts)
    counts, documents = word_counts([(ids, lengths, None)], vocabulary)
    assert documents == len(texts)
    assert needs_spelling(vocabulary, counts) is expected


def test_without_parts_nothing_is_spelled():
    vocabulary = Tokenizer.fit([text for text, _ in names(60)])
    assert not needs_spelling(vocabulary, np.ones(vocabulary.size, dtype=np.int64))


@pytest.fixture
def pieces():
    """Features of short texts, and their tokenizer."""
    texts = [*english(200), "the cat sat", "the catty cat saw a catamaran"]
    vocabulary = Tokenizer.fit(texts, max_parts=1000)
    return learned(texts, vocabulary), vocabulary


def learned(texts, vocabulary, **settings):
    documents = [(*vocabulary.encode_all(texts), None)]
    return learn(documents, validation=[], tokenizer=vocabulary, max_length=None, **settings).features


def test_in_short_texts_a_word_is_read_with_its_parts_side_by_side(pieces):
    features, vocabulary = pieces
    names = [*vocabulary.words, *vocabulary.parts]
    (read, empty), lengths = features(*vocabulary.encode_all(["the cattiest cat", ""]))
    assert (lengths.tolist(), read.shape) == ([3, 1], (3, MOST_PIECES))
    the, cattiest, cat = ([names[piece] for piece in word if piece != PAD_ID] for word in read)
    assert the[0] == "the"
    assert cattiest[0] == "<unk>"
    assert cat[0] == "cat"
    for word, found in (("the", the), ("cattiest", cattiest), ("cat", cat)):
        assert found[1:] == [part for part in word_parts(word) if part in vocabulary.parts]
    assert empty[0].tolist() == [UNK_ID] + [PAD_ID] * (MOST_PIECES - 1)


def test_a_long_word_has_its_first_pieces_and_a_long_text_its_first_words(pieces):
    features, vocabulary = pieces
    features = replace(features, max_length=2)
    texts = ["cat" * 40, "cat the cat", "cat the"]
    ids, lengths = vocabulary.encode_all(texts)
    read, words = features(ids, lengths)
    assert (read[0, 0] != PAD_ID).all()
    assert words.tolist() == [1, 2, 2]
    assert read[1].tolist() == read[2].tolist()
    assert features.cuts(ids, lengths).tolist() == [False, True, False]


def test_words_of_long_texts_have_no_pieces():
    texts = [" ".join(english(7)) for _ in range(5)]
    vocabulary = Tokenizer.fit(texts, max_parts=1000)
    features = learned(texts, vocabulary)
    assert (features.is_spelled, features.pieces) == (False, 1)
    assert features(*vocabulary.encode_all(texts)).tokens.shape == (5, 70, 1)


def test_pieces_that_a_damaged_file_may_have_do_not_fit(pieces):
    features, vocabulary = pieces
    assert features.fits(vocabulary)
    for damaged in (MOST_PIECES + 1, -1, "16", {}):
        assert not replace(features, pieces=damaged).fits(vocabulary)
    assert not replace(Sequences.of(vocabulary), pieces=MOST_PIECES).fits(vocabulary)


def test_a_pruned_model_keeps_the_best_words_and_parts_as_pieces(pieces):
    features, vocabulary = pieces
    pruner = SequencePruner(features, vocabulary)
    usage = pruner.usage(*vocabulary.encode_all(["the catty cat"]))
    assert usage.shape == (features.rows,)
    ranking = np.concatenate(([PAD_ID, UNK_ID], 2 + np.argsort(-usage[2:], kind="stable")))
    pruned = pruner.keep(ranking, 8)
    assert pruned.features.fits(pruned.tokenizer)
    assert (pruned.features.pieces, pruned.features.rows, len(pruned.rows)) == (MOST_PIECES, 8, 8)
    whole = pruner.keep(ranking, len(ranking))
    texts = vocabulary.encode_all(["the cattiest cat", "saw"])
    assert np.array_equal(whole.features(*texts).tokens, features(*texts).tokens)


def test_a_text_that_is_spelled_is_cut_and_says_so():
    vocabulary = tokenizer({"a" * 2_000: 9, "aaa": 9})
    features = Sequences.of(vocabulary, spelling=Spelling.of(vocabulary, words=UNK_ID + 1), max_length=3)
    texts = ["a" * 2_000, "aaa " * 3, "aaa " * 4]
    ids, lengths = vocabulary.encode_all(texts)
    assert features.cuts(ids, lengths).tolist() == [True, False, True]
    _, read = features(ids, lengths)
    assert read[0] == MOST_SPELLED
    assert read[1] == read[2]
