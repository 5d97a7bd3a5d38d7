"""The service: its routes, what they take, and what they answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.resources import files
from typing import Annotated, Any, Final

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.exceptions import HTTPException

from textclf import __version__
from textclf.inference.classifier import Classifier
from textclf.inference.explain import explain
from textclf.serve.batching import Batcher, Read
from textclf.serve.counting import Counts
from textclf.serve.guard import FAILED, App, Guard, Message, Receive, Refused, Send, refusal

MOST_TEXTS: Final = 256  # of a request
MOST_EXPLAINED: Final = 16
LONGEST_EXPLAINED: Final = 20_000  # characters of a text
MOST_EXPLAINING: Final = 16  # requests that wait for explanations
MOST_LABELS: Final = 1000

STATIC: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""All files there are: none is found by what a request says."""


QUIET: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""Nothing about requests leaves this process, whatever is installed beside us."""


class Query(BaseModel):
    """A text or some texts, and what to say of them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | None = None
    texts: Annotated[list[str], Field(min_length=1, max_length=MOST_TEXTS)] | None = None
    top_k: Annotated[int, Field(ge=1, le=MOST_LABELS)] = 1
    explain: bool = False
    reject_below: Annotated[float, Field(ge=0, le=1)] = 0.0
    run: str | None = None
    """One of those that are served. None: the first."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "Query":
        if (self.text is None) == (self.texts is None):
            raise ValueError('give either "text" or "texts"')
        return self

    @property
    def given(self) -> list[str]:
        """The texts."""
        return [self.text] if self.text is not None else self.texts or []


class LabelScore(BaseModel):
    """A label and how sure the model is of it."""

    label: str
    probability: float


class Contribution(BaseModel):
    """What a token adds to the margin of the label; it is ``text[start:end]``, in Unicode characters."""

    start: int
    end: int
    contribution: float


class Answer(BaseModel):
    """What the model says of a text. Tokens, margin and rest are there where they were asked for."""

    label: str | None
    """None: rejected, as the probability is below what was asked for."""
    probability: float
    top: list[LabelScore]
    unknown: float
    """Share of words that the model does not know."""
    rejected: bool
    margin: float | None = None
    """The logit of the most probable label less the mean of all others."""
    rest: float | None = None
    """What no token adds to the margin."""
    tokens: list[Contribution] | None = None


class Answers(BaseModel):
    """One answer for each text, in order."""

    predictions: list[Answer]


class Served:
    """A run that is served."""

    def __init__(self, name: str, classifier: Classifier, card: str, counts: Counts) -> None:
        self.name = name
        self._classifier = classifier
        self._card = card
        self._counts = counts
        self._explaining = ThreadPoolExecutor(1)  # of its own: one long text must not hold up all the short ones
        self._waiting = 0  # requests for explanations

    @cached_property
    def _batcher(self) -> Batcher:
        return Batcher(self._classifier, self._counts)

    def description(self) -> dict[str, Any]:
        """What `GET /model` says of it."""
        trained = self._classifier.trained
        return {
            "name": self.name,
            "model": trained.model,
            "labels": trained.labels,
            "trained": dict(trained.trained),
            "card": self._card,
        }

    async def answer(self, query: Query) -> list[dict[str, Any]]:
        """The answers to the texts of a query."""
        texts = query.given
        if query.explain:
            self._check_explained(texts)
        self._counts.add_texts(len(texts))
        answers = self._answers(await self._batcher.read(texts), query)
        if query.explain:
            await self._add_explanations(texts, answers)
        return answers

    def _check_explained(self, texts: Sequence[str]) -> None:
        if len(texts) > MOST_EXPLAINED:
            raise Refused(422, f"explain: at most {MOST_EXPLAINED} texts at a time, not {len(texts)}")
        if any(len(text) > LONGEST_EXPLAINED for text in texts):
            raise Refused(422, f"explain: a text is longer than {LONGEST_EXPLAINED:,} characters")
        if self._waiting >= MOST_EXPLAINING:
            raise Refused(503, "too many requests for explanations at once; try again")

    async def _add_explanations(self, texts: Sequence[str], answers: Sequence[dict[str, Any]]) -> None:
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            for text, answer in zip(texts, answers, strict=True):
                label = answer["top"][0]["label"]
                answer.update(await loop.run_in_executor(self._explaining, self._explain, text, label))
        finally:
            self._waiting -= 1

    def _answers(self, read: Read, query: Query) -> list[dict[str, Any]]:
        labels, probabilities = self._classifier.labels, read.probabilities
        if query.top_k == 1:
            places = probabilities.argmax(axis=1, keepdims=True)
        else:
            places = np.argsort(-probabilities, axis=1, kind="stable")[:, : query.top_k]
        chosen = np.take_along_axis(probabilities, places, axis=1).tolist()
        answers = []
        for row, scores, unknown in zip(places.tolist(), chosen, read.unknown.tolist(), strict=True):
            top = [{"label": labels[place], "probability": score} for place, score in zip(row, scores, strict=True)]
            rejected = scores[0] < query.reject_below
            best = None if rejected else labels[row[0]]
            answers.append(
                {"label": best, "probability": scores[0], "top": top, "unknown": unknown, "rejected": rejected}
            )
        return answers

    def _explain(self, text: str, label: str) -> dict[str, Any]:
        found = explain(self._classifier.trained, text, label)
        tokens = [token._asdict() for token in found.tokens]
        return {"margin": found.margin, "rest": found.rest, "tokens": tokens}


def build(served: Mapping[str, Served], *, hosts: Sequence[str], counts: Counts) -> App:
    """The service with these runs, at least one, for requests that call this machine by one of these names."""
    app = FastAPI(
        title="textclf", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=QUIET
    )
    first = next(iter(served))
    names = ", ".join(served)

    async def predict(request: Request) -> Response:
        """Say which label each text has."""
        try:
            query = Query.model_validate_json(await request.body())
        except ValidationError as error:
            raise _refused(error) from None
        if query.run is not None and query.run not in served:
            raise Refused(422, f"run: there are {names}")
        return _json({"predictions": await served[query.run or first].answer(query)})

    async def health() -> Response:
        """Say that the service is up."""
        return _json({"status": "ok"})

    async def model() -> Response:
        """Labels, figures and card of each run that is served."""
        return _json({"runs": [each.description() for each in served.values()]})

    async def metrics() -> Response:
        """What was counted since the start, for Prometheus."""
        return Response(counts.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    body = {"required": True, "content": {"application/json": {"schema": Query.model_json_schema()}}}
    app.post("/predict", response_model=Answers, openapi_extra={"requestBody": body})(predict)
    app.get("/health")(health)
    app.get("/model")(model)
    app.get("/metrics")(metrics)
    _add_page(app)
    app.add_exception_handler(HTTPException, _no_such_thing)
    app.add_exception_handler(Refused, _refuse)
    app.add_exception_handler(Exception, _fail)

    async def dispatch(scope: Message, receive: Receive, send: Send) -> None:
        # FastAPI's way to a function takes longer than all the rest of an answer: questions do not go that way.
        if (scope["method"], scope["path"]) == ("POST", "/predict"):
            response = await predict(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await app(scope, receive, send)

    return Guard(dispatch, hosts=hosts, counts=counts)


def _json(value: Any) -> Response:
    return Response(json.dumps(value), media_type="application/json")


def _add_page(app: FastAPI) -> None:
    folder = files("textclf.serve") / "static"
    for path, (name, kind) in STATIC.items():
        app.get(path, include_in_schema=False)(_fixed(Response((folder / name).read_bytes(), media_type=kind)))


def _fixed(response: Response) -> Callable[[], Awaitable[Response]]:
    async def respond() -> Response:
        return response

    return respond


async def _no_such_thing(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return await _refuse(request, Refused(status, "there is nothing here" if status == 404 else "not by this method"))


async def _fail(request: Request, _: Exception) -> Response:
    return await _refuse(request, FAILED)


async def _refuse(_: Request, error: Exception) -> Response:
    refused = error if isinstance(error, Refused) else FAILED
    headers, content = refusal(refused)
    response = Response(content, refused.status)
    response.raw_headers = headers
    return response


def _refused(error: ValidationError) -> Refused:
    """The first thing that is wrong with a query, without the text that it came with."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    why = first["msg"].removeprefix("Value error, ")
    return Refused(400 if first["type"] == "json_invalid" else 422, f"{where}: {why}" if where else why)
