import pytest

from textclf.cli.display import columns_of, fitted, shortened_to, table


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


@pytest.mark.parametrize("text", ["a" * 30, "日本" * 9, "", "short", "e\u0301" * 20])
@pytest.mark.parametrize("width", [5, 9, 10])
def test_a_long_text_is_cut_in_the_middle(text, width):
    cut = shortened_to(width, text)
    assert columns_of(cut) <= width
    assert cut == text or (cut[0] == text[0] and cut[-1] == text[-1] and "…" in cut)


def test_a_table_leaves_out_columns_until_it_fits():
    columns = {"name": ["n" * 20], "size": ["7"], "age": ["\n"], "state": ["done"]}
    given = {"right": ["size"], "drop": ["size", "age"], "cut": "name"}
    assert fitted(columns, **given, width=80).splitlines()[0].split() == ["name", "size", "age", "state"]
    assert fitted(columns, **given, width=32).splitlines()[0].split() == ["name", "age", "state"]
    assert fitted(columns, **given, width=27).splitlines() == [f"{'name':20}  state", f"{'n' * 20}  done"]
    assert fitted(columns, **given, width=20).splitlines() == [f"{'name':13}  state", "nnnnnn…nnnnnn  done"]
