"""The HTTP service: its routes, requests and responses."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, StreamingResponse

from textclf import __version__
from textclf.serve.asgi import FAILED, App, Message, Receive, Refused, Send, refusal
from textclf.serve.counting import Counts
from textclf.serve.guard import KINDS, Guard
from textclf.serve.labelling import Upload, refuse_ending
from textclf.serve.query import FileQuery, Query, parse, parse_address
from textclf.serve.served_run import ServedRun
from textclf.serve.uploads import Uploads
from textclf.system import style

STYLE: Final = "/page.css"
SCRIPTS: Final = ("page", "panel", "files", "server", "parts", "docs")
STATIC: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    STYLE: ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8") for name in SCRIPTS},
}
"""Path to file name and type. All files are listed, so that no request can name another one."""

JSON_LINES: Final = "application/x-ndjson"

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"

QUIET: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""No telemetry: nothing about requests leaves this process, whatever else is installed."""


class Described(BaseModel):
    """A part of an answer; what is written below its fields describes them in `/openapi.json`."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class LabelScore(Described):
    """A label and its probability."""

    label: str
    """One of the labels of the model."""
    probability: float
    """Between 0 and 1."""


class Contribution(Described):
    """How much a token adds to the margin of the label; the token is ``text[start:end]``, in Unicode characters."""

    start: int
    """The first character of the token."""
    end: int
    """The character after its last."""
    contribution: float
    """Negative if it speaks against the label."""


class Answer(Described):
    """The answer for one text. Explained, tokens, margin and rest only with explain; error only for an empty text."""

    label: str | None = None
    """Null if rejected, and for an empty text."""
    probability: float | None = None
    """Of the most probable label, though it may be rejected."""
    labels: list[str] | None = None
    """In place of label, where a text may have several: all that it gets, the most probable first, perhaps none."""
    probabilities: list[float] | None = None
    """Of these labels."""
    top: list[LabelScore]
    """The most probable labels, top_k of them."""
    error: str | None = None
    """Why there is no answer; the fields below are missing then."""
    unknown: float | None = None
    """Share of unknown words."""
    truncated: bool | None = None
    """Whether the model read only the beginning."""
    unlike: bool | None = None
    """Whether most words are unknown, more than in nearly all validation texts: do not rely on the answer."""
    rejected: bool | None = None
    """Whether the label is left out, as reject_below or target_precision asks; not where a text may have several."""
    explained: str | None = None
    """The label that is explained."""
    margin: float | None = None
    """The logit of that label minus the mean of all others or, where a text may have several labels, its logit."""
    rest: float | None = None
    """The part of the margin that no token adds."""
    tokens: list[Contribution] | None = None
    """Only with explain."""


class Row(Described):
    """A row of a preview: its cells or, if it cannot be read, why."""

    cells: list[str] | None = None
    """Their first 300 characters, in the order of the columns."""
    error: str | None = None
    """Why there are none."""


class Piece(Described):
    """A line of the answer about a file: first its columns, then CSV, and at the end the summary or an error."""

    columns: list[str] | None = None
    """The names of all columns; none if the file is not CSV or TSV."""
    text: list[str] | None = None
    """The columns that hold the texts; none if that is not clear: then name one with column."""
    first: list[Row] | None = None
    """The first rows, only with preview."""
    rows: int | None = None
    """Rows that are answered so far."""
    csv: str | None = None
    """The next rows with their answers; the first piece begins with a header."""
    summary: list[str] | None = None
    """Sentences about all rows; the file is at its end."""
    error: str | None = None
    """Why the file cannot be labelled to its end."""


class Problem(Described):
    """Why a request is refused."""

    error: str
    """The reason, in one line."""


class Answers(Described):
    """One answer for each text, in order."""

    predictions: list[Answer]
    """In the order of the texts."""


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": why}
    for status, why in (
        (400, "Not JSON"),
        (408, "The body stopped coming"),
        (413, "Too long"),
        (415, "Another content type, or a kind of file that is not read here"),
        (421, "The Host header does not name this server"),
        (422, "A field is wrong"),
        (503, "Too many requests at once"),
    )
}


class Routes:
    """The functions behind the paths; their docstrings are the descriptions in `/openapi.json`."""

    def __init__(self, served: Mapping[str, ServedRun], counts: Counts) -> None:
        self._served = served
        self._counts = counts
        self._uploads = Uploads()

    async def predict(self, request: Request) -> Response:
        """Predict the label of each text, one answer each, in order."""
        query = parse((await request.receive())["body"])  # which nothing keeps
        answers = await self._run(query.run).answer(query)
        return Response(f'{{"predictions": [{", ".join(answers)}]}}', media_type="application/json")

    async def label(self, request: Request, send: Send) -> None:
        """Label each row of a file, which is the body; its name, in the address, says how it is read."""
        query = parse_address(request.query_params)
        run = self._run(query.run)
        refuse_ending(query.name)
        wanted = run.wanted(query)
        async with self._uploads.receive(request.receive) as path:
            with run.place_of_file():
                lines = run.label(Upload(path, query.name), wanted)
                await StreamingResponse(lines, media_type=JSON_LINES)(request.scope, request.receive, send)

    def _run(self, name: str | None) -> ServedRun:
        """The run of this name, or the first; raises Refused if there is none."""
        if name is not None and name not in self._served:
            raise Refused(422, f"run: there are {', '.join(self._served)}")
        return self._served[name or next(iter(self._served))]

    async def health(self) -> Response:
        """Say that the service is up, under any Host header."""
        return _json({"status": "ok"})

    async def model(self) -> Response:
        """Labels, figures, learned thresholds and card of each served run."""
        return self.description()

    def description(self) -> Response:
        """The response to `GET /model`, which is always the same."""
        return _json({"runs": [_finite(run.description()) for run in self._served.values()]})

    async def metrics(self) -> Response:
        """Counts since the start, for Prometheus: requests and, for each run, labels, confidence and unknown words."""
        return Response(self._counts.exposition(), media_type=PROMETHEUS)


def build(served: Mapping[str, ServedRun], *, hosts: Sequence[str], counts: Counts) -> App:
    """The service for at least one run; it answers requests whose Host header is one of ``hosts`` or localhost."""
    app = FastAPI(
        title="textclf", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=QUIET
    )
    routes = Routes(served, counts)
    body = {"required": True, "content": {"application/json": {"schema": Query.model_json_schema()}}}
    predict = app.post("/predict", response_model=Answers, responses=REFUSALS, openapi_extra={"requestBody": body})
    predict(routes.predict)
    file = app.post("/file", summary="Label", description=Routes.label.__doc__, **_file_described())
    file(routes.health)  # `dispatch` calls `label`
    app.get("/health")(routes.health)
    app.get("/model")(routes.model)
    app.get("/metrics", response_class=PlainTextResponse)(routes.metrics)
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
            if (scope["method"], scope["path"]) == ("POST", "/file"):
                await routes.label(Request(scope, receive), send)
            else:
                await app(scope, receive, send)
            return
        await response(scope, receive, send)

    return Guard(dispatch, hosts=hosts, counts=counts)


def _file_described() -> dict[str, Any]:
    """What `/openapi.json` says of `POST /file`."""
    schema = FileQuery.model_json_schema()
    parameters = [
        {"in": "query", "name": name, "required": name in schema["required"], "schema": value}
        for name, value in schema["properties"].items()
    ]
    body = {"required": True, "content": {KINDS["/file"]: {"schema": {"type": "string", "format": "binary"}}}}
    lines = {"200": {"description": "Lines of JSON", "content": {JSON_LINES: {"schema": _schema_of(Piece)}}}}
    extra = {"parameters": parameters, "requestBody": body, "responses": lines}
    return {"responses": REFUSALS, "openapi_extra": extra}


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """A schema that holds what it refers to."""
    schema = model.model_json_schema()
    inside = schema.pop("$defs", {})

    def resolved(value: Any) -> Any:
        if isinstance(value, dict):
            name = value.get("$ref", "").rpartition("/")[2]
            return inside[name] if name else {key: resolved(each) for key, each in value.items()}
        return [resolved(each) for each in value] if isinstance(value, list) else value

    return {name: resolved(value) for name, value in schema.items()}


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
    """The files of the page; its style sheet begins with the one that it shares with reports."""
    folder = files("textclf.serve") / "static"
    contents = {path: (folder / name).read_bytes() for path, (name, _) in STATIC.items()}
    contents[STYLE] = style.sheet().encode() + contents[STYLE]
    return {path: Response(content, media_type=STATIC[path][1]) for path, content in contents.items()}


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
