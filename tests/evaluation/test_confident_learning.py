"""Confident learning, against a confident joint that is counted by hand."""

import numpy as np

from textclf.evaluation.confident_learning import rank_pairs, self_confidence, wrong_labels, wrong_pairs

LABELS = np.array([0, 0, 0, 1, 1, 1])
PROBABILITIES = np.array(
    [[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6], [0.6, 0.4]], dtype=np.float32
)  # thresholds: (0.9 + 0.7 + 0.1) / 3 = 0.567, and 0.6


def counted_by_hand(labels: np.ndarray, probabilities: np.ndarray) -> list[bool]:
    """The definition, document by document."""
    classes = range(probabilities.shape[1])
    means = {each: probabilities[labels == each, each].mean() for each in classes if (labels == each).any()}
    found = []
    for label, row in zip(labels, probabilities, strict=True):
        reached = [each for each in means if row[each] >= means[each]]
        confident = max(reached, key=lambda each: row[each], default=label)
        found.append(confident != label and int(row.argmax()) != label)
    return found


def test_the_probability_of_the_own_label() -> None:
    assert self_confidence(LABELS, PROBABILITIES).tolist() == np.float32([0.9, 0.7, 0.1, 0.8, 0.6, 0.4]).tolist()


def test_documents_that_are_confidently_in_another_class() -> None:
    assert wrong_labels(LABELS, PROBABILITIES).tolist() == [False, False, True, False, False, True]


def test_it_is_what_the_definition_says() -> None:
    draw = np.random.default_rng(0)
    for classes in (2, 3, 9):
        probabilities = draw.dirichlet(np.full(classes, 0.4), size=300).astype(np.float32)
        labels = draw.integers(classes - 1, size=300)  # nobody is labelled with the last
        assert wrong_labels(labels, probabilities).tolist() == counted_by_hand(labels, probabilities)


def test_a_rare_class_does_not_claim_the_documents_of_others() -> None:
    labels = np.array([0, 0, 0, 0, 1])
    probabilities = np.array([[0.9, 0.1]] * 3 + [[0.6, 0.4], [0.99, 0.01]], dtype=np.float32)
    assert wrong_labels(labels, probabilities).tolist() == [False] * 4 + [True]


def test_of_several_labels_each_is_a_question_of_its_own() -> None:
    truth = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=bool)
    probabilities = np.array([[0.9, 0.1], [0.1, 0.2], [0.2, 0.9], [0.8, 0.7]], dtype=np.float32)
    assert wrong_pairs(truth, probabilities).tolist() == [[False, False], [True, False], [False, False], [True, False]]


def test_pairs_are_ranked_by_kind_and_a_document_that_is_misunderstood_comes_later() -> None:
    truth = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]], dtype=bool)
    probabilities = np.array(
        [
            [0.9, 0.1, 0.1],
            [0.8, 0.7, 0.1],  # the second is missing, perhaps
            [0.1, 0.001, 0.1],  # the second is wrong
            [0.99, 0.001, 0.99],  # everything is doubted
            [0.9, 0.1, 0.1],
            [0.1, 0.9, 0.1],
        ],
        dtype=np.float32,
    )
    ranked = [tuple(map(int, np.unravel_index(place, truth.shape))) for place in rank_pairs(truth, probabilities)]
    assert set(ranked) == {(1, 1), (2, 1), (3, 0), (3, 1), (3, 2)}  # those below one half
    assert ranked.index((2, 1)) < ranked.index((3, 1))
    assert ranked.index((1, 1)) < min(ranked.index((3, 0)), ranked.index((3, 2)))
    assert set(ranked[:2]) == {(1, 1), (2, 1)}
    assert rank_pairs(truth[:0], probabilities[:0]).tolist() == []
