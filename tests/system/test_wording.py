import pytest

from textclf.system.wording import counted


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ("0 texts", "0 copies", "0 texts have")),
        (1, ("1 text", "1 copy", "1 text has")),
        (2, ("2 texts", "2 copies", "2 texts have")),
        (1000, ("1,000 texts", "1,000 copies", "1,000 texts have")),
    ],
)
def test_a_count_has_the_singular_or_the_plural(count, expected):
    assert (
        counted(count, "text"),
        counted(count, "copy", "copies"),
        counted(count, "text has", "texts have"),
    ) == expected
