import random
import zlib
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from textclf.models.bag_mlp.features import RUN_LENGTHS, Bag, DocumentFrequencies
from textclf.text import unspaced
from textclf.text.subwords import word_parts
from textclf.text.tokenizer import PAD_ID, UNK_ID, Tokenizer
from textclf.text.word_hashes import HASH_BITS

TRAINING = [
    "the cat sat on the mat",
    "the cat ran",
    "a dog sat on a cat",
    "the dog ran; the dog ran",
    "dogs and cats",
]
ODD = ["", "qqq", "catty", "qqq catty dogged qqq", "cat", "cat qqq sat", "zebra cat sat xyz mat " * 20]


UNSPACED = ["我爱北京", "我爱 北京。", "北京go 我", "我爱 \u0e01\u0e32\u0e23 go", "。我爱北京"]
UNSPACED_WORDS = {*"我爱北京", "\u0e01\u0e32", "\u0e23"}
UNSPACED_QUERIES = [*UNSPACED, "", "京", "qqq", "我爱qqq北京", "go 我 go", "我爱北京" * 9]


def random_texts(seed, count=40, letters="abc"):
    """Texts of short words: many share parts, and of some only the parts are known."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(letters, k=rng.randrange(1, 6))) for _ in range(60)]
    weights = [1 / (rank + 1) for rank in range(60)]
    return [" ".join(rng.choices(words, weights, k=rng.randrange(1, 25))) for _ in range(count)]


def learn(texts, **limits):
    return Tokenizer.fit(texts, **{"max_parts": 1_000, **limits})


def encoded(texts, tokenizer):
    ids = [tokenizer.encode(text) for text in texts]
    return np.concatenate(ids), np.array([len(run) for run in ids])


def fit(texts, tokenizer, *, size=1_000, **limits):
    """The bag of these training texts, counted so many at a time."""
    frequencies = DocumentFrequencies(tokenizer)
    for start in range(0, len(texts), size):
        batch = encoded(texts[start : start + size], tokenizer)
        frequencies.add(frequencies.count(*batch), documents=len(batch[1]))
    return frequencies.bag(frequencies.select(**limits))


def weigh(bag, texts, tokenizer):
    """For each view and text, the weight of each feature."""
    features, offsets, weights = bag(*encoded(texts, tokenizer))
    assert len(features) == len(weights)
    assert offsets.tolist() == sorted(offsets.tolist())
    assert len(offsets) == bag.views * len(texts)
    parts = zip(np.split(features, offsets[1:]), np.split(weights, offsets[1:]), strict=True)
    bags = [list(zip(own.tolist(), theirs.tolist(), strict=True)) for own, theirs in parts]
    assert [len(dict(own)) for own in bags] == [len(own) for own in bags]  # no feature stands twice
    return [[dict(own) for own in bags[view * len(texts) :][: len(texts)]] for view in range(bag.views)]


def pair_hash(first, second):
    """The hash of two spellings, in whole numbers of any length."""
    numbers = [zlib.crc32(word.encode()) for word in (first, second)]
    return (numbers[0] * 2**32 + numbers[1]) * 0x9E3779B97F4A7C15 % 2**64 // 2 ** (64 - HASH_BITS)


def words_and_pairs(text, tokenizer):
    """Names of what stands in a text: its known words, and pairs of known words by their hash."""
    tokens = tokenizer.tokens(text)
    words = [f"word {tokenizer.words.index(token)}" for token in tokens if token in tokenizer.words]
    known = [pair for pair in pairwise(tokens) if set(pair) <= set(tokenizer.words)]
    return [*words, *(f"pair {pair_hash(*pair)}" for pair in known)]


def runs(text, tokenizer):
    """Names of the runs in a text, by their hash: all words are known, and one is of a script without spaces."""
    tokens = ["<pad>", *tokenizer.tokens(text)]
    for length in RUN_LENGTHS:
        for start in range(len(tokens) - length + 1):
            run = tokens[start : start + length]
            if set(run) <= set(tokenizer.words) and set(run) & UNSPACED_WORDS:
                yield f"run {run_hash(run)}"


def run_hash(run):
    number = len(run)
    for word in run:
        number = (number + zlib.crc32(word.encode())) * 0x9E3779B97F4A7C15 % 2**64
    return number // 2 ** (64 - HASH_BITS)


def parts(text, tokenizer):
    return [part for token in tokenizer.tokens(text) for part in word_parts(token) if part in tokenizer.parts]


def names(bag, tokenizer):
    """What each feature stands for."""
    found = [f"word {index}" for index in range(bag.words)] + [f"pair {pair}" for pair in bag.pairs]
    others = [f"part {part}" for part in tokenizer.parts] + [f"run {run}" for run in bag.runs]
    assert len(found) + len(others) == len(bag.rarity)
    return found, others


def other_names(text, tokenizer):
    """Names of what the second bag of a text may have."""
    return [*(f"part {part}" for part in parts(text, tokenizer)), *runs(text, tokenizer)]


def expected_weights(training, queries, features, *, has_full_idf=False):
    """The same from scikit-learn, dense: sublinear counts times the square root of its idf, or all, at length 1."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    def rows(*, use_idf):
        options = {"analyzer": list, "lowercase": False, "vocabulary": features}
        vectorizer = TfidfVectorizer(sublinear_tf=True, use_idf=use_idf, norm=None, **options)
        return vectorizer.fit(training).transform(queries).toarray()

    weights = rows(use_idf=True) if has_full_idf else np.sqrt(rows(use_idf=True) * rows(use_idf=False))
    return weights / np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)


