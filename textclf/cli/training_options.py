"""Options of the commands that train."""

import json
from pathlib import Path
from typing import Any, Final

import click

from textclf.cli import options, values
from textclf.config import BALANCED, NONE, TIERS, TrainConfig
from textclf.errors import UsageError
from textclf.settings import shown
from textclf.system import failures, files

DEFAULTS: Final = TrainConfig.create()
FOLDER: Final = click.Path(path_type=Path, file_okay=False)


class ClassWeights(click.ParamType[str]):
    """none, balanced, or a JSON file with the weight of each label."""

    name = "weights"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What the help shows in place of a value."""
        return "[none|balanced|FILE.json]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, or the content of the file; which labels there are is checked where they are known."""
        if value in (NONE, BALANCED) or str(value).startswith("{"):
            return str(value)
        try:
            return json.dumps(files.read_object(Path(value)), ensure_ascii=False)
        except (OSError, ValueError) as error:
            raise failures.refused(error, Path(value)) or UsageError(
                f"--class-weights {shown(value)}: give none, balanced, or a JSON file with a weight per label ({error})"
            ) from error


data = click.option(
    "--data",
    type=values.Data(),
    help="Data directory: its path, its name under --data-dir, or a unique beginning of that. [default: the newest]",
)
tier = click.option(
    "--tier",
    type=click.Choice(list(TIERS)),
    default=DEFAULTS.tier,
    show_default=True,
    help="Part of the training split to train on.",
)
run_dir = click.option(
    "--run-dir", type=FOLDER, default=DEFAULTS.run_dir, show_default=True, help="Folder of the runs."
)
vectors = click.option(
    "--vectors",
    metavar="FILE|NAME",
    help="Word vectors that the embeddings of an lstm or a cnn begin with: see `textclf vectors list`.",
)
freeze_vectors = click.option(
    "--freeze-vectors/--no-freeze-vectors",
    default=DEFAULTS.freeze_vectors,
    show_default=True,
    help="Whether these vectors stay as they are, and only the other numbers of the embeddings learn.",
)
encoder = click.option(
    "--encoder",
    metavar="NAME|FOLDER",
    help="Sentence encoder whose vectors a second classifier learns from: see `textclf encoder list`.",
)
encoder_limit = click.option(
    "--encoder-limit",
    type=values.setting(TrainConfig, "encoder_limit"),
    default=DEFAULTS.encoder_limit,
    show_default=True,
    help="Maximum number of tokens that the encoder reads.",
)
bundle = click.option(
    "--bundle/--no-bundle",
    default=DEFAULTS.bundle,
    show_default=True,
    help="Whether the model has a copy of the encoder, or only its name and hash.",
)
unlabelled = click.option(
    "--unlabelled",
    multiple=True,
    metavar="FILE",
    shell_complete=values.completing("paths"),
    help="File of texts without labels, or its URL; repeatable. Word vectors are learned from them and the documents, "
    "for a second classifier: helps where labels are few.",
)
unlabelled_column = click.option(
    "--unlabelled-column",
    metavar="NAME",
    help="Column of the texts in these files. [default: as in the data]",
)
seed = options.seed(TrainConfig, "weights, data order and dropout")
device = click.option(
    "--device", default=DEFAULTS.device, show_default=True, help="Device to train on: auto, cpu, cuda, cuda:N or mps."
)
