import random
import tracemalloc
from collections import Counter
from functools import partial
from math import nan

import numpy as np
import pytest

from textclf.dataset import splits
from textclf.dataset.splits import DocumentCodes, Duplicates, digest, fold, number_texts
from textclf.errors import DataError, UsageError
from textclf.sources.document import SPLITS, Document

SIZES = {"test_size": 0.1, "validation_size": 0.1}


def make(labels):
    return [Document(str(i), f"text {i}", label) for i, label in enumerate(labels)]


def divided(parts):
    """Documents by split as arrays, and the documents in that order."""
    documents = [document for split in SPLITS for document in parts.get(split, ())]
    names = sorted({document.label for document in documents})
    places = [place for place, split in enumerate(SPLITS) for _ in parts.get(split, ())]
    codes = [names.index(document.label) for document in documents]
    texts = number_texts(b"".join(digest(fold(document.text)) for document in documents))
    return DocumentCodes(np.array(places, dtype=np.int8), np.array(codes), texts), documents


def draw(parts, **options):
    division, documents = divided(parts)
    places = splits.draw_missing(division, **options)
    return {split: [documents[row] for row in np.flatnonzero(places == at)] for at, split in enumerate(SPLITS)}


def duplicates(parts):
    return splits.duplicates(divided(parts)[0])


def nested_order(labels, *, seed):
    return splits.nested_order(np.unique(labels, return_inverse=True)[1], seed=seed)


def skewed(seed, count=600):
    rng = random.Random(seed)
    return make(rng.choices("abcdefgh", weights=[40, 20, 10, 10, 8, 6, 4, 2], k=count))


def ids(documents):
    return [document.id for document in documents]


@pytest.mark.parametrize(
    ("one", "two"), [("A  b\n", "a B"), ("Straße", "STRASSE"), ("\u3000x\u00a0y", "x y"), ("", " \t")]
)
def test_fold_ignores_case_and_white_space(one, two):
    assert fold(one) == fold(two)


def test_fold_keeps_words_and_marks_apart():
    assert len({fold(text) for text in ("a b", "ab", "a.b", "á b")}) == 4


def test_texts_are_numbered_as_they_appear_and_copies_alike():
    keys = [digest(text) for text in ("b", "a", "b", "c", "a", "b")]
    assert number_texts(b"".join(keys)).tolist() == [0, 1, 0, 2, 1, 0]
    halves = [bytes(8) + bytes([number] * 8) for number in (3, 1, 3)]  # that differ in one half alone
    assert number_texts(b"".join(halves)).tolist() == [0, 1, 0]
    assert number_texts(b"").tolist() == []


def test_labels_of_other_splits_leave_the_nested_order_alone():
    gaps = np.array([7, 2, 2, 7, 2, 4, 4, 4])
    assert splits.nested_order(gaps, seed=3).tolist() == nested_order(gaps, seed=3).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_drawn_splits_are_a_stratified_partition(seed):
    train = skewed(seed)
    drawn = draw({"train": train}, **SIZES, seed=seed)
    assert {split: len(documents) for split, documents in drawn.items()} == {"train": 480, "validation": 60, "test": 60}
    everywhere = [name for documents in drawn.values() for name in ids(documents)]
    assert sorted(everywhere, key=int) == ids(train)
    whole = Counter(document.label for document in train)
    for split in ("validation", "test"):
        part = Counter(document.label for document in drawn[split])
        assert all(abs(part[label] - count / 10) < 2 for label, count in whole.items())


def test_drawn_splits_keep_the_order_of_the_source():
    for documents in draw({"train": skewed(1)}, **SIZES, seed=1).values():
        assert ids(documents) == sorted(ids(documents), key=int)


def test_the_draw_depends_only_on_the_seed():
    one, same, other = (draw({"train": skewed(0)}, **SIZES, seed=seed) for seed in (3, 3, 4))
    assert one == same
    assert ids(one["test"]) != ids(other["test"])