@pytest.mark.parametrize(
    ("training", "limits"),
    [
        (TRAINING, {}),
        (TRAINING, {"max_vocab": 3}),
        (TRAINING, {"max_parts": 0}),
        (random_texts(0), {}),
        (random_texts(1), {"max_vocab": 30, "max_parts": 40}),
        (random_texts(2), {"min_count": 3}),
        (UNSPACED, {}),
        (UNSPACED, {"max_parts": 0}),
        (UNSPACED, {"max_vocab": 5}),
    ],
)
def test_weights_are_those_of_scikit_learn_with_the_square_root_of_idf(training, limits):
    tokenizer = learn(training, **limits)
    bag = fit(training, tokenizer)
    queries = [*training, *random_texts(0), *random_texts(9, letters="abcd"), *ODD, *UNSPACED_QUERIES]
    assert bool(len(bag.runs)) == (training is UNSPACED)
    of_words, of_parts = names(bag, tokenizer)
    views = [(words_and_pairs, of_words, 0)]
    if of_parts:
        views.append((other_names, of_parts, len(of_words)))
    weighed = weigh(bag, queries, tokenizer)
    assert len(weighed) == len(views)
    for (analyse, features, first), bags in zip(views, weighed, strict=True):
        found = [[analyse(text, tokenizer) for text in texts] for texts in (training, queries)]
        expected = np.zeros((len(queries), len(bag.rarity)))
        has_full_idf = bool(len(bag.runs)) and first > 0
        expected[:, first : first + len(features)] = expected_weights(*found, features, has_full_idf=has_full_idf)
        dense = np.array([[own.get(feature, 0) for feature in range(len(bag.rarity))] for own in bags])
        assert dense.any()
        np.testing.assert_allclose(dense, expected, rtol=1e-5, atol=1e-7)


def test_weights_follow_the_formula():
    tokenizer = learn(TRAINING)
    the, dog, mat = (tokenizer.words.index(word) for word in ("the", "dog", "mat"))
    bag = fit(TRAINING, tokenizer)
    (own,), _ = weigh(bag, ["the the dog mat"], tokenizer)
    weights = (1 + np.log(2)) * np.sqrt(1 + np.log(6 / 4)), np.sqrt(1 + np.log(6 / 3))
    assert own == pytest.approx({PAD_ID: 0, the: weights[0] / np.hypot(*weights), dog: weights[1] / np.hypot(*weights)})
    assert mat >= bag.words  # one document has it


