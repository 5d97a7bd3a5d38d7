"""`textclf serve`."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from textclf.artefacts import runs
from textclf.cli import commands, options, terminal, values
from textclf.errors import UsageError
from textclf.settings import Range, Rule
from textclf.system import requirements

if TYPE_CHECKING:
    from textclf.inference.classifier import Classifier

MOST_RUNS: Final = 2
MOST_WORKERS: Final = 64


@commands.command("serve")
@click.option(
    "--run",
    "paths",
    type=values.RUN,
    multiple=True,
    help=f"{options.RUN_HELP} Repeat it to compare two. [default: {options.LATEST}]",
)
@options.code
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=values.Number(Rule(int, Range(0, 65_535))),
    default=8000,
    show_default=True,
    help="Port; 0: any free port.",
)
@click.option("--allowed-host", "hosts", multiple=True, help="Host name to accept in addition.")
@options.num_workers(values.Number(Rule(int, Range(1, MOST_WORKERS))), "serve.", default=1, show_default=True)
def command(
    paths: tuple[Path, ...], code: tuple[Path, ...], host: str, port: int, hosts: tuple[str, ...], num_workers: int
) -> None:
    """Serve predictions over HTTP, with a page to try them.

    POST /predict takes {"text": ...} or {"texts": [...]}, and optionally top_k, explain, reject_below and
    target_precision; POST /file labels a file. GET /model gives labels and figures, /health the status, under any
    Host header, /metrics counters for Prometheus, /docs and /openapi.json the API; / is the page. Needs pip install
    fastapi httptools uvicorn.

    \b
    Examples:
      textclf serve
      textclf serve --run runs/NAME --run runs/OTHER --port 8080
    """
    if len(paths) > MOST_RUNS:
        raise UsageError(f"at most {MOST_RUNS} runs can be served together, not {len(paths)}; leave one out")
    models = [options.model_of(path) for path in paths or (options.LATEST,)]
    requirements.need("serve", requirements.SERVING)
    from textclf.serve import launch

    where = launch.Where(host, port, hosts, num_workers)
    launch.serve(_load(models, code), where, say=terminal.note_line, warn=terminal.message)


def _load(models: list[Path], code: tuple[Path, ...]) -> "dict[str, tuple[Classifier, str]]":
    """The models and their cards by the name of their run; a name that is used twice gets a number."""
    from textclf.artefacts import loading, model_folder
    from textclf.inference.classifier import Classifier

    loaded: dict[str, tuple[Classifier, str]] = {}
    used: Counter[str] = Counter()
    for path in models:
        name = runs.model_name(path)
        used[name] += 1
        name += f" ({used[name]})" if used[name] > 1 else ""
        trained = loading.load(path, code=code)
        options.note_torch(trained)
        loaded[name] = Classifier(trained), model_folder.read_card(path)
    return loaded
