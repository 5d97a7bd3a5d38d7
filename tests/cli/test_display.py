import pytest

from textclf.cli.display import columns_of, table


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("\uff57", 2),
        ("abc", 3),
        ("né", 2),
        ("e\u0301", 1),
        ("日本", 4),
        ("שלום", 4),
        ("می\u200cخ", 3),
        ("🚀", 2),
    ],
)
def test_a_text_takes_the_columns_of_its_characters(text, columns):
    assert columns_of(text) == columns


def test_columns_stay_aligned_whatever_is_in_a_cell():
    cells = ["日本", "plain", "a\nb\x1b", "ne\u0301"]
    lines = table(("label", "n"), [(cell, "7") for cell in cells], align="<>").split("\n")
    assert len(lines) == len(cells) + 1
    assert {columns_of(line) for line in lines} == {len("a\\nb\\x1b  7")}
    assert all(line.endswith(" 7") for line in lines[1:])