@pytest.mark.parametrize("training", [TRAINING, random_texts(0)])
def test_pairs_are_features_if_two_training_documents_have_them(training):
    tokenizer = learn(training)
    found = [set(words_and_pairs(text, tokenizer)) for text in training]
    counts = Counter(name for names in found for name in names if name.startswith("pair"))
    expected = sorted(int(name.split()[1]) for name, count in counts.items() if count >= 2)
    assert 0 < len(expected) < len(counts)
    pairs = fit(training, tokenizer).pairs
    assert pairs.tolist() == expected
    assert pairs.dtype == np.int32


@pytest.mark.parametrize("training", [TRAINING, random_texts(0)])
def test_words_are_features_down_to_the_rarest_that_two_training_documents_have(training):
    tokenizer = learn(training)
    counts = Counter(word for text in training for word in set(tokenizer.tokens(text)))
    last = max(index for index, word in enumerate(tokenizer.words) if counts[word] >= 2)
    assert fit(training, tokenizer).words == last + 1 < tokenizer.size


def test_only_the_most_frequent_pairs_are_features():
    training = ["a b", "a b", "a b", "c d", "c d", "e f", "e f", "e f", "g h"]
    tokenizer = learn(training)
    bag = fit(training, tokenizer, max_pairs=2)
    assert bag.pairs.tolist() == sorted([pair_hash("a", "b"), pair_hash("e", "f")])


def test_the_last_word_of_a_document_and_the_first_of_the_next_are_no_pair():
    tokenizer = learn(["a b", "c a"])
    assert fit(["a", "b", "a", "b", "a", "b"], tokenizer).pairs.tolist() == []
    bag = fit(["a b", "a b"], tokenizer)
    apart, together = weigh(bag, ["a", "b"], tokenizer)[0], weigh(bag, ["a b"], tokenizer)[0]
    assert [len(own) for own in apart] == [2, 2]
    assert [len(own) for own in together] == [4]


def test_unknown_words_are_in_no_pair_and_their_neighbours_are_none():
    tokenizer = learn(["a b", "a b"])
    for text in ("a qqq b", "qqq a", "b qqq", "qqq qqq"):
        assert fit([text, text], tokenizer).pairs.tolist() == []
    bag = fit(["a b", "a b"], tokenizer)
    known = {bag.words}  # the one pair
    for text, expected in (("a qqq b", set()), ("a b qqq", known), ("qqq a b", known), ("b a", set())):
        (own,), _ = weigh(bag, [text], tokenizer)
        assert set(own) & known == expected


def test_parts_of_unknown_words_are_in_no_pair():
    tokenizer = learn(["cat cat"])
    assert tokenizer.encode("cats").tolist()[0] == UNK_ID
    assert len(tokenizer.encode("cats")) > 1
    assert fit(["cats cat cats", "cat cats"], tokenizer).pairs.tolist() == []


def test_rare_words_are_in_pairs():
    training = ["a b", "a b c", "c d", "c d", "e e e e e d"]
    tokenizer = learn(training, min_count=1)
    bag = fit(training, tokenizer)
    assert pair_hash("a", "b") in bag.pairs


@pytest.mark.parametrize("seed", range(3))
def test_pairs_survive_another_vocabulary(seed):
    """A pair is hashed from the spelling of its words: new words, or the same in another order, change nothing."""
    training = random_texts(seed)
    tokenizer = learn(training)
    larger = Tokenizer(["zebra", *reversed(tokenizer.words[2:]), "xyz"], parts=tokenizer.parts)
    bag, other = fit(training, tokenizer), fit(training, larger)
    assert bag.pairs.tolist() == other.pairs.tolist() != []
    rarity = [each.rarity[each.words : each.words + len(each.pairs)].tolist() for each in (bag, other)]
    assert rarity[0] == rarity[1]


