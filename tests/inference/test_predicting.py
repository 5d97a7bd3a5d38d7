import json
from dataclasses import replace

import pytest
from sklearn.metrics import accuracy_score, f1_score

from textclf.artefacts.artefact import Abstention
from textclf.errors import UsageError
from textclf.inference.classifier import Prediction, Score
from textclf.inference.outputs import Answer
from textclf.inference.predicting import MOST_SHOWN, Rejection, Tally, accuracy, answer, columns_of, macro_f1
from textclf.sources import Columns, Row
from textclf.sources.columns import Roles, to_row

PREDICTION = Prediction("a", 0.75, (Score("a", 0.75),), unknown=0.5, truncated=True, unlike=False)
GIVEN = Answer(Row("", "7", "x"), PREDICTION, rejected=False)
REJECTED = GIVEN._replace(rejected=True)
BROKEN = GIVEN._replace(row=Row("", None, None, "f, line 2: no"))


def predictions(texts):
    """Two at a time: the longer a text, the more probable."""
    texts = list(texts)
    made = [PREDICTION._replace(probability=len(text) / 10, unlike="?" in text) for text in texts]
    return iter([made[:2], made[2:]])


def test_each_row_gets_the_answer_to_its_text_and_texts_are_dropped():
    rows = [Row("four", "1"), Row("", "2", None, "no text"), Row("sevens!", "3", "a")]
    first, second = answer(rows, predictions, Rejection(below=0.5))
    assert [len(first), len(second)] == [2, 1]
    assert [each.row for each in first + second] == [row._replace(text="") for row in rows]
    assert [each.prediction.probability for each in first + second] == [0.4, 0.0, 0.7]
    assert [each.rejected for each in first + second] == [True, True, False]
    assert [each.label for each in first + second] == [None, None, "a"]


@pytest.mark.parametrize(
    ("below", "target", "expected"),
    [(None, None, (0, False)), (0.3, None, (0.3, False)), (0.3, 0.9, (0.8, True)), (0.9, 0.9, (0.9, True))],
)
def test_a_target_precision_takes_the_learned_threshold_and_rejects_unlike_texts(below, target, expected):
    assert Rejection.of(Abstention({"0.9": 0.8}), below=below, target_precision=target) == Rejection(*expected)


def test_a_target_precision_needs_learned_thresholds():
    with pytest.raises(UsageError, match="was not shown on the validation documents"):
        Rejection.of(Abstention(), below=None, target_precision=0.9)


@pytest.mark.parametrize(
    ("rejection", "probability", "unlike", "applies"),
    [
        (Rejection(), 0.0, True, False),
        (Rejection(below=0.5), 0.5, True, False),
        (Rejection(below=0.5), 0.4, False, True),
        (Rejection(unlike=True), 0.9, True, True),
        (Rejection(unlike=True), 0.9, False, False),
    ],
)
def test_a_rejection_applies_to(rejection, probability, unlike, applies):
    assert rejection.applies(PREDICTION._replace(probability=probability, unlike=unlike)) is applies


def test_a_tally_counts_and_sums_up():
    tally = Tally(["a", "x"])
    assert [len(batch) for batch in tally.watch([[GIVEN, REJECTED], [BROKEN]])] == [2, 1]
    assert (tally.rows, tally.errors, tally.rejected, tally.first_error) == (3, 1, 1, "f, line 2: no")
    score = "accuracy 0.0000, macro-F1 0.0000 on 1 row with a label and an answer"
    errors = "1 of 3 rows could not be read, the first: f, line 2: no"
    assert tally.summary(with_coverage=False) == [errors, score]
    assert tally.summary(with_coverage=True) == [errors, "1 of 3 rows has an answer (33.33%)", score]


def test_without_rows_or_answers_there_is_no_score():
    assert Tally(["a", "x"]).summary(with_coverage=False) == []
    assert Tally(["a", "x"]).summary(with_coverage=True) == ["0 of 0 rows have an answer (0.00%)"]
    only = Tally(["a", "x"])
    list(only.watch([[REJECTED]]))
    assert only.summary(with_coverage=False) == ["none of 1 row with a label has an answer"]


def test_a_long_error_is_one_short_line():
    tally = Tally(["a", "x"])
    list(tally.watch([[BROKEN._replace(row=Row("", error="a\n" * 1_000))]]))
    (line,) = tally.summary(with_coverage=False)
    assert "\n" not in line
    assert len(line) < MOST_SHOWN + 60


def test_the_score_is_that_of_scikit_learn():
    pairs = {("a", "b"): 3, ("a", "a"): 2, ("c", "b"): 1, ("b", "b"): 4, ("d", "a"): 1}
    labels, said = zip(*(pair for pair, count in pairs.items() for _ in range(count)), strict=True)
    assert macro_f1(pairs) == pytest.approx(f1_score(labels, said, average="macro", zero_division=0))
    assert accuracy(pairs) == pytest.approx(accuracy_score(labels, said))


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_the_columns_of_a_table_are_those_of_the_training_documents_else_the_usual_ones(trained):
    names = ["ticket_id", "message", "text", "label"]
    assert columns_of(trained, names) == Roles(("text",), "label", None)
    known = replace(trained, columns=Columns(("message",), "team", "ticket_id"))
    assert columns_of(known, names) == Roles(("message",), "label", "ticket_id")
    with pytest.raises(UsageError, match="which column is the text"):
        columns_of(known, ["ticket_id", "stars"])


