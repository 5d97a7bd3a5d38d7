"""Where words say too little, networks of sequences read their parts."""

import csv
import random
import string

import numpy as np
import pytest

from tests.conftest import small_config
from textclf import training
from textclf.artefacts import artefact
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.evaluation.evaluate import evaluate
from textclf.inference.classifier import Classifier
from textclf.inference.explain import explain
from textclf.models.sequences.features import MOST_SPELLED, Sequences
from textclf.models.sequences.spelling import Spelling, needs_spelling, spelling_of, word_counts
from textclf.text.tokenizer import UNK_ID, Tokenizer

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
        trained = artefact.load(run / "model")
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
    counts = word_counts([(ids, lengths, None)], vocabulary)
    assert needs_spelling(vocabulary, counts) is expected


def test_without_parts_nothing_is_spelled():
    vocabulary = Tokenizer.fit([text for text, _ in names(60)])
    assert not needs_spelling(vocabulary, np.ones(vocabulary.size, dtype=np.int64))


def test_a_text_that_is_spelled_is_cut_and_says_so():
    vocabulary = tokenizer({"a" * 2_000: 9, "aaa": 9})
    features = Sequences.of(vocabulary, spelling=Spelling.of(vocabulary, words=UNK_ID + 1), max_length=3)
    texts = ["a" * 2_000, "aaa " * 3, "aaa " * 4]
    ids, lengths = vocabulary.encode_all(texts)
    assert features.cuts(ids, lengths).tolist() == [True, False, True]
    _, read = features(ids, lengths)
    assert read[0] == MOST_SPELLED
    assert read[1] == read[2]
