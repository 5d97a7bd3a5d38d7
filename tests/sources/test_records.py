"""Lines of delimited text become records, and rows that a quote has swallowed are found."""

import pytest

from textclf.sources.dialect import usual
from textclf.sources.records import Record, Records, rows_within

CSV = usual(",")


def numbered(*texts):
    return [(number, f"{text}\n", None) for number, text in enumerate(texts, start=1)]


def read(*texts, dialect=CSV, **options):
    return list(Records(iter(numbered(*texts)), "f", dialect, **options))


def test_records_have_their_lines_if_there_are_several():
    found = read("a,b", '"c', 'd",e', "")
    assert found == [
        Record(1, ["a", "b"], None),
        Record(2, ["c\nd", "e"], None, ((2, '"c\n', None), (3, 'd",e\n', None))),
        Record(4, [], None),
    ]


def test_after_a_broken_record_the_lines_after_its_first_are_read():
    found = read('"a', '"b"c', "d")
    assert [(record.number, record.fields, bool(record.error)) for record in found] == [
        (1, [], True),
        (2, [], True),
        (3, ["d"], False),
    ]


def test_without_quotes_a_line_is_a_record():
    assert [record.fields for record in read('"a', 'b" "c', dialect=usual("\t"))] == [['"a'], ['b" "c']]


def test_lines_can_be_read_again_before_those_that_follow():
    records = Records(iter(numbered('"a', 'b"', "c")), "f", CSV)
    found = []
    for record in records:
        found.append(record.fields)
        if record.number == 1:
            records.read_again(record.lines[1:])
    assert found == [["a\nb"], ['b"'], ["c"]]


SWALLOWED = [
    (['neg,"Best buy', "pos,nice", 'neg,great"'], 0, {"pos", "neg"}, True),
    (['neg,"Best buy', 'pos,great"'], 0, {"pos", "neg"}, True),
    (['"Best buy,neg', "nice,pos", 'great",neg'], 1, {"pos", "neg"}, True),
    (['"Best buy,neg', 'great",pos'], 1, {"pos", "neg"}, True),
    (['neg,"Best buy', "", "pos,nice", 'pos,great"'], 0, {"pos", "neg"}, True),
    (['neg,"Best buy', "pos,nice", "pos,nice", 'neg,great"'], 0, set(), None),
    (['"neg","Best buy', '"pos",nice', 'pos,"great"'], 0, {"pos", "neg"}, None),
    # a text of several lines
    (['neg,"Dear all', "I bought this, and", 'it broke, sadly"'], 0, {"pos", "neg"}, None),
    (['neg,"Dear all,', "I bought this, and", "", "it broke.", 'Yours"'], 0, {"pos", "neg"}, False),
    (['"two', 'lines",neg'], 1, {"neg"}, False),
    (['"two, and', 'lines",neg'], 1, {"neg"}, None),
    (['"', '",b'], 1, {"b", ""}, False),
    (['neg,"no comma', "here", 'or there"'], 0, {"pos", "neg"}, False),
    # without a label
    (['1,"Best buy', "2,nice", '3,great"'], None, set(), None),
    (['1,"Dear all,', "2,nice", '3,great"'], None, set(), False),
]


@pytest.mark.parametrize(("lines", "label_at", "labels", "expected"), SWALLOWED)
def test_rows_within_a_record_are_told_from_a_text_of_several_lines(lines, label_at, labels, expected):
    try:
        (record,) = read(*lines)
    except ValueError:
        assert expected is None  # a quote within the quotes has broken the record anyway
        return
    assert rows_within(record, CSV, width=2, label_at=label_at, labels=labels) is expected


def test_in_one_column_each_line_could_be_a_row():
    (record,) = read('"one', 'two"')
    assert rows_within(record, CSV, width=1, label_at=None, labels=set()) is None