def test_labels_that_the_model_does_not_have_are_named_and_without_any_other_there_is_no_score():
    def said(*labels):
        tally = Tally(["a", "b"])
        list(tally.watch([[GIVEN._replace(row=Row("", label=label)) for label in labels]]))
        return [sentence.split(":")[0] for sentence in tally.summary(with_coverage=False)]

    none = "none of the file's labels ('A') is a label of the model ('a', 'b'), so there is no accuracy"
    assert said("A", "A") == [f"{none}; 'A' looks like 'a'"]
    some = "1 of 2 rows has a label that the model does not have, which counts as an error"
    assert said("a", "A") == [some, "accuracy 0.5000, macro-F1 0.3333 on 2 rows with a label"]
    assert said("a") == ["accuracy 1.0000, macro-F1 1.0000 on 1 row with a label"]


# Several labels

SEVERAL = PREDICTION._replace(given=(Score("a", 0.75), Score("b", 0.5)), top=(Score("a", 0.75), Score("b", 0.5)))


@pytest.mark.parametrize(
    ("rejection", "unlike", "labels"),
    [
        (Rejection(), True, ("a", "b")),
        (Rejection(below=0.6), False, ("a",)),
        (Rejection(below=0.8), False, ()),
        (Rejection(most=1), False, ("a",)),
        (Rejection(most=9), False, ("a", "b")),
        (Rejection(below=0.6, unlike=True), True, ()),
        (Rejection(unlike=True), False, ("a", "b")),
    ],
)
def test_of_several_labels_each_is_rejected_by_itself(rejection, unlike, labels):
    prediction = SEVERAL._replace(unlike=unlike)
    assert rejection.applied(prediction).labels == labels
    assert not rejection.applies(prediction)


def test_one_label_is_left_as_it_is():
    assert Rejection(below=0.9, most=1).applied(PREDICTION) == PREDICTION


def several_rows(*labels, given=SEVERAL):
    return [Answer(Row("", None, *some[:1], other_labels=some[1:], has_labels=True), given, False) for some in labels]


def test_a_tally_of_several_labels_scores_rows_that_have_labels_or_none():
    tally = Tally(["a", "b"], several=True)
    list(tally.watch([several_rows(("a", "b"), ("b",), ()), [BROKEN], [Answer(Row(""), SEVERAL, False)]]))
    errors = "1 of 5 rows could not be read, the first: f, line 2: no"
    # a: 1 right, 3 given, 1 labelled; b: 2, 3, 2
    score = (
        f"micro-F1 {6 / 9:.4f}, macro-F1 {(2 / 4 + 4 / 5) / 2:.4f}, all labels right for 33.33% of 3 rows with labels"
    )
    assert tally.summary(with_coverage=False) == [errors, score]


def test_rows_without_any_label_have_no_score():
    tally = Tally(["a", "b"], several=True)
    list(tally.watch([several_rows((), ()), [Answer(Row(""), SEVERAL, False)]]))
    assert tally.summary(with_coverage=False) == []


def test_a_row_whose_labels_cannot_be_read_has_no_score():
    tally = Tally(["a", "b"], several=True)
    flags = Roles(("text",), None, None, ("a", "b"))
    rows = [to_row("f:2", {"text": "x", "a": 1, "b": 2}, flags), to_row("f:3", {"text": "x", "a": 1, "b": 1}, flags)]
    list(tally.watch([[Answer(row, SEVERAL, False) for row in rows]]))
    (score,) = tally.summary(with_coverage=False)
    assert score == "micro-F1 1.0000, macro-F1 1.0000, all labels right for 100.00% of 1 row with labels"


def test_foreign_labels_of_several_are_named():
    tally = Tally(["a", "b"], several=True)
    list(tally.watch([several_rows(("a", "b", "C"))]))
    foreign, _ = tally.summary(with_coverage=False)
    assert "'C'" in foreign


@pytest.mark.parametrize("several", [False, True])
def test_tallies_of_two_halves_join_and_survive_json(several):
    given = (Score("a", 0.9),) if several else None
    prediction = Prediction("a", 0.9, (Score("a", 0.9),), 0.0, False, False, given)
    rows = [Row("x", label="a", place="1"), Row("y", label="b", place="2"), Row("", error="no text", place="3")]
    answers = [Answer(row, prediction, False) for row in rows * 3]
    whole, first, second = (Tally(["a", "b"], several=several) for _ in range(3))
    for tally, some in ((whole, answers), (first, answers[:4]), (second, answers[4:])):
        list(tally.watch([some]))
    first.join(Tally.of_json(["a", "b"], json.loads(json.dumps(second.to_json()))))
    assert first.to_json() == whole.to_json()
    assert first.summary(with_coverage=True) == whole.summary(with_coverage=True) != []
