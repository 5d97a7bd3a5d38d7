import numpy as np
import pytest

from textclf.text.bag import Bag
from textclf.text.tokenizer import UNK_ID

VOCABULARY = 50
KNOWN = [[5, 5, 5, 7], [7, 8, 9, 8], [7, 5], [20] * 9 + [21], [7]]
LONELY = [[UNK_ID], [5, 7, 8], [UNK_ID, UNK_ID], [UNK_ID]]


def end_to_end(documents):
    tokens = np.array([token for document in documents for token in document], dtype=np.int32)
    return tokens, np.array([len(document) for document in documents], dtype=np.int64)


def fit(documents, vocabulary=VOCABULARY):
    return Bag.fit([end_to_end(documents)], vocabulary=vocabulary)


def weigh(bag, documents):
    """The weight of each feature, for each document."""
    features, offsets, weights = bag(*end_to_end(documents))
    assert len(features) == len(weights)
    assert offsets.tolist() == sorted(offsets.tolist())
    parts = zip(np.split(features, offsets[1:]), np.split(weights, offsets[1:]), strict=True)
    return [dict(zip(own.tolist(), theirs.tolist(), strict=True)) for own, theirs in parts]


def random_documents(seed, count=40, vocabulary=VOCABULARY):
    random = np.random.default_rng(seed)
    return [random.integers(UNK_ID, vocabulary, random.integers(1, 30)).tolist() for _ in range(count)]


def expected_weights(documents, queries):
    """The same from scikit-learn: sublinear counts times the square root of its idf."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    def known(document):
        return [token for token in document if token != UNK_ID]

    def rows(*, use_idf):
        options = {"analyzer": known, "lowercase": False, "vocabulary": {token: token for token in range(VOCABULARY)}}
        vectorizer = TfidfVectorizer(sublinear_tf=True, use_idf=use_idf, norm=None, **options)
        return vectorizer.fit(documents).transform(queries).toarray()

    tfidf, counts = rows(use_idf=True), rows(use_idf=False)
    weights = np.sqrt(tfidf * counts)
    return weights / np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)


@pytest.mark.parametrize("documents", [KNOWN, random_documents(0), random_documents(1)])
def test_weights_are_those_of_scikit_learn_with_the_square_root_of_idf(documents):
    queries = [*random_documents(2), *KNOWN, *LONELY]
    weighed = weigh(fit(documents), queries)
    dense = np.array([[bag.get(token, 0) for token in range(VOCABULARY)] for bag in weighed])
    np.testing.assert_allclose(dense, expected_weights(documents, queries), rtol=1e-5, atol=1e-7)


def test_a_document_has_length_1():
    for bag in weigh(fit(KNOWN), [*KNOWN, *random_documents(3), [5] * 10_000]):
        assert np.linalg.norm(list(bag.values())) == pytest.approx(1, abs=1e-6)


def test_each_distinct_token_stands_once():
    bag = fit(KNOWN)
    features, offsets, weights = bag(*end_to_end(KNOWN))
    parts = np.split(features, offsets[1:])
    assert [sorted(part.tolist()) for part in parts] == [sorted(set(document)) for document in KNOWN]
    assert (features.dtype, offsets.dtype, weights.dtype) == (np.int64, np.int64, np.float32)


def test_more_of_a_token_weighs_more_and_order_does_not_count():
    once, twice, turned = weigh(fit(KNOWN), [[5, 20], [5, 5, 20], [20, 5, 5]])
    assert once[5] < twice[5]
    assert twice == turned


def test_a_rare_token_weighs_more_than_a_common_one():
    (bag,) = weigh(fit(KNOWN), [[7, 20, 49]])
    assert 0 < bag[7] < bag[20] < bag[49]


@pytest.mark.parametrize("trained_on", [KNOWN, LONELY])
def test_an_unknown_token_weighs_nothing(trained_on):
    bag = fit(trained_on)
    with_unknown, without = weigh(bag, [[UNK_ID, 5, UNK_ID, 7], [5, 7]])
    assert with_unknown.pop(UNK_ID, 0) == 0
    assert with_unknown == without


@pytest.mark.parametrize("documents", [LONELY, LONELY[::-1], [[UNK_ID]], [[UNK_ID]] * 3, [[7], [UNK_ID]]])
def test_a_document_of_unknown_tokens_alone_weighs_nothing_and_is_a_number(documents):
    for document, bag in zip(documents, weigh(fit(KNOWN), documents), strict=True):
        length = np.linalg.norm(list(bag.values()))
        assert length == (0 if set(document) == {UNK_ID} else pytest.approx(1, abs=1e-6))


@pytest.mark.parametrize("seed", range(3))
def test_a_document_does_not_see_the_others_of_its_batch(seed):
    documents = [*random_documents(seed), *LONELY]
    bag = fit(random_documents(9))
    together = weigh(bag, documents)
    assert together == [weigh(bag, [document])[0] for document in documents]
    assert together[::-1] == weigh(bag, documents[::-1])


def test_how_the_training_documents_are_batched_does_not_matter():
    documents, queries = random_documents(0), random_documents(1)
    cut = [end_to_end(documents[start : start + 7]) for start in range(0, len(documents), 7)]
    assert weigh(Bag.fit(cut, vocabulary=VOCABULARY), queries) == weigh(fit(documents), queries)


def test_documents_times_vocabulary_may_exceed_32_bits():
    vocabulary, count = 1_000_000, 5_000
    bag = fit([[2], [3]], vocabulary=vocabulary)
    documents = [[vocabulary - 1 - place, 2] for place in range(count)]
    features, offsets, _ = bag(*end_to_end(documents))
    assert offsets.tolist() == list(range(0, 2 * count, 2))
    assert np.sort(features.reshape(count, 2), axis=1)[:, 1].tolist() == [document[0] for document in documents]


def test_the_tokens_that_were_given_stay_as_they_are():
    tokens, lengths = end_to_end(KNOWN)
    before = tokens.copy(), lengths.copy()
    Bag.fit([(tokens, lengths)], vocabulary=VOCABULARY)(tokens, lengths)
    assert (tokens.tolist(), lengths.tolist()) == (before[0].tolist(), before[1].tolist())
