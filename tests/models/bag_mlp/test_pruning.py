import numpy as np

from textclf.models.bag_mlp.feature_cache import learn
from textclf.models.bag_mlp.pruning import BagPruner
from textclf.text.tokenizer import Tokenizer

TEXTS = ["red cat sat", "red cat ran", "the dog sat", "the dog ran", "blue sky blue sky", "blue sky"]


def pruner_of(texts):
    tokenizer = Tokenizer.fit(texts, max_parts=1000)
    tokens, lengths = tokenizer.encode_all(texts)
    batch = tokens, lengths, np.arange(len(texts))
    bag = learn([batch], validation=[], tokenizer=tokenizer, max_length=None).features
    pruner = BagPruner(bag, tokenizer)
    return pruner, bag, tokenizer, pruner.usage(tokens, lengths)


def test_usage_is_the_sum_of_the_squared_weights_of_each_feature():
    _, bag, _, usage = pruner_of(TEXTS)
    assert usage.shape == (len(bag.rarity),)
    assert abs(usage.sum() - bag.views * len(TEXTS)) < 1e-5  # each bag has length 1


def test_a_pair_keeps_its_words_in_the_vocabulary_but_not_as_features():
    pruner, bag, tokenizer, _ = pruner_of(TEXTS)
    ((pair,), _), *_ = bag.neighbours_in(*tokenizer.encode_all(["blue sky"]))
    subword = bag.words + len(bag.pairs) + bag.subwords[0]
    ranking = np.concatenate(([0, 1, pair, subword], np.setdiff1d(np.arange(len(bag.rarity)), [0, 1, pair, subword])))
    pruned = pruner.keep(ranking, 4)
    assert set(pruned.tokenizer.words[2:]) == {"blue", "sky"}
    assert (pruned.features.words, len(pruned.features.pairs)) == (2, 1)
    found = pruned.features.count(*pruned.tokenizer.encode_all(["blue sky"])).features
    pair = pruned.features.words
    assert [feature for feature in found if feature <= pair] == [0, pair, 0]  # <pad> and the pair, no words; <pad>


def test_more_is_kept_where_no_subword_would_be_left():
    pruner, bag, _, _ = pruner_of(TEXTS)
    pruned = pruner.keep(np.arange(len(bag.rarity)), 3)
    assert pruned.features.views == bag.views == 2
    assert len(pruned.rows) > 3


def test_all_features_are_the_model_itself():
    pruner, bag, tokenizer, _ = pruner_of(TEXTS)
    pruned = pruner.keep(np.arange(len(bag.rarity)), len(bag.rarity))
    assert pruned.tokenizer.to_json() == tokenizer.to_json()
    assert (pruned.features.pairs == bag.pairs).all()
    assert (pruned.rows == np.arange(len(bag.rarity))).all()


def test_a_run_keeps_its_words_in_the_vocabulary():
    pruner, bag, tokenizer, _ = pruner_of(["我爱北京", "我爱 北京 ab", "京北爱我", "京北 爱我 cd"])
    found = {
        tuple(words): feature
        for each in bag.neighbours_in(*tokenizer.encode_all(["爱北京"]))
        for feature, words in zip(each[0].tolist(), each[1].tolist(), strict=True)
    }
    run = found[tuple(tokenizer.words.index(word) for word in "爱北京")]
    ranking = np.concatenate(([0, 1, run], np.setdiff1d(np.arange(len(bag.rarity)), [0, 1, run])))
    pruned = pruner.keep(ranking, 3)
    assert set(pruned.tokenizer.words[2:]) == {*"爱北京"}
    assert (pruned.features.words, len(pruned.features.pairs), len(pruned.features.runs)) == (2, 0, 1)
    assert pruned.rows.tolist() == [0, 1, run]
    assert pruned.features.fits(pruned.tokenizer)
    assert pruned.features.count(*pruned.tokenizer.encode_all(["我爱北京"])).features.tolist() == [0, 1, 0, 2]
    assert pruned.features.count(*pruned.tokenizer.encode_all(["北京爱"])).features.tolist() == [0, 1, 0]
