import io
import json

import pyarrow.parquet as pq
import pytest

from textclf.inference import outputs
from textclf.inference.classifier import Prediction, Score
from textclf.inference.outputs import Answer, Fields
from textclf.sources import Row

TOP = (Score("a\tb\n c", 0.987654321), Score("=1+1", 0.25))
PREDICTION = Prediction(*TOP[0], TOP, unknown=0.5, truncated=True, unlike=False)
GIVEN = Answer(Row("", "7", "x"), PREDICTION, rejected=False)
REJECTED = GIVEN._replace(rejected=True)
BROKEN = GIVEN._replace(row=Row("", None, None, "f, line 2: no"))
FIELDS = Fields(top_k=2, probabilities=True, ids=True, rejected=True, details=True)


def written(layout, given=(GIVEN, REJECTED, BROKEN), **more):
    out = io.StringIO(newline="")
    outputs.WRITERS[layout]([list(given[:1]), list(given[1:])] if given else [], out, FIELDS._replace(**more))
    return out.getvalue()


def test_a_label_stays_on_its_line():
    assert written("text") == "a b  c\t0.9877\t=1+1\t0.2500\n\n\n"
    assert written("text", top_k=1).split("\n") == ["a b  c", "", "", ""]
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
        written("csv", (only,), top_k=1, ids=False, rejected=False, details=False)
        == "label,probability\n=1+1,0.250000\n"
    )


def test_a_spreadsheet_gets_no_formula_and_no_line_break():
    assert written("spreadsheet").split("\n")[1:3] == [
        "7,a\\tb\\n c,0.987654,'=1+1,0.250000,0.500000,true,false,false,",
        "7,,0.987654,'=1+1,0.250000,0.500000,true,false,true,",
    ]


@pytest.mark.parametrize("layout", ["text", "fasttext", "json", "jsonl", "spreadsheet"])
def test_what_people_read_has_no_control_characters(layout):
    top = (Score("\x1b[2J\u202e\x9b", 0.5),)
    given = GIVEN._replace(prediction=PREDICTION._replace(top=top, label=top[0].label))
    assert not set(written(layout, (given,), top_k=1)) & {"\x1b", "\u202e", "\x9b"}
    assert top[0].label in written("csv", (given,), top_k=1)


def test_json_of_any_number_of_answers_is_one_array():
    assert written("json", ()) == "[]\n"
    values = json.loads(written("json"))
    assert values == [json.loads(line) for line in written("jsonl").splitlines()]
    assert [value["label"] for value in values] == ["a\tb\n c", None, None]
    assert values[1]["rejected"]
    assert values[2] == {"id": None, "label": None, "probability": None, "top": [], "error": "f, line 2: no"}


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5])
def test_parquet_has_all_answers_whatever_the_size_of_its_groups(count, tmp_path):
    given = [GIVEN, REJECTED, BROKEN, GIVEN, BROKEN][:count]
    outputs.write_parquet([given[:1], given[1:]], tmp_path / "out", FIELDS, group_rows=2)
    table = pq.read_table(tmp_path / "out")
    assert table.column("label").to_pylist() == [each.label for each in given]
    assert table.column("error").to_pylist() == [each.row.error for each in given]
    assert pq.ParquetFile(tmp_path / "out").num_row_groups == (count + 1) // 2
