import pytest

from textclf.word_vectors import text_file
from textclf.word_vectors.found import Wanted


def read(content: str, *words: str):
    data = content.encode()
    return text_file.read([data[start : start + 7] for start in range(0, len(data), 7)], Wanted(words))


def test_glove_has_no_header():
    found = read("a 1 2\nb 3 5e-1\n", "b", "c")
    assert found.values.tolist() == [[3, 0.5], [0, 0]]
    assert (found.words, found.kind, found.dimension) == (2, "text", 2)


def test_fasttext_has_one_and_spaces_at_the_ends():
    found = read("2 3\nthe 1 2 3 \na\t4\t5\t6\r\n", "a", "the")
    assert found.values.tolist() == [[4, 5, 6], [1, 2, 3]]
    assert (found.words, found.kind) == (2, "text with a header")


def test_a_word_may_contain_spaces():
    assert read("a 1 2\n. . . 3 4\nb 5 6", "b").values.tolist() == [[5, 6]]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("a 1 2\nb 3\n", "line 2 has 1 number, and the lines before it have 2"),
        ("a 1 2\nb 3 4 5\n", "line 2 has 3 numbers"),
        ("2 3\nb 3 4\nc 1 2\n", "line 2 has 2 numbers"),
        ("a 1 2\nb 3 x\n", "line 2 has 'x' where a number should be"),
        ("a 1 2\nb 3 nan\n", "line 2 has a number that is not finite"),
        ("3 2\na 1 2\nb 3 4\n", "it has 2 vectors in place of 3"),
        ("hello\n", "line 1 is no word with numbers"),
        ("", "it has no vectors"),
        ("\n\n", "it has no vectors"),
    ],
)
def test_a_wrong_line_is_named(content, why):
    with pytest.raises(ValueError, match=why):
        read(content, "b")


def test_a_file_without_lines_is_not_read_into_memory():
    with pytest.raises(ValueError, match="more than a million bytes"):
        text_file.read([b"x" * 2**20] * 3, Wanted(["a"]))
