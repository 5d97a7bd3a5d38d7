"""Which character stands between the fields of delimited text, and what is around them."""

from itertools import product

import pytest

from textclf.errors import UsageError
from textclf.sources import Columns
from textclf.sources.dialect import Dialect, better_dialect, check, find_dialect, records, refuse_dialect, usual

PROSE = "Yes, it works; no, it does not | perhaps, one day; who knows"


def is_header(names):
    return {"text", "label"} <= set(names)


def find(*lines, own=",", asked=Columns(), known=Columns()):  # noqa: B008 (frozen)
    return find_dialect([f"{line}\n" for line in lines], own=own, asked=asked, known=known, is_header=is_header)


@pytest.mark.parametrize(("delimiter", "own"), list(product(",;|\t", ",\t")))
def test_a_plain_delimiter_is_found_whatever_the_format(delimiter, own):
    assert find(f"text{delimiter}label", f"some words{delimiter}a", f"others{delimiter}b", own=own) == usual(delimiter)
    assert find(f"text{delimiter}label", own=own) == usual(delimiter)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["text;label", "one, two, three;a", "four, five;b"], ";"),
        (["text;label", "1,5;a", "2,5;b"], ";"),
        (["label;text", f'a;"{PROSE}"', f'b;"{PROSE}"'], ";"),
        (["text,label", "one; two,a", "three; four,b"], ","),
        (["text,label", f'"{PROSE}",a', f'"{PROSE}",b'], ","),
        (["text", PROSE, PROSE], ","),
        (["text"], ","),
        ([], ","),
        (["", "", "text|label", "one|a"], "|"),
        (["text, original;label", "one;a", "two;b"], ";"),
        (["text;label", "one;a", "two", *["three;b"] * 20], ";"),
        (["comments; remarks", PROSE, "nothing"], ","),
        (["a;b|c", "1;2|3", "4;5|6"], ","),
        (['text;"a label"', '"one;\ntwo";a', "three;b"], ";"),
    ],
    ids=repr,
)
def test_it_is_found_where_it_is_plain_and_never_in_prose(lines, found):
    assert find(*lines).delimiter == found


@pytest.mark.parametrize(
    ("lines", "names", "found"),
    [
        (["ham;one, two", "spam;three"], ("label", "text"), ";"),
        (["ham\tone; two", "spam\tthree"], ("label", "text"), "\t"),
        (["ham,one;two", "spam,three;four"], ("label", "text"), ","),
        ([PROSE, PROSE], ("text",), ","),
        (["a;b;c", "d;e;f"], ("label", "text"), ","),
    ],
)
def test_without_a_header_it_gives_as_many_fields_as_there_are_names(lines, names, found):
    assert find(*lines, asked=Columns(names=names)).delimiter == found


@pytest.mark.parametrize(
    ("asked", "known", "found"),
    [
        (Columns(delimiter="|"), Columns(), Dialect("|", '"')),
        (Columns(delimiter="\t"), Columns(), Dialect("\t", "")),
        (Columns(delimiter="\t", quote='"'), Columns(), Dialect("\t", '"')),
        (Columns(quote="'"), Columns(), Dialect(";", "'")),
        (Columns(), Columns(delimiter=";", quote="'"), Dialect(";", "'")),
        (Columns(), Columns(delimiter="|", quote="'"), Dialect(";", '"')),
        (Columns(quote=""), Columns(delimiter=";", quote="'"), Dialect(";", "")),
        (Columns(), Columns(delimiter="x", quote=""), Dialect(";", '"')),
        (Columns(delimiter="|"), Columns(delimiter=";", quote="'"), Dialect("|", '"')),
    ],
)
def test_what_is_asked_for_comes_first_and_then_what_is_known(asked, known, found):
    assert find("text;label", "one;a", "two;b", asked=asked, known=known) == found


def test_a_delimiter_of_the_training_documents_may_be_any_character():
    assert find("text^label", "one^a", known=Columns(delimiter="^", quote="")) == Dialect("^", "")


@pytest.mark.parametrize(
    ("lines", "dialect", "options"),
    [
        (["a,b", "1,2"], usual(","), None),
        (["a;'b; c'", "d;'e; f; g'"], usual(","), "--delimiter ';' --quote \"'\""),
        (['a\t"b\tc"', 'd\t"e\tf\tg"'], usual("\t"), "--quote '\"'"),
        (['a,"b" c', 'd,"e" f'], usual(","), "--quote none"),
        (["a|b", "c|d"], usual(","), "--delimiter '|'"),
        (["a\tb", "c\td"], usual(","), "--delimiter tab"),
        ([PROSE, "another"], usual(","), None),
        (["a;b"], usual(","), None),
    ],
)
def test_lines_that_do_not_fit_have_advice_where_another_dialect_fits_all(lines, dialect, options):
    better = better_dialect([f"{line}\n" for line in lines], dialect)
    assert (better and better.options(dialect)) == options


def test_records_of_first_lines_are_read_as_far_as_they_go():
    assert records(["a,b\n", '"x"y,z\n', "\n", "c,d\n", '"e\n'], usual(",")) == [["a", "b"], [], ["c", "d"]]
    assert records(['a\t"b\n', '"c"\td\n'], usual("\t")) == [["a", '"b'], ['"c"', "d"]]


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        (Columns(delimiter=""), "--delimiter '': it must be one character"),
        (Columns(delimiter="||"), "--delimiter '||': it must be one character"),
        (Columns(delimiter="\n"), "--delimiter '\\n': it must be one character"),
        (Columns(quote='""'), "it must be one character"),
        (Columns(delimiter=";", quote=";"), "--delimiter and --quote are both ';'"),
        (Columns(names=("a", "b", "a")), "--columns: 'a' must be a name, and come once"),
        (Columns(names=("a", "")), "--columns: '' must be a name"),
    ],
)
def test_what_cannot_be_a_dialect_is_refused(columns, part):
    with pytest.raises(UsageError) as caught:
        check(columns)
    assert part in str(caught.value)


def test_a_dialect_is_refused_where_there_is_no_delimited_text():
    refuse_dialect(Columns(("text",), "label", encoding="cp1252"), "f.jsonl")
    for columns in (Columns(delimiter=";"), Columns(quote=""), Columns(names=("text",))):
        with pytest.raises(UsageError, match=r"f\.jsonl is not delimited text: leave out --delimiter, --quote and"):
            refuse_dialect(columns, "f.jsonl")
