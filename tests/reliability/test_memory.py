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
        (100_000, 190 * MB),
        pytest.param(300_000, 260 * MB, marks=pytest.mark.long),  # 390 MB with a dictionary of all words
        pytest.param(3_000_000, 600 * MB, marks=pytest.mark.long),
    ],
)
def test_distinct_words_take_little_memory(count: int, most: int) -> None:
    distinct_words(count)
    assert peak([*TEXTCLF, "preprocess", "words.csv"]) < most


LETTERS = "abcdefghijklmnopqrstuvwxyz"
LONG = {
    "one letter": lambda size: "a" * size,
    "letters": lambda size: "".join(random.Random(0).choices(LETTERS, k=size)),
    "short words": lambda size: " ".join(random.Random(0).choices(LETTERS, k=size // 2)),
    "distinct words": lambda size: " ".join(f"{number:x}" for number in range(size // 7)),
    "punctuation": lambda size: "!?" * (size // 2),
    "emoji": lambda size: "👍" * size,
    "marks": lambda size: "a" + "\u0301" * size,
    "Han characters": lambda size: "".join(map(chr, range(0x4E00, 0x4E00 + 20_000))) * (size // 20_000),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("model", ["mlp", "lstm"])
def test_a_long_text_takes_little_memory(kind: str, model: str) -> None:
    text = LONG[kind](9_900_000)
    rows = [f"the {('match', 'bank')[number % 2]} of day {number},{'ab'[number % 2]}" for number in range(60)]
    Path("rows.csv").write_text("\n".join(["text,label", *rows, f'"{text}",a', ""]), encoding="utf-8")
    assert peak([*TEXTCLF, "preprocess", "rows.csv"]) < 600 * MB
    assert peak([*TEXTCLF, "train", "--model", model, "--tier", "full", "--epochs", "1", "--device", "cpu"]) < 900 * MB
    assert peak([*TEXTCLF, "predict", "--input", "rows.csv"]) < 600 * MB
