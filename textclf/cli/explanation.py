"""Explained predictions on the terminal: words that speak for the label on green, those against it on red."""

import json
import os
import sys
from collections.abc import Iterable
from typing import Final

import click

from textclf.inference.classifier import Classifier, Prediction
from textclf.inference.explain import Explanation, explain

STRONGEST: Final = 10  # words that are listed where there is no colour
FAINT: Final = 0.15  # of the strongest contribution of a text: below, a word is not coloured

GREENS: Final = ((0.6, "42;30;1"), (0.3, "42;30"), (FAINT, "32"))  # from which share on; SGR codes
REDS: Final = ((0.6, "41;37;1"), (0.3, "41;37"), (FAINT, "31"))


def write(classifier: Classifier, texts: Iterable[str], *, top_k: int, layout: str) -> None:
    """Answer texts one by one, with what each word adds to the margin of the label."""
    if layout == "json":
        records = [_record(text, *_answer(classifier, text, top_k)) for text in texts]
        click.echo(json.dumps(records, ensure_ascii=False, indent=2))
        return
    in_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for text in texts:
        prediction, explanation = _answer(classifier, text, top_k)
        if layout == "jsonl":
            click.echo(json.dumps(_record(text, prediction, explanation), ensure_ascii=False))
        else:
            scores = "\t".join(f"{label}\t{probability:.4f}" for label, probability in prediction.top)
            shown = coloured(text, explanation) if in_colour else strongest(text, explanation)
            click.echo(f"{scores}\n  {shown}")


def coloured(text: str, explanation: Explanation) -> str:
    """The text on one line, its words in the colours of what they add; control characters are shown as ``?``."""
    largest = max((abs(token.contribution) for token in explanation.tokens), default=0) or 1
    pieces, end = [], 0
    for token in explanation.tokens:
        shades = GREENS if token.contribution > 0 else REDS
        code = next((code for share, code in shades if abs(token.contribution) >= share * largest), None)
        word = _plain(text[token.start : token.end])
        pieces += [_plain(text[end : token.start]), f"\x1b[{code}m{word}\x1b[0m" if code else word]
        end = token.end
    return "".join([*pieces, _plain(text[end:])])


def strongest(text: str, explanation: Explanation) -> str:
    """The words that add or take the most, each with how much."""
    tokens = sorted(explanation.tokens, key=lambda token: -abs(token.contribution))[:STRONGEST]
    return ", ".join(f"{_plain(text[token.start : token.end])} {token.contribution:+.2f}" for token in tokens)


def _answer(classifier: Classifier, text: str, top_k: int) -> tuple[Prediction, Explanation]:
    (prediction,) = classifier.predict(text, top_k=top_k)
    return prediction, explain(classifier.trained, text, prediction.label)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def _record(text: str, prediction: Prediction, explanation: Explanation) -> dict[str, object]:
    tokens = [{"text": text[token.start : token.end], **token._asdict()} for token in explanation.tokens]
    return {
        **prediction._asdict(),
        "top": [score._asdict() for score in prediction.top],
        "margin": explanation.margin,
        "rest": explanation.rest,
        "tokens": tokens,
    }
