import random

import numpy as np
import pytest

from tests.models.bag_mlp.test_features import ODD, TRAINING, encoded, fit, learn, random_texts
from textclf.models.bag_mlp.feature_cache import Remembered


def same(one, other):
    for ours, theirs in zip(one, other, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def batches_of(texts, tokenizer, rows, *, size=7):
    """The texts of these rows, some at a time; row 0 is not the first."""
    cut = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [(*encoded([texts[row] for row in part], tokenizer), 3 * np.array(part) + 5) for part in cut]


PARTS = pytest.mark.parametrize("max_parts", [0, 1_000])


@pytest.mark.parametrize("limit", [0, 60, 10**6])
@PARTS
def test_bags_are_the_same_whether_they_are_kept_or_not(limit, max_parts):
    training = random_texts(0)
    tokenizer = learn(training, max_parts=max_parts)
    bag = fit(training, tokenizer)
    remembered = Remembered(bag, limit=limit)
    texts = [*random_texts(1), *training, *ODD]
    kept = range(0, len(texts), 2)
    remembered.remember(batches_of(texts, tokenizer, kept))
    assert remembered.has(3 * np.array(kept) + 5) is (limit == 10**6)
    rng = random.Random(0)
    mixed = [rng.choices(range(len(texts)), k=rng.randrange(1, 9)) for _ in range(40)]
    for places in (*mixed, *([row] for row in kept)):
        (tokens, lengths, rows), *_ = batches_of(texts, tokenizer, places, size=9)
        same(remembered(tokens, lengths, rows), bag(tokens, lengths))


@PARTS
def test_what_is_remembered_is_not_counted_again(max_parts):
    training = random_texts(0)
    tokenizer = learn(training, max_parts=max_parts)
    bag = fit(training, tokenizer)
    remembered = Remembered(bag)
    (tokens, lengths, rows), *_ = batches_of(training, tokenizer, range(6), size=6)
    assert not remembered.has(rows)
    remembered.remember([(tokens, lengths, rows)])
    assert remembered.has(rows)
    assert not remembered.has(rows + 1)
    same(remembered(np.zeros_like(tokens), lengths, rows), bag(tokens, lengths))


def test_what_is_forgotten_is_counted_again():
    tokenizer = learn(TRAINING)
    bag = fit(TRAINING, tokenizer)
    remembered = Remembered(bag)
    (tokens, lengths, rows), *_ = batches_of(TRAINING, tokenizer, range(len(TRAINING)))
    remembered.remember([(tokens, lengths, rows)])
    remembered.forget()
    assert not remembered.has(rows)
    same(remembered(tokens, lengths, rows), bag(tokens, lengths))
    remembered.remember([(tokens, lengths, rows)])
    assert remembered.has(rows)


def test_only_documents_for_all_of_which_there_is_room_are_remembered():
    tokenizer = learn(TRAINING)
    bag = fit(TRAINING, tokenizer)
    (first, second, *_) = batches_of(TRAINING, tokenizer, range(len(TRAINING)), size=1)
    sizes = [len(bag(tokens, lengths).features) for tokens, lengths, _ in (first, second)]
    remembered = Remembered(bag, limit=sum(sizes) - 1)
    remembered.remember([first, second])
    assert not remembered.has(first[-1])
    remembered.remember([second])
    assert remembered.has(second[-1])
    remembered.remember([first])
    assert not remembered.has(first[-1])
    assert remembered.has(second[-1])
    for tokens, lengths, rows in (first, second):
        same(remembered(tokens, lengths, rows), bag(tokens, lengths))


@pytest.mark.parametrize(("limit", "processors"), [(0, 2), (700, 2), (10**6, 1), (10**6, 2), (10**6, 99)])
@PARTS
def test_what_it_has_learnt_from_is_remembered_as_if_made_anew(limit, processors, max_parts, monkeypatch):
    monkeypatch.setattr("textclf.models.bag_mlp.feature_cache.processors", lambda: processors)
    training = random_texts(0)
    tokenizer = learn(training, max_parts=max_parts)
    batches = batches_of(training, tokenizer, range(len(training)))
    remembered = Remembered.fit(batches, tokenizer=tokenizer, limit=limit)
    bag = fit(training, tokenizer)
    same(
        [getattr(remembered.bag, name) for name in ("pairs", "spelling", "spelled", "rarity")],
        [getattr(bag, name) for name in ("pairs", "spelling", "spelled", "rarity")],
    )
    for _, _, rows in batches:
        assert remembered.has(rows) is (limit == 10**6)
    for tokens, lengths, rows in batches:
        same(remembered(tokens, lengths, rows), bag(tokens, lengths))
    if limit == 10**6:
        for tokens, lengths, rows in batches:
            same(remembered(np.zeros_like(tokens), lengths, rows), bag(tokens, lengths))


def test_a_count_that_does_not_fit_beside_its_feature_is_not_remembered():
    tokenizer = learn(TRAINING)
    bag = fit(TRAINING, tokenizer)
    texts = ["the " * 300, "the cat"]
    often, seldom = batches_of(texts, tokenizer, range(2), size=1)
    remembered = Remembered(bag)
    assert bag.count(*often[:2]).counts.max() == 300
    remembered._bits = np.uint32(32 - 9)
    remembered.remember([often])
    same(remembered(*often), bag(*often[:2]))
    assert remembered.has(often[-1])
    remembered = Remembered(bag)
    remembered._bits = np.uint32(32 - 8)  # 255 at most
    remembered.remember([often])
    assert not remembered.has(often[-1])
    same(remembered(*often), bag(*often[:2]))
    remembered.remember([seldom])
    assert remembered.has(seldom[-1])
