"""`textclf serve`."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from textclf.artefacts import runs
from textclf.errors import UsageError
from textclf.system import startup

if TYPE_CHECKING:
    from textclf.serve.app import Served
    from textclf.serve.counting import Counts

LOCAL: Final = ("127.0.0.1", "::1", "localhost")
MOST_RUNS: Final = 2


@click.command("serve")
@click.option(
    "--run",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Run directory, or its model/ folder; a second one to compare with. [default: runs/latest]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any that is free.")
@click.option("--allowed-host", "hosts", multiple=True, help="Another name that this server is called by.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that answer.")
def command(paths: tuple[Path, ...], host: str, port: int, hosts: tuple[str, ...], workers: int) -> None:
    """Answer over HTTP, and show a page to try the model.

    POST /predict takes {"text": ...} or {"texts": [...]}, and top_k, explain, reject_below. GET /model has the labels
    and figures, /health says that it is up, /metrics is for Prometheus, /openapi.json describes it all; / is the page.
    Needs pip install 'textclf[serve]'.

    \b
    Examples:
      textclf serve
      textclf serve --run runs/NAME --run runs/OTHER --port 8080
    """
    if len(paths) > MOST_RUNS:
        raise UsageError(f"at most {MOST_RUNS} runs are served at a time, not {len(paths)}; leave one out")
    models = [runs.model_dir(path) for path in paths or (Path("runs/latest"),)]
    startup.one_thread()
    try:
        from textclf.serve import app, server
        from textclf.serve.counting import Counts
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("textclf"):
            raise
        raise UsageError(f"serve needs {error.name}; install it: pip install 'textclf[serve]'") from error

    counts = Counts(workers)
    served = _load(models, counts)
    listening = server.listen(host, port)
    address, port = listening.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    if host not in LOCAL:
        click.echo(f"textclf: warning: {host} can be reached from other machines, and nobody has to log in", err=True)
    click.echo(f"serving {' and '.join(served)} at http://{shown}:{port}/; Ctrl-C stops", err=True)
    known = (*hosts, shown)
    server.run(lambda worker: app.build(served, hosts=known, counts=counts.of(worker)), listening, workers=workers)


def _load(models: list[Path], counts: "Counts") -> "dict[str, Served]":
    """The models by the names of their runs."""
    from textclf.artefacts import artefact
    from textclf.inference.classifier import Classifier
    from textclf.serve.app import Served

    served: dict[str, Served] = {}
    used: Counter[str] = Counter()
    for path in models:
        folder = path.resolve()
        name = folder.parent.name if folder.name == "model" else folder.name
        used[name] += 1
        name += f" ({used[name]})" if used[name] > 1 else ""
        card = artefact.Layout(path).card
        text = card.read_text(encoding="utf-8", errors="replace") if card.exists() else ""
        served[name] = Served(name, Classifier(artefact.load(path)), text, counts)
    return served
