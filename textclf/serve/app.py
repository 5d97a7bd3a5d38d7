"""The HTTP service: its routes, requests and responses."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.resources import files
from typing import Annotated, Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.exceptions import HTTPException

from textclf import __version__
from textclf.inference.classifier import Classifier, most_probable
from textclf.inference.explain import explain
from textclf.serve.asgi import FAILED, App, Message, Receive, Refused, Send, refusal
from textclf.serve.batching import Batcher, Scores
from textclf.serve.counting import Counts
from textclf.serve.guard import Guard

MOST_TEXTS: Final = 256  # per request
MOST_LABELS: Final = 1000  # per text
MOST_SCORES: Final = 10_000  # per request: texts times top_k
MOST_EXPLAINED: Final = 16  # texts per request with explain
LONGEST_EXPLAINED: Final = 20_000  # characters per text with explain
MOST_EXPLAINING: Final = 16  # requests with explain at the same time

STATIC: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Path to file name and type. All files are listed, so that no request can name another one."""

QUIET: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""No telemetry: nothing about requests leaves this process, whatever else is installed."""


class Query(BaseModel):
    """One text or a list of texts, and options."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | None = None
    texts: Annotated[list[str], Field(min_length=1, max_length=MOST_TEXTS)] | None = None
    top_k: Annotated[int, Field(ge=1, le=MOST_LABELS)] = 1
    explain: bool = False
    reject_below: Annotated[float, Field(ge=0, le=1)] = 0.0
    run: str | None = None
    """Name of a served run. None: the first."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "Query":
        if (self.text is None) == (self.texts is None):
            raise ValueError('give either "text" or "texts"')
        if len(self.all_texts) * self.top_k > MOST_SCORES:
            raise ValueError(f"top_k: at most {MOST_SCORES:,} labels for all texts of a request together")
        return self

    @property
    def all_texts(self) -> list[str]:
        """The texts, be they one or many."""
        return [self.text] if self.text is not None else self.texts or []


class LabelScore(BaseModel):
    """A label and its probability."""

    label: str
    probability: float


class Contribution(BaseModel):
    """How much a token adds to the margin of the label; the token is ``text[start:end]``, in Unicode characters."""

    start: int
    end: int
    contribution: float


class Answer(BaseModel):
    """The answer for one text. Tokens, margin and rest only with explain."""

    label: str | None
    """None if rejected: the probability is below reject_below."""
    probability: float
    top: list[LabelScore]
    unknown: float
    """Share of unknown words."""
    rejected: bool
    margin: float | None = None
    """The logit of the most probable label minus the mean of all others."""
    rest: float | None = None
    """The part of the margin that no token adds."""
    tokens: list[Contribution] | None = None


class Answers(BaseModel):
    """One answer for each text, in order."""

    predictions: list[Answer]


class ServedRun:
    """A run and the queue of requests for it."""

    def __init__(self, name: str, classifier: Classifier, card: str, counts: Counts) -> None:
        self.name = name
        self._classifier = classifier
        self._card = card
        self._counts = counts
        self._explaining = ThreadPoolExecutor(1)  # separate, so that a long text does not delay short ones
        self._waiting = 0  # requests with explain

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
            "trained": dict(trained.trained),
            "card": self._card,
        }

    async def answer(self, query: Query) -> list[dict[str, Any]]:
        """Answer the texts of a query; raises Refused if it asks for too many explanations."""
        texts = query.all_texts
        if query.explain:
            self._check_explained(texts)
        self._counts.add_texts(len(texts))
        answers = self._answers(await self._batcher.score(texts), query)
        if query.explain:
            await self._add_explanations(texts, answers)
        return answers

    def _check_explained(self, texts: Sequence[str]) -> None:
        if len(texts) > MOST_EXPLAINED:
            raise Refused(422, f"explain: at most {MOST_EXPLAINED} texts at a time, not {len(texts)}")
        if any(len(text) > LONGEST_EXPLAINED for text in texts):
            raise Refused(422, f"explain: a text is longer than {LONGEST_EXPLAINED:,} characters")
        if self._waiting >= MOST_EXPLAINING:
            raise Refused(503, "too many requests with explain at once; try again")

    async def _add_explanations(self, texts: Sequence[str], answers: Sequence[dict[str, Any]]) -> None:
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            for text, answer in zip(texts, answers, strict=True):
                label = answer["top"][0]["label"]
                answer.update(await loop.run_in_executor(self._explaining, self._explain, text, label))
        finally:
            self._waiting -= 1

    def _answers(self, scores: Scores, query: Query) -> list[dict[str, Any]]:
        labels = self._classifier.labels
        columns = (*most_probable(scores.probabilities, query.top_k), scores.unknown)
        answers = []
        for places, probabilities, unknown in zip(*(column.tolist() for column in columns), strict=True):
            top = [
                {"label": labels[place], "probability": probability}
                for place, probability in zip(places, probabilities, strict=True)
            ]
            rejected = probabilities[0] < query.reject_below
            label = None if rejected else labels[places[0]]
            answers.append(
                {"label": label, "probability": probabilities[0], "top": top, "unknown": unknown, "rejected": rejected}
            )
        return answers

    def _explain(self, text: str, label: str) -> dict[str, Any]:
        found = explain(self._classifier.trained, text, label)
        tokens = [token._asdict() for token in found.tokens]
        return {"margin": found.margin, "rest": found.rest, "tokens": tokens}


class Routes:
    """The functions behind the paths; their docstrings are the descriptions in `/openapi.json`."""

    def __init__(self, served: Mapping[str, ServedRun], counts: Counts) -> None:
        self._served = served
        self._counts = counts

    async def predict(self, request: Request) -> Response:
        """Predict the label of each text."""
        try:
            query = Query.model_validate_json((await request.receive())["body"])  # which nothing keeps
        except ValidationError as error:
            raise _refused(error) from None
        run = next(iter(self._served)) if query.run is None else query.run
        if run not in self._served:
            raise Refused(422, f"run: there are {', '.join(self._served)}")
        return _json({"predictions": await self._served[run].answer(query)})

    async def health(self) -> Response:
        """Say that the service is up."""
        return _json({"status": "ok"})

    async def model(self) -> Response:
        """Labels, metrics and card of each served run."""
        return self.description()

    def description(self) -> Response:
        """The response to `GET /model`, which is always the same."""
        return _json({"runs": [_finite(run.description()) for run in self._served.values()]})

    async def metrics(self) -> Response:
        """Counters since the start, for Prometheus."""
        return Response(self._counts.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


def build(served: Mapping[str, ServedRun], *, hosts: Sequence[str], counts: Counts) -> App:
    """The service for at least one run; it answers requests whose Host header is one of ``hosts`` or localhost."""
    app = FastAPI(
        title="textclf", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=QUIET
    )
    routes = Routes(served, counts)
    body = {"required": True, "content": {"application/json": {"schema": Query.model_json_schema()}}}
    app.post("/predict", response_model=Answers, openapi_extra={"requestBody": body})(routes.predict)
    app.get("/health")(routes.health)
    app.get("/model")(routes.model)
    app.get("/metrics")(routes.metrics)
    page = _page()
    for path in page:
        app.get(path, include_in_schema=False)(routes.health)  # so that another method is refused
    app.add_exception_handler(HTTPException, _refuse_path)
    app.add_exception_handler(Refused, _refuse)
    app.add_exception_handler(Exception, _fail)

    fixed = {**page, "/openapi.json": _json(app.openapi()), "/model": routes.description()}

    async def dispatch(scope: Message, receive: Receive, send: Send) -> None:
        # FastAPI's routing takes longer than the rest of an answer, so most requests bypass it.
        if scope["method"] == "GET" and scope["path"] in fixed:
            response = fixed[scope["path"]]
        elif (scope["method"], scope["path"]) == ("POST", "/predict"):
            response = await routes.predict(Request(scope, receive))
        else:
            await app(scope, receive, send)
            return
        await response(scope, receive, send)

    return Guard(dispatch, hosts=hosts, counts=counts)


def _json(value: Any) -> Response:
    return Response(json.dumps(value, allow_nan=False), media_type="application/json")


def _finite(value: Any) -> Any:
    """A value of JSON, with null in place of numbers that are infinite or none, which JSON cannot hold."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _page() -> dict[str, Response]:
    folder = files("textclf.serve") / "static"
    return {path: Response((folder / name).read_bytes(), media_type=kind) for path, (name, kind) in STATIC.items()}


async def _refuse_path(request: Request, error: Exception) -> Response:
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
    """The first error of a query, without the text that came with it."""
    detail = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, detail["loc"]))
    why = detail["msg"].removeprefix("Value error, ")
    return Refused(400 if detail["type"] == "json_invalid" else 422, f"{where}: {why}" if where else why)
