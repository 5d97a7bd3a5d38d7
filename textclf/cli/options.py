"""Options that several commands share."""

from pathlib import Path
from typing import Final

import click

LATEST: Final = Path("runs/latest")

run = click.option(
    "--run",
    type=click.Path(path_type=Path),
    default=LATEST,
    show_default=True,
    help="Run directory, or its model/ folder.",
)
split = click.option("--split", type=click.Choice(["validation", "test"]), default="test", show_default=True)
text_or_json = click.option(
    "--format", "layout", type=click.Choice(["text", "json"]), default="text", show_default=True
)
