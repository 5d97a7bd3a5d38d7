import io
import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from textclf.artefacts import loading
from textclf.inference import outputs
from textclf.inference.classifier import Prediction, Score
from textclf.inference.outputs import Answer, Fields
from textclf.sources import Row

TOP = (Score("a\tb\n c", 0.987654321), Score("=1+1", 0.25))
PREDICTION = Prediction(*TOP[0], TOP, unknown=0.5, truncated=True, unlike=False)
GIVEN = Answer(Row("", "7", "x"), PREDICTION, rejected=False)
REJECTED = GIVEN._replace(rejected=True)
BROKEN = GIVEN._replace(row=Row("", None, None, "f, line 2: no"))
FIELDS = Fields(top_k=2, probabilities=True, id="id", rejected=True, details=True)


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
        written("csv", (only,), top_k=1, id=None, rejected=False, details=False) == "label,probability\n=1+1,0.250000\n"
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


SEVERAL = GIVEN._replace(prediction=PREDICTION._replace(given=TOP))
NONE = SEVERAL._replace(prediction=PREDICTION._replace(given=()))
WITH_ERROR = SEVERAL._replace(row=BROKEN.row)
ALL = (SEVERAL, NONE, WITH_ERROR)


@pytest.mark.parametrize(
    ("layout", "more", "expected"),
    [
        ("text", {"top_k": 1}, "a b  c\t=1+1\n\n\n"),
        ("text", {}, "a b  c\t0.9877\t=1+1\t0.2500\n\n\n"),
        ("fasttext", {"probabilities": False}, "__label__a_b__c __label__=1+1\n\n\n"),
        ("fasttext", {}, "__label__a_b__c 0.987654 __label__=1+1 0.25\n\n\n"),
        (
            "csv",
            {},
            "id,labels,probabilities,unknown,truncated,unlike,error\n"
            '7,"a\tb\n c;=1+1",0.987654;0.250000,0.500000,true,false,\n7,,,0.500000,true,false,\n'
            ',,,,,,"f, line 2: no"\n',
        ),
        ("csv", {"id": None, "details": False, "separator": "|"}, None),
        (
            "spreadsheet",
            {},
            "id,labels,probabilities,unknown,truncated,unlike,error\n"
            "7,a\\tb\\n c;=1+1,0.987654;0.250000,0.500000,true,false,\n7,,,0.500000,true,false,\n"
            ',,,,,,"f, line 2: no"\n',
        ),
    ],
)
def test_several_labels_are_on_one_line_and_none_is_an_empty_answer(layout, more, expected):
    found = written(layout, ALL[: 2 if expected is None else 3], **{"separator": ";", "rejected": False, **more})
    assert found == (expected or 'labels,probabilities\n"a\tb\n c|=1+1",0.987654|0.250000\n,\n')


def test_several_labels_are_a_list_in_json():
    answers = [json.loads(line) for line in written("jsonl", ALL, separator=";", rejected=False).splitlines()]
    assert answers == json.loads(written("json", ALL, separator=";", rejected=False))
    assert [answer["labels"] for answer in answers] == [["a\tb\n c", "=1+1"], [], []]
    assert [answer["probabilities"] for answer in answers] == [[0.987654321, 0.25], [], []]
    assert answers[0].keys() == {"id", "labels", "probabilities", "top", "unknown", "truncated", "unlike"}
    assert answers[0]["top"] == answers[1]["top"] == [score._asdict() for score in TOP]
    assert answers[2] == {"id": None, "labels": [], "probabilities": [], "top": [], "error": "f, line 2: no"}


def test_several_labels_are_a_list_in_parquet(tmp_path):
    outputs.write_parquet([list(ALL)], tmp_path / "out", FIELDS._replace(separator=";", rejected=False))
    table = pq.read_table(tmp_path / "out")
    assert table.column("labels").to_pylist() == [["a\tb\n c", "=1+1"], [], None]
    assert table.column("probabilities").to_pylist() == [[0.987654321, 0.25], [], None]
    assert table.column("error").to_pylist() == [None, None, "f, line 2: no"]


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
@pytest.mark.parametrize(
    ("labels", "learned", "expected"),
    [
        (["a", "b"], None, ";"),
        (["a", "b"], "|", "|"),
        (["R&D; sales", "b"], None, "|"),
        (["R&D; sales", "a|b"], None, "\t"),
    ],
)
def test_labels_in_a_cell_are_separated_by_what_no_label_has(labels, learned, expected, several_run):
    trained = loading.load(several_run / "model")
    columns = replace(trained.columns, separator=learned)
    assert outputs.separator_of(replace(trained, labels=labels, columns=columns)) == expected


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_one_label_needs_no_separator(trained):
    assert outputs.separator_of(trained) is None


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5])
def test_parquet_has_all_answers_whatever_the_size_of_its_groups(count, tmp_path):
    given = [GIVEN, REJECTED, BROKEN, GIVEN, BROKEN][:count]
    outputs.write_parquet([given[:1], given[1:]], tmp_path / "out", FIELDS, group_rows=2)
    table = pq.read_table(tmp_path / "out")
    assert table.column("label").to_pylist() == [each.label for each in given]
    assert table.column("error").to_pylist() == [each.row.error for each in given]
    assert pq.ParquetFile(tmp_path / "out").num_row_groups == (count + 1) // 2
