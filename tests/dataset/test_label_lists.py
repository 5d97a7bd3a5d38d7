"""Labels that are lists of labels are told from names that only have a separator."""

import pytest

from textclf.dataset.label_lists import find_label_lists


@pytest.mark.parametrize(
    ("labels", "separator", "lists"),
    [
        (["billing", "cancel", "billing;cancel"], ";", ["billing;cancel"]),
        (["billing", "cancel", "cancel ; billing", "other"], ";", ["cancel ; billing"]),
        (["Drama", "Comedy", "Comedy|Drama", "Action|Sci-Fi"], "|", ["Comedy|Drama"]),
        (["a;b", "b;c"], ";", ["a;b", "b;c"]),
        (["a|b|c", "c|d", "d|a", "x"], "|", ["a|b|c", "c|d", "d|a"]),
        (["low;billing", "high;billing", "low;cancel", "high;cancel"], ";", None),
        (["Action, Drama", "Drama, Comedy", "Comedy, Action"], ",", None),
        (["joy,anger", "joy", "anger"], ",", ["joy,anger"]),
        (["0", "27", "0,27"], ",", ["0,27"]),
        (["['joy', 'anger']", "['fear']"], ",", ["['joy', 'anger']"]),
        (['["joy"]', '["anger"]', '["joy", "anger"]'], ",", ['["joy", "anger"]']),
        (["[0, 5]", "[27]"], ",", ["[0, 5]"]),
        (["[ 0 27]", "[27]", "[0]"], " ", ["[ 0 27]"]),
        (["toxic", "insult", "toxic insult"], " ", ["toxic insult"]),
        (["yes", "no", "yes/no"], "/", ["yes/no"]),
        (["red", "blue", "red+blue"], "+", ["red+blue"]),
        (["red", "blue", "red:blue"], ":", ["red:blue"]),
        (["a", "b", "a\nb"], "\n", ["a\nb"]),
    ],
)
def test_lists_are_found_with_their_separator(labels, separator, lists):
    assert find_label_lists(labels) == (lists or labels, separator)


@pytest.mark.parametrize(
    "labels",
    [
        [],
        ["sport", "money"],
        ["R&D; sales", "billing"],
        ["R&D; sales", "billing; invoices", "support"],
        ["Sci/Tech", "World", "Sports", "Business"],
        ["rec/autos", "rec/hockey", "talk/politics", "talk/religion"],
        ["Home|Kitchen", "Home|Bath", "Garden|Tools", "Garden|Pots"],
        ["Arts, Crafts & Sewing", "Home, Garden & Tools", "Clothing, Shoes & Jewelry"],
        ["Austen, Jane", "James, Henry", "Henry, O.", "Melville, Herman"],
        ["very positive", "positive", "negative", "very negative"],
        ["C", "C++", "C#", "Objective-C"],
        ["A+", "A", "B+", "B"],
        [";", "|", ",", "a;"],
        ["[sport]", "[money]", "(en)"],
        [":-)", ";-)", ":-|"],
        ["1.0", "1.5", "-1"],
        ["2024-01-02", "2024-01-03"],
        ["a", "b", "a/b", "a b", "A+", "A"],
        ["..", "x", "../../x", "."],
        ["Society & Culture", "Society", "Culture"],
    ],
)
def test_names_that_have_a_separator_are_no_lists(labels):
    assert find_label_lists(labels) is None


def test_many_labels_take_no_time():
    assert find_label_lists([f"{number};{number + 1}" for number in range(20_000)]) is not None
    assert find_label_lists([f"label {number}" for number in range(20_000)]) is None
