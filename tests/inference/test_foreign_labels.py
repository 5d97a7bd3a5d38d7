"""Labels of a file that the model does not have are counted, named, and compared with its own."""

import pytest

from textclf.inference.foreign_labels import alike, describe_foreign


@pytest.mark.parametrize(
    ("label", "labels", "expected"),
    [
        ("1.0", ["0", "1"], "1"),
        ("1", ["0.0", "1.0"], "1.0"),
        ("01", ["0", "1"], "1"),
        ("-1", ["1", "-1.0"], "-1.0"),
        ("-1", ["1", "0"], None),
        ("10", ["1.0", "0"], None),
        ("1e0", ["1"], "1"),
        ("True", ["false", "true"], "true"),
        ("True", ["1", "true"], "true"),
        ("TRUE", ["0", "1"], "1"),
        ("Sport", ["money", "sport"], "sport"),
        (" sport ", ["money", "sport"], "sport"),
        ("__label__sport", ["money", "sport"], "sport"),
        ("sci_tech", ["Sci/Tech"], "Sci/Tech"),
        ("É", ["é"], "é"),
        ("nan", ["inf"], None),
        ("🙂", ["🙃"], None),
        ("", ["x"], None),
        ("sport", [], None),
    ],
)
def test_a_label_looks_like_one_of_another_spelling(label, labels, expected):
    assert alike(label, labels) == expected


def test_without_foreign_labels_there_is_nothing_to_say():
    assert describe_foreign({"a": 3}, {"a", "b"}) is None
    assert describe_foreign({}, {"a"}) is None


def test_none_of_the_labels_is_known():
    assert describe_foreign({"0.0": 3, "1.0": 2}, {"0", "1"}) == (
        "none of the file's labels ('0.0', '1.0') is a label of the model ('0', '1'), so there is no accuracy; "
        "'0.0' looks like '0', '1.0' looks like '1'"
    )
    assert describe_foreign({"up": 3}, {"0", "1"}) == (
        "none of the file's labels ('up') is a label of the model ('0', '1'), so there is no accuracy; "
        "name another --label-column, or the run that was trained on these labels with --run"
    )


def test_some_of_the_labels_are_unknown_and_the_most_frequent_are_named_first():
    assert describe_foreign({"a": 90, "A": 3, "c": 7}, {"a", "b"}) == (
        "10 of 100 rows have a label that the model does not have, which counts as an error: 'c' (7), 'A' (3); "
        "'A' looks like 'a'"
    )


def test_many_and_odd_labels_make_one_short_line():
    labels = {f"\x1b[2J\n{'x' * 1_000}{number}": number for number in range(1, 1_000)}
    for counts in (labels, {**labels, "a": 1}):
        said = describe_foreign(counts, {"a", "b"})
        assert said.isprintable()
        assert len(said) < 700
        assert "and 994 more" in said
