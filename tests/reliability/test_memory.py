"""Memory does not grow with the number of distinct words or the length of a text as it would in a dictionary."""

import random
import sys
from pathlib import Path

import pytest

from tests.reliability.memory import MB, peak

TEXTCLF = [sys.executable, "-m", "textclf"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")


def distinct_words(count: int, *, per_text: int = 100) -> None:
    """Write words.csv: texts of words that no other text has, of six to eight letters."""
    draw = random.Random(0)
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.choice((6, 7, 7, 8))))] = None
    texts = list(words)
    rows = [" ".join(texts[start : start + per_text]) for start in range(0, count, per_text)]
    Path("words.csv").write_text("text,label\n" + "".join(f"{row},{'ab'[n % 2]}\n" for n, row in enumerate(rows)))


@pytest.mark.parametrize(
    ("count", "most"),
    [
        pytest.param(300_000, 260 * MB),  # 390 MB with a dictionary of all words
        pytest.param(3_000_000, 600 * MB, marks=pytest.mark.long),
    ],
)
def test_distinct_words_take_little_memory(count: int, most: int) -> None:
    distinct_words(count)
    assert peak([*TEXTCLF, "preprocess", "words.csv"]) < most