@pytest.mark.parametrize("seed", range(3))
def test_a_word_has_the_same_parts_whether_or_not_it_is_known(seed):
    training = random_texts(seed)
    tokenizer = learn(training)
    fewer = Tokenizer(tokenizer.words[2:5], parts=tokenizer.parts)
    bag, other = fit(training, tokenizer), fit(training, fewer)
    shift = bag.words + len(bag.pairs) - other.words - len(other.pairs)
    _, known = weigh(bag, [*training, *ODD], tokenizer)
    _, unknown = weigh(other, [*training, *ODD], fewer)
    moved = [{feature + shift if feature else 0: weight for feature, weight in own.items()} for own in unknown]
    assert known == moved


def test_every_bag_begins_with_padding_that_weighs_nothing():
    tokenizer = learn(TRAINING)
    bag = fit(TRAINING, tokenizer)
    features, offsets, weights = bag(*encoded([*TRAINING, *ODD], tokenizer))
    assert (features[offsets] == PAD_ID).all()
    assert (weights[offsets] == 0).all()
    assert (features == PAD_ID).sum() == len(offsets)
    assert (features.dtype, offsets.dtype, weights.dtype) == (np.int32, np.int64, np.float32)


def test_a_bag_has_length_1_or_0_if_it_has_no_feature():
    tokenizer = learn(TRAINING)
    bag = fit(TRAINING, tokenizer)
    texts = [*TRAINING, *ODD, "cat " * 10_000]
    features = set(names(bag, tokenizer)[0])
    known = (
        [features & set(words_and_pairs(text, tokenizer)) for text in texts],
        [parts(text, tokenizer) for text in texts],
    )
    for view, found in zip(weigh(bag, texts, tokenizer), known, strict=True):
        assert [np.linalg.norm(list(own.values())) for own in view] == pytest.approx(
            [float(bool(own)) for own in found], abs=1e-6
        )
        assert {True, False} == set(map(bool, found))


def test_an_unknown_word_weighs_nothing():
    tokenizer = learn(TRAINING)
    bag = fit([*TRAINING, "qqq", "qqq"], tokenizer)
    (with_unknown, without), _ = weigh(bag, ["qqq cat xyz sat qqq", "cat; qqq; sat"], tokenizer)
    assert with_unknown[UNK_ID] == without[UNK_ID] == 0
    assert (bag.rarity[: UNK_ID + 1] == 0).all()
    assert (bag.rarity[UNK_ID + 1 :] > 0).all()


def test_more_of_a_word_weighs_more_and_the_order_counts_in_pairs_alone():
    tokenizer = learn(TRAINING)
    bag = fit(TRAINING, tokenizer)
    cat, sat = tokenizer.words.index("cat"), tokenizer.words.index("sat")
    (once, twice), _ = weigh(bag, ["cat sat", "cat cat sat"], tokenizer)
    assert once[cat] / once[sat] < twice[cat] / twice[sat]
    (forwards, backwards), (spelled, turned) = weigh(bag, ["sat on", "on sat"], tokenizer)
    assert len(forwards) == len(backwards) + 1
    assert spelled == turned


def test_a_rare_word_weighs_more_than_a_common_one():
    tokenizer = learn(TRAINING)
    the, cat, mat = (tokenizer.words.index(word) for word in ("the", "cat", "mat"))
    bag = fit(["the mat", "cat mat", "the cat the", "the"], tokenizer)
    assert bag.rarity[[the, cat, mat]] == pytest.approx(np.sqrt(1 + np.log([5 / 4, 5 / 3, 5 / 3])))
    (own,), _ = weigh(bag, ["the cat"], tokenizer)
    assert 0 < own[the] < own[cat]


