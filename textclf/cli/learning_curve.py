"""`textclf learning-curve`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textclf.cli import options
from textclf.cli.display import table
from textclf.config import TrainConfig
from textclf.system import startup

if TYPE_CHECKING:
    from textclf.experiments.seeds import Outlook, Point

DEFAULTS = TrainConfig.create()


@click.command("learning-curve")
@options.model
@click.option("--data", help="Name under --data-dir, or a path. [default: the newest]")
@click.option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), default=DEFAULTS.data_dir, show_default=True
)
@click.option(
    "--run-dir", type=click.Path(path_type=Path, file_okay=False), default=DEFAULTS.run_dir, show_default=True
)
@click.option("--seed", type=click.IntRange(min=0), default=DEFAULTS.seed, show_default=True)
@click.option("--device", default=DEFAULTS.device, show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Picture, .svg or .png. [default: learning-curve-MODEL.svg in the folder of the data]",
)
@click.option("--format", "layout", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(output: Path | None, layout: str, **given: Any) -> None:
    """Train on all four tiers, and say what more data would likely bring.

    Draws test accuracy against documents and seconds. Each tier's run is kept like any other.

    \b
    Example:
      textclf learning-curve --data bbc_news
    """
    startup.let_threads_sleep()
    startup.share_freed_memory()
    from textclf.cli.training_display import TerminalDisplay
    from textclf.evaluation import plots
    from textclf.experiments import seeds
    from textclf.training.prepared import find_data

    config = TrainConfig.create(tier="tiny", **given)
    path = output or find_data(config).parent / f"learning-curve-{find_data(config).name}-{config.model}.svg"
    points = list(seeds.over_tiers(config, display=TerminalDisplay()))
    expected = seeds.outlook(points)
    figure = plots.learning_curve(
        [point.documents for point in points],
        [point.accuracy for point in points],
        [point.seconds for point in points],
        expected=expected and (expected.documents, expected.accuracy),
    )
    figure.savefig(path)
    click.echo(_json(points, expected, path) if layout == "json" else _text(points, expected, path))


def _json(points: "list[Point]", expected: "Outlook | None", path: Path) -> str:
    values = {
        "points": [point._asdict() for point in points],
        "outlook": expected and expected._asdict(),
        "picture": str(path),
    }
    return json.dumps(values, indent=2, ensure_ascii=False)


def _text(points: "list[Point]", expected: "Outlook | None", path: Path) -> str:
    rows = [
        (
            point.tier,
            f"{point.documents:,}",
            f"{point.accuracy:.4f}",
            f"{point.macro_f1:.4f}",
            f"{point.seconds:.1f}",
            point.run,
        )
        for point in points
    ]
    more = (
        f"{expected.documents:,} documents, twice as many, would likely bring accuracy from {points[-1].accuracy:.4f} "
        f"to about {expected.accuracy:.4f}: the error falls like documents to the power of -{expected.exponent:.2f}"
        if expected
        else "more documents would likely bring little: the error does not fall from tier to tier"
    )
    head = ("tier", "documents", "test accuracy", "macro-F1", "seconds", "run")
    return f"{table(head, rows, align='<>>>><')}\n\n{more}\npicture: {path}"
