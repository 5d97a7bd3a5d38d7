"""Options of the commands that train."""

from pathlib import Path
from typing import Final

import click

from textclf.cli import options
from textclf.config import TrainConfig

DEFAULTS: Final = TrainConfig.create()
FOLDER: Final = click.Path(path_type=Path, file_okay=False)

data = click.option(
    "--data",
    type=options.Data(),
    help="Data directory: its path, its name under --data-dir, or a unique beginning of that. [default: the newest]",
)
run_dir = click.option(
    "--run-dir", type=FOLDER, default=DEFAULTS.run_dir, show_default=True, help="Folder of the runs."
)
seed = options.seed(TrainConfig, "weights, data order and dropout")
device = click.option(
    "--device", default=DEFAULTS.device, show_default=True, help="Device to train on: auto, cpu, cuda, cuda:N or mps."
)