@pytest.mark.parametrize("seed", range(3))
def test_a_document_does_not_see_the_others_of_its_batch(seed):
    training = random_texts(9)
    tokenizer = learn(training)
    bag = fit(training, tokenizer)
    texts = [*random_texts(seed, letters="abcd"), *training[:5], *ODD]
    together = weigh(bag, texts, tokenizer)
    alone = [weigh(bag, [text], tokenizer) for text in texts]
    assert together == [[views[view][0] for views in alone] for view in range(2)]
    assert [view[::-1] for view in together] == weigh(bag, texts[::-1], tokenizer)


def test_how_the_training_documents_are_batched_does_not_matter():
    training = random_texts(0)
    tokenizer = learn(training)
    one, other = fit(training, tokenizer, size=7), fit(training, tokenizer)
    assert one.words == other.words
    for name in ("pairs", "runs", "subwords", "subword_counts", "rarity"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_without_parts_a_document_is_seen_in_one_way():
    for max_parts, views in ((0, 1), (10, 2)):
        tokenizer = learn(TRAINING, max_parts=max_parts)
        bag = fit(TRAINING, tokenizer)
        assert bag.views == views
        assert bag.sizes == {"features": bag.words + len(bag.pairs) + max_parts, "views": views}


@pytest.mark.parametrize("max_parts", [0, 1_000])
@pytest.mark.parametrize("at_once", [1, 2, 7, 60])
@pytest.mark.parametrize(
    "texts",
    [ODD, TRAINING, [" ".join(random_texts(3)), "", *ODD], [" ".join(ODD * 9)], ["".join(UNSPACED), *UNSPACED_QUERIES]],
    ids=len,
)
def test_long_documents_and_batches_are_counted_part_by_part_to_the_same_numbers(texts, at_once, max_parts):
    training = UNSPACED if UNSPACED[0] in texts else [*TRAINING, *random_texts(3)]
    tokenizer = learn(training, max_parts=max_parts)
    tokens, lengths = encoded(texts, tokenizer)
    bag = fit(training, tokenizer)
    for counter in (bag.count, DocumentFrequencies(tokenizer).count if at_once == 7 else bag.count):
        whole, parts = counter(tokens, lengths), counter(tokens, lengths, at_once=at_once)
        for expected, found in zip(whole, parts, strict=True):
            assert found.dtype == expected.dtype
            assert found.tolist() == expected.tolist()


def test_documents_times_features_may_exceed_32_bits():
    words, count = 1_000_000, 5_000
    nothing = np.zeros(0, dtype=np.int32)
    vocabulary = ("",) * words
    counts, rarity = np.zeros(words, dtype=np.int32), np.ones(words, dtype=np.float32)
    bag = Bag(words, nothing, nothing, nothing, counts, rarity, vocabulary)
    expected = [[0, 2, words - 1 - place] for place in range(count)]
    tokens = np.array([row[:0:-1] for row in expected], dtype=np.int32).ravel()
    features, offsets, _ = bag(tokens, np.full(count, 2))
    assert offsets.tolist() == list(range(0, 3 * count, 3))
    assert features.reshape(count, 3).tolist() == expected


def test_the_tokens_that_were_given_stay_as_they_are():
    tokenizer = learn(TRAINING)
    tokens, lengths = encoded([*TRAINING, *ODD], tokenizer)
    before = tokens.tolist(), lengths.tolist()
    frequencies = DocumentFrequencies(tokenizer)
    frequencies.add(frequencies.count(tokens, lengths), documents=len(lengths))
    frequencies.bag(frequencies.select())(tokens, lengths)
    assert (tokens.tolist(), lengths.tolist()) == before


def test_documents_without_any_token_have_empty_bags():
    """No text is encoded so, but files may be damaged."""
    tokenizer = learn(TRAINING)
    bag = fit(TRAINING, tokenizer)
    cat = tokenizer.encode("cat")
    features, offsets, weights = bag(cat, np.array([0, len(cat), 0]))
    alone = bag(cat, np.array([len(cat)]))
    sizes = np.diff(offsets, append=len(features)).reshape(2, 3)
    assert sizes[:, [0, 2]].tolist() == [[1, 1], [1, 1]]
    assert features[features != PAD_ID].tolist() == alone.features[alone.features != PAD_ID].tolist()
    assert np.isfinite(weights).all()


def test_pairs_in_documents_are_found_with_their_words():
    tokenizer = learn(TRAINING)
    bag = fit(TRAINING, tokenizer)
    ((features, words),) = bag.neighbours_in(*encoded(["the cat sat on", "the", "cat qqq sat on the dog"], tokenizer))
    spelled = [tuple(tokenizer.words[word] for word in pair) for pair in words.tolist()]
    assert spelled == [("the", "cat"), ("sat", "on"), ("sat", "on")]
    assert [bag.pairs[feature - bag.words] for feature in features] == [pair_hash(*pair) for pair in spelled]


def test_runs_in_documents_are_found_with_their_words():
    tokenizer = learn(UNSPACED)
    bag = fit(UNSPACED, tokenizer)
    pairs, *found = bag.neighbours_in(*encoded(["我爱北", "qqq京"], tokenizer))
    assert len(pairs[0]) > 0
    # The first begins with a mark; longer ones with the start of the document.
    assert [len(features) for features, _ in found] == [4, 3, 2]
    first = len(bag.rarity) - len(bag.runs)
    for features, words in found:
        spelled = [[tokenizer.words[word] for word in run] for run in words.tolist()]
        assert [bag.runs[feature - first] for feature in features] == list(map(run_hash, spelled))


def test_a_corpus_has_runs_if_its_frequent_words_are_of_a_script_without_spaces():
    for texts, has_runs in (
        (UNSPACED, True),
        (["\u0e01\u0e32\u0e23\u0e01\u0e32\u0e23 abc"] * 2, True),
        ([*TRAINING, "京"], False),
        (random_texts(0), False),
        (["हिन्दी में किताब लिखी 한국어 텍스트"] * 2, False),
        ([], False),
    ):
        tokenizer = learn(texts)
        assert bool(len(fit(texts, tokenizer).runs)) == has_runs
        assert (DocumentFrequencies(tokenizer).candidates > 2**HASH_BITS * 2) == has_runs


def test_runs_of_one_training_document_are_features_if_there_is_room_for_all():
    tokenizer = learn(UNSPACED)
    found = Counter(name for text in UNSPACED for name in set(runs(text, tokenizer)))
    twice = {name for name, count in found.items() if count > 1}
    assert 2 < len(twice) < len(found)
    assert {f"run {run}" for run in fit(UNSPACED, tokenizer, max_runs=len(found)).runs} == set(found)
    assert {f"run {run}" for run in fit(UNSPACED, tokenizer, max_runs=len(found) - 1).runs} == twice
    most = fit(UNSPACED, tokenizer, max_runs=2).runs
    assert [found[f"run {run}"] for run in most] == sorted(found.values())[-2:]


def test_each_word_of_a_run_has_its_share_and_the_start_of_a_document_has_none():
    tokenizer = learn(UNSPACED)
    bag = fit(UNSPACED, tokenizer)
    tokens = encoded(["我爱qqq北京我爱"], tokenizer)[0]
    found = bag.occurrences(tokens)
    assert found.tokens.min() == 0
    assert found.tokens.max() == (tokens < tokenizer.size).sum() - 1
    shares = np.bincount(found.features, found.shares, minlength=len(bag.rarity))
    counts = bag.count(tokens, np.array([len(tokens)]))
    is_feature = counts.features != PAD_ID
    np.testing.assert_allclose(shares[counts.features[is_feature]], counts.counts[is_feature])
    (begins,) = (
        feature
        for feature in counts.features
        if feature >= len(bag.rarity) - len(bag.runs)
        and bag.runs[feature - len(bag.rarity)] == run_hash(["<pad>", unspaced.BEGIN, "我"])
    )
    assert found.tokens[found.features == begins].tolist() == [0, 1]  # the mark and the letter
