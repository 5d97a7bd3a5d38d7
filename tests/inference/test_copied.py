import datetime
import json

import pytest

from textclf.errors import DataError
from textclf.inference import copied
from textclf.sources import Row
from textclf.sources.readers import JSON


def test_no_field_of_an_answer_takes_the_name_of_a_column():
    fields = ["label", "probability", "error"]
    assert copied.names_of_answer(fields, ["id"], all_columns=False) == {name: name for name in fields}
    names = copied.names_of_answer(
        fields, ["probability", "predicted_label", "predicted_predicted_label"], all_columns=True
    )
    assert list(names.values()) == ["predicted_predicted_predicted_label", "predicted_probability", "error"]


def test_numbers_are_numbers_again_and_only_json_is_left():
    text = '{"a": [1, -0.5, 1e3, "1", true, null], "b": {"c": {}}}'
    assert copied.as_json(Row("", record=JSON.decode(text))) == json.loads(text)
    record = {"when": datetime.date(2026, 1, 2), "nan": float("nan"), "pairs": [("a", 1)], "bytes": b"x"}
    found = copied.as_json(Row("", record=record))
    assert found == {"when": "2026-01-02", "nan": None, "pairs": [["a", 1]], "bytes": "b'x'"}
    huge = JSON.decode('{"int": ' + "9" * 5_000 + ', "float": 1e999}')
    assert copied.as_json(Row("", record=huge)) == huge, "as it is spelled: Python has no such numbers"


def test_what_is_nested_too_deeply_is_refused_with_its_place():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(DataError, match=r"^f:3: nested too deeply to be copied; leave out --keep-columns$"):
        copied.as_json(Row("", place="f:3", record={"deep": deep}))


@pytest.mark.parametrize(
    ("value", "cell"),
    [(None, ""), ("01", "01"), (1.5, "1.5"), (True, "true"), (["a", 1], '["a", 1]'), ({"a": None}, '{"a": null}')],
)
def test_a_value_is_one_cell(value, cell):
    assert copied.as_text(value) == cell
