"""Answers with explanations: as JSON, or on a terminal with words for the label in green and against it in red."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Final

from textclf.inference.classifier import Classifier, Prediction, Score
from textclf.inference.explain import Explanation, explain
from textclf.inference.outputs import as_json
from textclf.system import escaping, failures

_SPACE: Final = re.compile(r"\s")
MOST_WORDS: Final = 10  # listed without colours
LEAST_SHARE: Final = 0.15
"""Share of the strongest contribution in a text below which a word has no colour."""

GREENS: Final = ((0.6, "42;30;1"), (0.3, "42;30"), (LEAST_SHARE, "32"))
"""Least share of the strongest contribution, and its SGR code."""
REDS: Final = ((0.6, "41;37;1"), (0.3, "41;37"), (LEAST_SHARE, "31"))


def write(classifier: Classifier, texts: Iterable[str], *, top_k: int, layout: str) -> None:
    """Write the answers to stdout, one by one, with the contribution of each word to the margin of the label."""
    in_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    answers = ((text, *_answer(classifier, text, top_k)) for text in texts)
    with failures.naming("stdout"):
        for lines in _lines(answers, layout, in_colour=in_colour):
            sys.stdout.write(f"{lines}\n")
            sys.stdout.flush()


def _lines(
    answers: Iterable[tuple[str, Prediction, list[Explanation]]], layout: str, *, in_colour: bool
) -> Iterator[str]:
    """What is written, in pieces of one or more lines."""
    if layout == "json":
        yield escaping.to_json([_record(*answer) for answer in answers], indent=2)
        return
    show = coloured if in_colour else strongest
    for text, prediction, explanations in answers:
        if layout == "jsonl":
            yield escaping.to_json(_record(text, prediction, explanations))
            continue
        if prediction.given is None:
            yield "\t".join(map(_score, prediction.top))
        for score, explanation in zip(_explained(prediction), explanations, strict=True):
            if prediction.given is not None:
                yield _score(score) + ("" if prediction.given else "\t(not given)")
            yield f"  {show(text, explanation)}"


def _score(score: Score) -> str:
    return f"{escaping.line(score.label)}\t{score.probability:.4f}"


def coloured(text: str, explanation: Explanation) -> str:
    """The text on one line, words coloured by their contribution; control characters are escaped."""
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
    """The words with the largest contributions, positive or negative."""
    tokens = sorted(explanation.tokens, key=lambda token: -abs(token.contribution))[:MOST_WORDS]
    return ", ".join(f"{_plain(text[token.start : token.end])} {token.contribution:+.2f}" for token in tokens)


def _answer(classifier: Classifier, text: str, top_k: int) -> tuple[Prediction, list[Explanation]]:
    """The prediction, and an explanation of its label, or of each of its labels."""
    (prediction,) = classifier.predict(text, top_k=top_k)
    return prediction, [explain(classifier.trained, text, score.label) for score in _explained(prediction)]


def _explained(prediction: Prediction) -> tuple[Score, ...]:
    """The label; of several labels those that the text gets or, if there are none, the most probable."""
    return prediction.given or prediction.top[:1]


def _plain(text: str) -> str:
    return escaping.line(_SPACE.sub(" ", text))


def _record(text: str, prediction: Prediction, explanations: list[Explanation]) -> dict[str, object]:
    explained = [
        {
            "margin": explanation.margin,
            "rest": explanation.rest,
            "tokens": [{"text": text[token.start : token.end], **token._asdict()} for token in explanation.tokens],
        }
        for explanation in explanations
    ]
    if prediction.given is None:
        return as_json(prediction) | explained[0]
    named = [{"label": each.label, **about} for each, about in zip(explanations, explained, strict=True)]
    return as_json(prediction) | {"explanations": named}
