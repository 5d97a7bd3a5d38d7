"""Texts of every odd kind, the same in every run."""

import random

PIECES = (
    "",
    " ",
    "\t\n\r\x0b\x0c",
    "\0",
    "\ud800",
    "\udfff\ud83d",
    "\U0001f600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u202eright to left\u202c",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\u6771\u4eac\u7279\u8a31\u8a31\u53ef\u5c40",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "e\u0301\u0327 \ufb01 \u0130\u0131 \u00df\u1e9e",
    "a" * 1001,
    "1e308 -0 NaN 0x1F \u0663\u0664",
    "<b>&amp;\x1b[31m",
    "\ufeff\u2028\u2029\u200b\u00ad",
    "it's don\u2019t rock'n'roll e-mail a_b x@y.z http://x.y/?q=1#z",
    "THE Cat SAT",
)


def odd_texts(count: int, *, words: list[str], seed: int = 0) -> list[str]:
    """Texts of words, odd pieces, and any characters; some empty, a few of a hundred thousand characters."""
    draw = random.Random(seed)
    return [_odd_text(draw, number, words) for number in range(count)]


def _odd_text(draw: random.Random, number: int, words: list[str]) -> str:
    if number % 200 == 199:
        return " ".join(draw.choices(words, k=20_000))
    pieces = [
        draw.choice((draw.choice(words), draw.choice(PIECES), "".join(map(chr, draw.choices(range(0x110000), k=5)))))
        for _ in range(draw.randrange(30))
    ]
    return draw.choice(("", " ", "\n")).join(pieces)
