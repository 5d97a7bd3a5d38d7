from itertools import pairwise

import numpy as np
import pytest

from textclf.artefacts import loading, model_folder
from textclf.dataset.directory import DataDirectory
from textclf.evaluation.predictions import Tokens
from textclf.export.pruning import Pruning
from textclf.inference.classifier import Classifier
from textclf.models.bag_mlp.features import Bag
from textclf.models.model import EMBEDDING
from textclf.text.tokenizer import UNK_ID

TEXTS = ["the cat sat on the mat number3", "bread with butter and jam number0", "", "unheardof catty", "wind " * 50]


@pytest.fixture
def pruning(trained, data_dir):
    data = DataDirectory.open(data_dir)
    return Pruning(trained, Tokens(data, trained.tokenizer).batches(data.rows("full")))


def test_a_model_that_keeps_every_feature_of_the_training_documents_answers_the_same(pruning, trained):
    same = pruning.keep(pruning.features)
    assert set(same.tokenizer.words) == set(trained.tokenizer.words)
    np.testing.assert_allclose(Classifier(same).logits(TEXTS), Classifier(trained).logits(TEXTS), atol=1e-5)


@pytest.mark.parametrize("features", [0, 1, 2, 3, 10, 40])
def test_a_pruned_model_has_so_many_features_and_can_be_saved(features, pruning, trained, tmp_path):
    small = pruning.keep(features)
    assert 2 <= len(small.weights[EMBEDDING]) <= max(features, 20)  # enough for both views
    assert small.inputs.sizes.get("views") == trained.inputs.sizes.get("views")
    assert small.inputs.fits(small.tokenizer)
    assert small.tokenizer.size <= trained.tokenizer.size
    model_folder.save(tmp_path / "small", small, card="", precision="int8")
    again = loading.load(tmp_path / "small")
    answers = Classifier(again).predict(TEXTS)
    assert len(answers) == len(TEXTS)
    assert {answer.label for answer in answers} <= set(trained.labels)


def test_words_keep_their_embeddings(pruning, trained):
    small = pruning.keep(20)
    words = small.inputs.words if isinstance(small.inputs, Bag) else small.tokenizer.size
    for place, word in enumerate(small.tokenizer.words[:words]):
        row = trained.weights[EMBEDDING][trained.tokenizer.words.index(word)]
        np.testing.assert_array_equal(small.weights[EMBEDDING][place], row)


def test_a_pruned_word_is_an_unknown_one(pruning, trained):
    small = pruning.keep(12)
    gone = next(word for word in trained.tokenizer.words[2:] if word not in small.tokenizer.words)
    assert trained.tokenizer.encode(gone)[0] != UNK_ID
    assert small.tokenizer.encode(gone)[0] == UNK_ID


def test_pairs_are_those_of_the_same_words(pruning, trained):
    bag = trained.inputs
    if not isinstance(bag, Bag):
        pytest.skip("the lstm has no pairs")
    small = pruning.keep(len(bag.rarity) // 2)
    found = 0
    for text in TEXTS:
        for first, second in pairwise(small.tokenizer.tokens(text)):
            after, before = (pairs_in(f"{first} {second}", each) for each in (small, trained))
            assert len(after) <= len(before) <= 1
            if len(after):
                np.testing.assert_array_equal(small.weights[EMBEDDING][after], trained.weights[EMBEDDING][before])
                found += 1
    assert found


def test_pairs_that_are_kept_are_found(pruning, trained, data_dir):
    """The words of a pair stay in the vocabulary, even if they are not features any more."""
    if not isinstance(trained.inputs, Bag):
        pytest.skip("the lstm has no pairs")
    data = DataDirectory.open(data_dir)
    for share in (4, 2, 1):
        small = pruning.keep(len(trained.inputs.rarity) // share)
        bag, batches = small.inputs, Tokens(data, small.tokenizer).batches(data.rows("full"))
        found = np.unique(np.concatenate([next(bag.neighbours_in(*batch))[0] for batch in batches]))
        assert found.tolist() == list(range(bag.words, bag.words + len(bag.pairs))) != []


def pairs_in(text, artefact):
    """The features of a text that are pairs."""
    features, _ = next(artefact.inputs.neighbours_in(*artefact.tokenizer.encode_all([text])))
    return features


def test_the_most_important_features_stay(pruning, trained):
    """A feature that is never moved has length 0, and goes first."""
    small = pruning.keep(30)
    kept = np.linalg.norm(small.weights[EMBEDDING][2:], axis=1)
    assert kept.min() > 0
    assert kept.mean() > np.linalg.norm(trained.weights[EMBEDDING][2:], axis=1).mean()
