"""A run that is served: its description, and the answers of its model as JSON."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from typing import Any, Final, TypeVar, TypeVarTuple

from textclf.inference.classifier import Classifier, Scores, batched
from textclf.inference.explain import explain
from textclf.inference.outputs import as_json
from textclf.inference.predicting import Rejection
from textclf.serve.asgi import Refused
from textclf.serve.batching import Batcher
from textclf.serve.counting import Counts
from textclf.serve.labelling import Upload, label
from textclf.serve.query import Query
from textclf.sources.document import EMPTY, is_empty

MOST_LARGE: Final = 64  # large requests at the same time
MOST_EXPLAINING: Final = 16  # requests with explain at the same time
MOST_FILES: Final = 8  # that are labelled at the same time
PART_SCORES: Final = 2_000  # labels with their probabilities that are made at a time for a large request
EMPTY_ANSWER: Final = json.dumps({"label": None, "probability": None, "top": [], "error": EMPTY})
"""The answer for an empty text, as `textclf predict --format json` has it."""
GIVE_WAY_SECONDS: Final = 0.1
"""How long a large request lets small ones go first, for each of its parts."""

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


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
        }

    async def answer(self, query: Query) -> list[str]:
        """The answer for each text, as JSON; raises Refused if too many requests of this kind wait."""
        texts = query.all_texts
        self._counts.add_texts(len(texts))
        answers = await self._answers_to(query, texts)
        return [EMPTY_ANSWER if is_empty(text) else answer for text, answer in zip(texts, answers, strict=True)]

    async def _answers_to(self, query: Query, texts: list[str]) -> list[str]:
        if query.explain:
            with self._explaining.place():
                return [await self._explaining.run(self._explained, text, query) for text in texts]
        if query.is_large:
            with self._large.place():
                return await self._large_answers(query)
        with self._at_small():
            return [_json(answer) for answer in self._answers(await self._batcher.score(texts), query)]

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

    async def _large_answers(self, query: Query) -> list[str]:
        """The answers to a large request, which lets small ones go first, but not for ever."""
        answers: list[str] = []
        async with self._turn:
            for part in _parts(query):
                await self._give_way()
                answers += await self._large.run(self._answers_of, part, query)
        return answers

    def place_of_file(self) -> AbstractContextManager[None]:
        """A place for a file to be labelled; raises Refused if there is none."""
        return self._labelling.place()

    async def label(self, upload: Upload, column: int | None) -> AsyncIterator[str]:
        """The lines of JSON about a file that `labelling` describes."""
        pieces = label(self._classifier, upload, column)
        try:
            while (piece := await self._labelling.run(next, pieces, None)) is not None:
                yield f"{_json(piece)}\n"
                await self._give_way()
        finally:
            self._labelling.finish(pieces.close)

    async def _give_way(self) -> None:
        """Let small requests go first, for a while."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_quiet.wait(), GIVE_WAY_SECONDS)

    def _answers_of(self, texts: list[str], query: Query) -> list[str]:
        return [_json(answer) for answer in self._answers(self._classifier.scores(texts), query)]

    def _explained(self, text: str, query: Query) -> str:
        """The answer for a text with the contribution of each word."""
        (answer,) = self._answers(self._classifier.scores([text]), query)
        found = explain(self._classifier.trained, text, answer["top"][0]["label"])
        tokens = [token._asdict() for token in found.tokens]
        return _json({**answer, "explained": found.label, "margin": found.margin, "rest": found.rest, "tokens": tokens})

    def _answers(self, scores: Scores, query: Query) -> Iterator[dict[str, Any]]:
        rejection = Rejection(query.reject_below)
        for found in self._classifier.name(self._classifier.best_of(scores, top_k=query.top_k)):
            answer = as_json(rejection.applied(found))
            if found.given is None:  # of several labels, each is left out by itself
                rejected = rejection.applies(found)
                answer |= {"label": None if rejected else found.label, "rejected": rejected}
            yield answer


def _parts(query: Query) -> Iterator[list[str]]:
    """The texts of a large request in parts that each take little time."""
    most = max(PART_SCORES // query.top_k, 1)
    for batch in batched(query.all_texts):
        yield from (batch[start : start + most] for start in range(0, len(batch), most))


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, allow_nan=False)
