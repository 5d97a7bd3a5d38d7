"""A run that is served: its description, and the answers of its model as JSON."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar, TypeVarTuple

from textclf.errors import UsageError
from textclf.inference.classifier import Classifier, Prediction, Scores, batched
from textclf.inference.explain import explain
from textclf.inference.outputs import Answer, as_json
from textclf.inference.predicting import Rejection
from textclf.serve.asgi import Refused
from textclf.serve.batching import Batcher
from textclf.serve.counting import Counts
from textclf.serve.labelling import Upload, Wanted, label
from textclf.serve.model_card import precisions, sections
from textclf.serve.query import FileQuery, Query
from textclf.sources.document import EMPTY, is_empty

MOST_LARGE: Final = 64  # large requests at the same time
MOST_EXPLAINING: Final = 16  # requests with explain at the same time
MOST_FILES: Final = 8  # that are labelled at the same time
PART_SCORES: Final = 2_000  # labels with their probabilities that are made at a time for a large request
EMPTY_ANSWER: Final[dict[str, Any]] = {"label": None, "probability": None, "top": [], "error": EMPTY}
"""The answer for an empty text, as `textclf predict --format json` has it."""
GIVE_WAY_SECONDS: Final = 0.1
"""How long a large request lets small ones go first, for each of its parts."""

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


class Asked(NamedTuple):
    """What a request asks for."""

    query: Query
    rejection: Rejection
    """When to give no label."""


class Lane:
    """A thread for requests of one kind, one after the other, so that those of another kind do not wait for them."""

    def __init__(self, kind: str, *, most: int) -> None:
        self._kind = kind
        self._most = most
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue; raises Refused if there is none."""
        if self._waiting >= self._most:
            raise Refused(503, f"too many {self._kind} at once; try again")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def run(self, function: Callable[[*Given], Result], *given: *Given) -> Result:
        """Call a function in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *given)

    def finish(self, function: Callable[[], object]) -> None:
        """Call a function in the thread at some time, whatever becomes of the request."""
        self._thread.submit(function)


class ServedRun:
    """A run, and the queues of requests for it."""

    def __init__(self, name: str, classifier: Classifier, card: str, counts: Counts) -> None:
        self.name = name
        self._classifier = classifier
        self._card = card
        self._counts = counts
        self._explaining = Lane("requests with explain", most=MOST_EXPLAINING)
        self._large = Lane("large requests", most=MOST_LARGE)
        self._labelling = Lane("files", most=MOST_FILES)
        self._turn = asyncio.Lock()  # of one large request: another's answer would take memory meanwhile
        self._small = 0  # requests at work
        self._is_quiet = asyncio.Event()
        """Set while no small request is at work."""
        self._is_quiet.set()

    @cached_property
    def _batcher(self) -> Batcher:
        return Batcher(self._classifier, self._counts)

    def description(self) -> dict[str, Any]:
        """The run in the response of `GET /model`."""
        trained = self._classifier.trained
        return {
            "name": self.name,
            "model": trained.model,
            "labels": trained.labels,
            "several": trained.is_multi,
            "trained": dict(trained.trained),
            "card": self._card,
            "precisions": precisions(self._classifier),
            "about": sections(self._classifier),
        }

    async def answer(self, query: Query) -> list[str]:
        """The answer for each text, as JSON.

        Raises Refused if too many requests of this kind wait, or if the precision was not shown.
        """
        asked = Asked(query, self._rejection(query))
        texts = query.all_texts
        self._counts.add_texts(len(texts))
        if query.explain:
            with self._explaining.place():
                return [await self._explaining.run(self._explained, text, asked) for text in texts]
        if query.is_large:
            with self._large.place():
                return await self._large_answers(asked)
        with self._at_small():
            return self._answers(texts, await self._batcher.score(texts), asked)

    def _rejection(self, query: Query | FileQuery) -> Rejection:
        """When to give no label; raises Refused if the precision was not shown."""
        try:
            return Rejection.of(
                self._classifier.trained.abstention, below=query.reject_below, target_precision=query.target_precision
            )
        except UsageError as error:
            raise Refused(422, f"target_precision: {error}") from error

    @contextmanager
    def _at_small(self) -> Iterator[None]:
        """Note that a small request is at work."""
        self._small += 1
        self._is_quiet.clear()
        try:
            yield
        finally:
            self._small -= 1
            if not self._small:
                self._is_quiet.set()

    async def _large_answers(self, asked: Asked) -> list[str]:
        """The answers to a large request, which lets small ones go first, but not for ever."""
        answers: list[str] = []
        async with self._turn:
            for part in _parts(asked.query):
                await self._give_way()
                answers += await self._large.run(self._answers_of, part, asked)
        return answers

    def place_of_file(self) -> AbstractContextManager[None]:
        """A place for a file to be labelled; raises Refused if there is none."""
        return self._labelling.place()

    def wanted(self, query: FileQuery) -> Wanted:
        """What is asked for a file; raises Refused if the precision was not shown."""
        return Wanted(query.column, self._rejection(query), query.preview)

    async def label(self, upload: Upload, wanted: Wanted) -> AsyncIterator[str]:
        """The lines of JSON about a file that `labelling` describes."""
        pieces = label(self._classifier, upload, wanted, watch=self._count_rows)
        try:
            while (piece := await self._labelling.run(next, pieces, None)) is not None:
                yield f"{_json(piece)}\n"
                await self._give_way()
        finally:
            self._labelling.finish(pieces.close)

    def _count_rows(self, batches: Iterable[list[Answer]]) -> Iterator[list[Answer]]:
        for batch in batches:
            self._counts.add_texts(len(batch))
            self._count(None if row.error else (found, rejected) for row, found, rejected in batch)
            yield batch

    def _count(self, answers: Iterable[tuple[Prediction, bool] | None]) -> None:
        self._counts.add_answers(self.name, answers)

    async def _give_way(self) -> None:
        """Let small requests go first, for a while."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_quiet.wait(), GIVE_WAY_SECONDS)

    def _answers_of(self, texts: list[str], asked: Asked) -> list[str]:
        return self._answers(texts, self._classifier.scores(texts), asked)

    def _answers(self, texts: list[str], scores: Scores, asked: Asked) -> list[str]:
        """The answers to texts with these scores, as JSON; they are counted."""
        found = self._predictions(texts, scores, asked)
        self._count(found)
        return [_json(EMPTY_ANSWER if each is None else _record(*each)) for each in found]

    def _explained(self, text: str, asked: Asked) -> str:
        """The answer for a text with the contribution of each word."""
        found = self._predictions([text], self._classifier.scores([text]), asked)
        self._count(found)
        if found[0] is None:
            return _json(EMPTY_ANSWER)
        answer = _record(*found[0])
        explained = explain(self._classifier.trained, text, answer["top"][0]["label"])
        tokens = [token._asdict() for token in explained.tokens]
        about = {"explained": explained.label, "margin": explained.margin, "rest": explained.rest, "tokens": tokens}
        return _json({**answer, **about})

    def _predictions(self, texts: list[str], scores: Scores, asked: Asked) -> list[tuple[Prediction, bool] | None]:
        """The prediction of each text, and whether it is rejected; None for an empty text."""
        named = self._classifier.name(self._classifier.best_of(scores, top_k=asked.query.top_k))
        return [
            None if is_empty(text) else (asked.rejection.applied(found), asked.rejection.applies(found))
            for text, found in zip(texts, named, strict=True)
        ]


def _record(found: Prediction, is_rejected: bool) -> dict[str, Any]:
    """An answer in the response; of several labels, each is left out by itself."""
    answer = as_json(found)
    return (
        answer
        if found.given is not None
        else {**answer, "label": None if is_rejected else found.label, "rejected": is_rejected}
    )


def _parts(query: Query) -> Iterator[list[str]]:
    """The texts of a large request in parts that each take little time."""
    most = max(PART_SCORES // query.top_k, 1)
    for batch in batched(query.all_texts):
        yield from (batch[start : start + most] for start in range(0, len(batch), most))


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, allow_nan=False)