def test_the_draw_is_pinned():
    # a change here is a change of every data directory that is made from now on
    drawn = draw({"train": make("ab" * 10)}, **SIZES, seed=0)
    assert (ids(drawn["validation"]), ids(drawn["test"])) == (["3", "18"], ["2", "11"])
    assert nested_order(list("abcabcaaaa"), seed=0).tolist() == [1, 3, 2, 8, 6, 4, 0, 7, 5, 9]


@pytest.mark.parametrize("seed", range(8))
def test_copies_stay_together(seed):
    rng = random.Random(seed)
    train = skewed(seed, 300)
    copies = [rng.choice(train) for _ in range(150)] + [train[0]] * 40
    variants = [str.upper, str.title, lambda text: f" {text}\n", lambda text: text.replace(" ", "\t ")]
    train += [Document(f"copy {i}", rng.choice(variants)(copy.text), copy.label) for i, copy in enumerate(copies)]
    rng.shuffle(train)
    drawn = draw({"train": train}, test_size=0.2, validation_size=0.1, seed=seed)
    homes = {}
    for split, documents in drawn.items():
        for document in documents:
            homes.setdefault(fold(document.text), set()).add(split)
    assert all(len(splits) == 1 for splits in homes.values())
    assert {split: len(documents) for split, documents in drawn.items()} == {"train": 343, "validation": 49, "test": 98}


@pytest.mark.parametrize("seed", range(20))
def test_train_keeps_every_label_even_one_that_shares_its_text(seed):
    train = [*make("aaaaaaaaaaaabbbbbbbbc"), Document("x", "TEXT 0", "d"), Document("y", "text 1", "e")]
    drawn = draw({"train": train}, test_size=0.3, validation_size=0.3, seed=seed)
    assert {document.label for document in drawn["train"]} == set("abcde")


@pytest.mark.parametrize("seed", range(5))
def test_many_small_classes_share_the_drawn_splits(seed):
    labels = [f"class {i}" for i in range(150) for _ in range(5)]
    drawn = draw({"train": make(labels)}, **SIZES, seed=seed)
    tested = Counter(document.label for document in drawn["test"])
    assert len(drawn["test"]) == 75
    assert set(tested.values()) == {1}


def test_a_text_with_more_copies_than_the_split_has_room_stays_in_train():
    train = make("ab" * 50) + [Document(f"copy {i}", "again and again", "a") for i in range(30)]
    drawn = draw({"train": train}, **SIZES, seed=0)
    assert len(drawn["test"]) == len(drawn["validation"]) == 13
    assert sum(document.text == "again and again" for document in drawn["train"]) == 30


def test_proportions_are_of_documents_not_of_texts():
    copied = [Document(f"{i}.{copy}", f"copied {i}", "a") for i in range(50) for copy in range(4)]
    drawn = draw({"train": copied + make("b" * 100)}, test_size=0.25, validation_size=0.1, seed=0)
    tested = Counter(document.label for document in drawn["test"])
    assert abs(tested["a"] - 50) <= 4
    assert abs(tested["b"] - 25) <= 4


@pytest.mark.parametrize("seed", range(5))
def test_a_text_with_two_labels_counts_for_the_more_common_one(seed):
    mixed = [Document(f"{i}.{label}", f"mixed {i}", label[0]) for i in range(40) for label in ("a", "b1", "b2")]
    drawn = draw({"train": mixed + make("a" * 40)}, test_size=0.25, validation_size=0.1, seed=seed)
    tested = Counter(document.text.split()[0] for document in drawn["test"])
    assert tested == {"mixed": 30, "text": 10}


def test_the_splits_of_the_source_stay_as_they_are():
    train, test = make("ab" * 50), [Document("t", "text 0", "a")]
    drawn = draw({"train": train, "test": test}, **SIZES, seed=0)
    assert list(drawn) == ["train", "validation", "test"]
    assert drawn["test"] == test
    assert (len(drawn["train"]), len(drawn["validation"])) == (90, 10)
    whole = {"train": train, "test": test, "validation": test}
    assert draw(whole, **SIZES, seed=0) == whole


