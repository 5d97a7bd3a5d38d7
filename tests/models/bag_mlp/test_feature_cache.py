import random

import numpy as np
import pytest

from tests.models.bag_mlp.test_features import ODD, TRAINING, encoded, fit, learn, random_texts
from textclf.models.bag_mlp.feature_cache import FeatureCache, _Growing

PARTS = pytest.mark.parametrize("max_parts", [0, 1_000])


def same(one, other):
    for ours, theirs in zip(one, other, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def batches_of(texts, tokenizer, indices, *, size=7):
    """The texts of these indices, so many at a time; their rows are neither the indices nor without gaps."""
    cut = [list(indices[start : start + size]) for start in range(0, len(indices), size)]
    return [(*encoded([texts[index] for index in part], tokenizer), 3 * np.array(part) + 5) for part in cut]


def features_of(batches, bag):
    return sum(len(bag(tokens, lengths).features) for tokens, lengths, _ in batches)


@pytest.mark.parametrize("limit", [0, 700, 10**6])
@PARTS
def test_bags_are_the_same_whether_they_are_cached_or_not(limit, max_parts):
    texts = [*random_texts(0), *random_texts(1), *ODD]
    tokenizer = learn(texts[:40], max_parts=max_parts)
    training, validation = (batches_of(texts, tokenizer, range(*ends)) for ends in ((0, 40), (40, 60)))
    cache = FeatureCache.fit(training, validation, tokenizer=tokenizer, limit=limit)
    bag = fit(texts[:40], tokenizer)
    names = ("words", "pairs", "runs", "subwords", "subword_counts", "rarity", "vocabulary")
    for name in names:
        np.testing.assert_array_equal(getattr(cache.bag, name), getattr(bag, name))
    for _, _, rows in (*training, *validation):
        assert cache.has(rows) is (limit == 10**6)
    rng = random.Random(0)
    mixed = [rng.choices(range(len(texts)), k=rng.randrange(1, 9)) for _ in range(40)]
    for indices in (*mixed, *([index] for index in range(60)), range(60)):
        ((tokens, lengths, rows),) = batches_of(texts, tokenizer, indices, size=99)
        same(cache(tokens, lengths, rows), bag(tokens, lengths))


@PARTS
def test_cached_documents_are_not_counted_again(max_parts):
    texts = random_texts(0)
    tokenizer = learn(texts, max_parts=max_parts)
    training, validation = (batches_of(texts, tokenizer, range(*ends)) for ends in ((0, 30), (30, 36)))
    cache = FeatureCache.fit(training, validation, tokenizer=tokenizer)
    for tokens, lengths, rows in (*training, *validation):
        same(cache(np.zeros_like(tokens), lengths, rows), cache.bag(tokens, lengths))
    tokens, lengths, rows = training[0]
    assert not cache.has(rows + 1)
    assert not cache.has(rows + 10**6)
    same(cache(tokens, lengths, rows + 1), cache.bag(tokens, lengths))
    same(cache(tokens, lengths), cache.bag(tokens, lengths))


def test_validation_documents_are_not_learnt_from():
    tokenizer = learn(TRAINING)
    training = batches_of(TRAINING, tokenizer, range(3))
    with_validation = FeatureCache.fit(training, batches_of(TRAINING, tokenizer, [3, 4]), tokenizer=tokenizer)
    without = FeatureCache.fit(training, [], tokenizer=tokenizer)
    np.testing.assert_array_equal(with_validation.bag.rarity, without.bag.rarity)
    assert with_validation.bag.pairs.tolist() == without.bag.pairs.tolist()


def test_after_clear_documents_are_counted_again():
    tokenizer = learn(TRAINING)
    ((tokens, lengths, rows),) = batches_of(TRAINING, tokenizer, range(len(TRAINING)))
    cache = FeatureCache.fit([(tokens, lengths, rows)], [], tokenizer=tokenizer)
    assert cache.has(rows)
    cache.clear()
    assert not cache.has(rows)
    same(cache(tokens, lengths, rows), cache.bag(tokens, lengths))


def test_all_documents_are_cached_or_none():
    tokenizer = learn(TRAINING)
    training, validation = batches_of(TRAINING, tokenizer, range(3), size=1), batches_of(TRAINING, tokenizer, [3, 4])
    for limit, is_cached in ((10**4, True), (1, False)):
        cache = FeatureCache.fit(training, validation, tokenizer=tokenizer, limit=limit)
        assert {cache.has(rows) for _, _, rows in (*training, *validation)} == {is_cached}
    enough = next(limit for limit in range(1, 10**4) if is_all_cached(training, [], tokenizer, limit))
    assert not is_all_cached(training, validation, tokenizer, enough)
    assert enough >= features_of(training, cache.bag)
    cache = FeatureCache.fit(training, validation, tokenizer=tokenizer, limit=enough)
    for tokens, lengths, rows in (*training, *validation):
        assert not cache.has(rows)
        same(cache(tokens, lengths, rows), cache.bag(tokens, lengths))


def is_all_cached(training, validation, tokenizer, limit):
    cache = FeatureCache.fit(training, validation, tokenizer=tokenizer, limit=limit)
    return all(cache.has(rows) for _, _, rows in (*training, *validation))


@pytest.mark.parametrize(("most", "is_cached"), [(255, True), (256, True), (65_535, True), (65_536, False)])
def test_nothing_is_cached_if_a_count_is_too_large(most, is_cached):
    texts = ["the " * most, "the cat", "the cat sat", "a cat sat"]
    tokenizer = learn(texts)
    batches = batches_of(texts, tokenizer, range(4), size=1)
    cache = FeatureCache.fit(batches, [], tokenizer=tokenizer)
    assert cache.bag.count(*batches[0][:2]).counts.max() == most
    for tokens, lengths, rows in batches:
        assert cache.has(rows) is is_cached
        same(cache(tokens, lengths, rows), cache.bag(tokens, lengths))


@pytest.mark.parametrize("step", [0, 1, 10, 1_000])
def test_an_array_grows_and_keeps_its_values(step):
    array, expected = _Growing(np.uint16, step), []
    for size in (0, 1, 5, 0, 30, 2):
        values = np.arange(len(expected), len(expected) + size)
        array.extend(values)
        expected += values.tolist()
        assert array.values().tolist() == expected
    assert array.values().dtype == np.uint16
