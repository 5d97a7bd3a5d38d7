"""`textclf learning-curve`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from textclf.cli import commands, options, terminal, training_options
from textclf.cli.display import fitted
from textclf.config import TrainConfig
from textclf.system import escaping

if TYPE_CHECKING:
    from textclf.experiments.repeated import LearningCurve


@commands.command("learning-curve")
@options.model
@training_options.data
@options.data_dir
@training_options.run_dir
@training_options.seed
@training_options.device
@options.output(
    "the picture: a file, .svg or .png. [default: learning-curve-DATA-MODEL.svg next to the data directory]"
)
@options.text_or_json
def command(output: Path | None, layout: str, **given: Any) -> None:
    """Train on all tiers; estimate the gain from more data.

    Draws test accuracy against documents and against seconds. The run of each tier is kept like any other.

    \b
    Example:
      textclf learning-curve --data bbc_news
    """
    from textclf.cli.training_display import TerminalDisplay
    from textclf.experiments import repeated

    curve = repeated.learning_curve(TrainConfig.create(tier="tiny", **given), display=TerminalDisplay())
    picture = output or curve.default_picture()
    curve.draw(picture)
    terminal.result(_json(curve, picture) if layout == "json" else _text(curve, picture))


def _json(curve: "LearningCurve", picture: Path) -> str:
    values = {
        "points": [point._asdict() for point in curve.points],
        "outlook": curve.outlook and curve.outlook._asdict(),
        "verdict": curve.verdict,
        "picture": str(picture),
    }
    return escaping.to_json(values, indent=2)


def _text(curve: "LearningCurve", picture: Path) -> str:
    score = f"test {curve.points[-1].score}"
    columns = {
        "tier": [point.tier for point in curve.points],
        "documents": [f"{point.documents:,}" for point in curve.points],
        score: [f"{point.accuracy:.4f}" for point in curve.points],
        "macro-F1": [f"{point.macro_f1:.4f}" for point in curve.points],
        "seconds": [f"{point.seconds:.1f}" for point in curve.points],
        "run": [point.run for point in curve.points],
    }
    shown = fitted(columns, right=("documents", score, "macro-F1", "seconds"), cut="run")
    return f"{shown}\n\n{terminal.wrapped(curve.verdict)}\npicture: {escaping.line(picture)}"