@pytest.mark.parametrize(
    ("test", "validation"), [(0, 0.1), (0.1, 0), (0.5, 0.5), (-0.1, 0.1), (1.5, 0.1), (nan, 0.1), (0.1, nan)]
)
def test_refuses_sizes_that_leave_nothing(test, validation):
    with pytest.raises(UsageError) as caught:
        draw({"train": make("abab")}, test_size=test, validation_size=validation, seed=0)
    sizes = f"--test-size {test:g} --validation-size {validation:g}"
    assert str(caught.value) == f"{sizes}: both must be above 0, and their sum below 1"


def test_too_few_documents_are_refused():
    with pytest.raises(DataError) as caught:
        draw({"train": make("ab")}, **SIZES, seed=0)
    assert str(caught.value) == (
        "too few documents to draw a test split (2 with 2 labels, 2 different texts): add --test FILE"
    )


@pytest.mark.parametrize("seed", range(5))
def test_every_prefix_of_the_nested_order_is_stratified(seed):
    labels = np.array([document.label for document in skewed(seed)])
    order = nested_order(labels.tolist(), seed=seed)
    assert sorted(order.tolist()) == list(range(600))
    shares = Counter(labels.tolist())
    assert len(set(labels[order[: len(shares)]])) == len(shares)
    for size in range(len(shares), 601):
        counts = Counter(labels[order[:size]].tolist())
        assert all(abs(counts[label] - size * share / 600) < 3 for label, share in shares.items())


def test_the_nested_order_depends_on_the_seed_alone():
    labels = list("abcd" * 25)
    assert nested_order(labels, seed=1).tolist() == nested_order(labels, seed=1).tolist()
    assert nested_order(labels, seed=1).tolist() != nested_order(labels, seed=2).tolist()


def test_duplicates_counts_copies_crossings_and_conflicts():
    train = [Document("1", "Good film", "pos"), Document("2", "good  film", "pos"), Document("3", "bad film", "neg")]
    test = [Document("1", "GOOD FILM", "neg"), Document("2", "new", "pos"), Document("3", "new", "pos")]
    assert duplicates({"train": train, "test": test}) == Duplicates(copies=3, crossing=1, conflicting=1)


def test_a_hundred_planted_copies_are_a_hundred():
    train = skewed(0)
    train += [document._replace(id=f"copy {document.id}") for document in train[:100]]
    assert duplicates({"train": train}) == Duplicates(copies=100, crossing=0, conflicting=0)


def test_each_tier_has_every_label_and_the_first_documents_of_the_nested_order():
    labels = np.arange(600) % 150
    order = splits.nested_order(labels, seed=3)
    tiers = splits.tiers(labels, seed=3)
    assert tiers[order].tolist() == [0] * 150 + [1] * 250 + [2] * 200
    assert splits.tiers(labels[:0], seed=3).tolist() == []


# Memory


def bytes_per_document(function, documents):
    """Peak of what a function allocates."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1] / documents
    finally:
        tracemalloc.stop()


def test_many_documents_take_little_memory():
    count, generator = 200_000, np.random.default_rng(0)
    digests = bytearray(generator.bytes(16 * count))
    assert bytes_per_document(lambda: splits.number_texts(digests), count) < 45
    text = generator.integers(0, count // 2, count)
    text = np.unique(text, return_inverse=True)[1].astype(np.int32)
    label = generator.integers(0, 4, count).astype(np.int32)
    codes = DocumentCodes(np.zeros(count, dtype=np.int8), label, text)
    draw = partial(splits.draw_missing, codes, test_size=0.1, validation_size=0.1, seed=0)
    assert bytes_per_document(draw, count) < 75
    assert bytes_per_document(lambda: splits.tiers(label, seed=0), count) < 60
    assert bytes_per_document(lambda: splits.duplicates(codes), count) < 25
