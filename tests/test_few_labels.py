"""scripts/few_labels.py: its table, and the peers that it measures."""

import few_labels
import pytest

WORDS = {0: "goal match striker", 1: "bond shares bank"}


def measured(method, data, shots, *accuracies):
    return [
        {"method": method, "data": data, "shots": shots, "seed": seed, "accuracy": accuracy}
        for seed, accuracy in enumerate(accuracies)
    ]


def test_a_corpus_weighs_the_same_however_many_draws_it_has():
    lines = few_labels.table([*measured("A", "one", 8, 50.0, 60.0), *measured("A", "two", 8, 75.0)]).splitlines()
    assert lines == ["| documents of each label | 8 |", "| --- | --- |", "| A | 65.0 |"]


def test_what_was_not_measured_is_left_open():
    lines = few_labels.table([*measured("A", "one", 16, 50.0), *measured("B", "one", 8, 40.0)]).splitlines()
    assert lines[0] == "| documents of each label | 8 | 16 |"
    assert lines[2:] == ["| A |  | 50.0 |", "| B | 40.0 |  |"]


@pytest.mark.parametrize("peer", [few_labels.svm, few_labels.tuned_svm])
def test_a_peer_learns_what_words_tell(peer):
    texts = [f"{words} number{copy}" for words in WORDS.values() for copy in range(4)]
    labels = [label for label in WORDS for _ in range(4)]
    assert peer(texts, labels, ["a match", "a bank"]) == [0, 1]
