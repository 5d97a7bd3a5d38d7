import io
import json

import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, f1_score

from textclf.inference import outputs
from textclf.inference.classifier import Prediction, Score
from textclf.inference.outputs import Answer, Shape, Tally
from textclf.sources.lines import Row

TOP = (Score("a\tb\n c", 0.987654321), Score("=1+1", 0.25))
PREDICTION = Prediction(*TOP[0], TOP, unknown=0.5, truncated=True, unlike=False)
GIVEN = Answer(Row("", "7", "x"), PREDICTION, rejected=False)
REJECTED = GIVEN._replace(rejected=True)
BROKEN = GIVEN._replace(row=Row("", None, None, "f, line 2: no"))
SHAPE = Shape(top=2, probabilities=True, ids=True, rejects=True, details=True)


def written(layout, given=(GIVEN, REJECTED, BROKEN), **more):
    out = io.StringIO(newline="")
    outputs.LINES[layout]([list(given[:1]), list(given[1:])] if given else [], out, SHAPE._replace(**more))
    return out.getvalue()


def test_a_label_stays_on_its_line():
    assert written("text") == "a b  c\t0.9877\t=1+1\t0.2500\n\n\n"
    assert written("text", top=1).split("\n") == ["a b  c", "", "", ""]
    assert written("fasttext") == "__label__a_b__c 0.987654 __label__=1+1 0.25\n\n\n"
    assert written("fasttext", probabilities=False).startswith("__label__a_b__c __label__=1+1\n")


def test_csv_has_each_answer_in_a_row_as_it_is():
    first, *rows = written("csv").split("\n", 1)
    assert first == "id,label,probability,label_2,probability_2,unknown,truncated,unlike,rejected,error"
    assert rows == [
        '7,"a\tb\n c",0.987654,=1+1,0.250000,0.500000,true,false,false,\n'
        "7,,0.987654,=1+1,0.250000,0.500000,true,false,true,\n"
        ',,,,,,,,,"f, line 2: no"\n'
    ]
    only = GIVEN._replace(prediction=PREDICTION._replace(top=TOP[1:], label="=1+1"))
    assert (
        written("csv", (only,), top=1, ids=False, rejects=False, details=False) == "label,probability\n=1+1,0.250000\n"
    )


def test_json_of_any_number_of_answers_is_one_array():
    assert written("json", ()) == "[]\n"
    values = json.loads(written("json"))
    assert values == [json.loads(line) for line in written("jsonl").splitlines()]
    assert [value["label"] for value in values] == ["a\tb\n c", None, None]
    assert values[1]["rejected"]
    assert values[2] == {"id": None, "label": None, "probability": None, "top": [], "error": "f, line 2: no"}


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5])
def test_parquet_has_all_answers_whatever_the_size_of_its_groups(count, tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "PARQUET_ROWS", 2)
    given = [GIVEN, REJECTED, BROKEN, GIVEN, BROKEN][:count]
    outputs.write_parquet([given[:1], given[1:]], tmp_path / "out", SHAPE)
    table = pq.read_table(tmp_path / "out")
    assert table.column("label").to_pylist() == [each.label for each in given]
    assert table.column("error").to_pylist() == [each.row.error for each in given]
    assert pq.ParquetFile(tmp_path / "out").num_row_groups == (count + 1) // 2


def test_the_score_is_that_of_scikit_learn():
    pairs = {("a", "b"): 3, ("a", "a"): 2, ("c", "b"): 1, ("b", "b"): 4, ("d", "a"): 1}
    labels, said = zip(*(pair for pair, count in pairs.items() for _ in range(count)), strict=True)
    assert outputs.macro_f1(pairs) == pytest.approx(f1_score(labels, said, average="macro", zero_division=0))
    assert outputs.accuracy(pairs) == pytest.approx(accuracy_score(labels, said))


def test_a_tally_counts_what_has_an_answer():
    tally = Tally()
    assert [len(batch) for batch in tally.watch([[GIVEN, REJECTED], [BROKEN]])] == [2, 1]
    assert (tally.rows, tally.errors, tally.rejected, tally.first_error) == (3, 1, 1, "f, line 2: no")
    assert tally.score() == "accuracy 0.0000, macro-F1 0.0000 on the 1 that have one and a label"
    only = Tally()
    list(only.watch([[REJECTED]]))
    assert only.score() == "none of 1 rows with a label has an answer"
    assert Tally().score() is None
