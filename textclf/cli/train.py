"""`textclf train`."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from textclf.cli import options
from textclf.cli.display import table
from textclf.config import PRECISIONS, STORES, TIERS, TrainConfig
from textclf.errors import UsageError
from textclf.system import startup

DEFAULTS = TrainConfig.create()


def _read_config(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Make the file's values the defaults, so that a flag still beats them."""
    if path is None:
        return
    try:
        values = {
            key.replace("-", "_"): value for key, value in tomllib.loads(path.read_text(encoding="utf-8")).items()
        }
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}") from error
    known = {parameter.name for parameter in context.command.params} - {"config", "resume", "code", "help"}
    if unknown := sorted(values.keys() - known):
        raise UsageError(f"{path} sets {', '.join(unknown)}, and there are only: {', '.join(sorted(known))}")
    context.default_map = {**(context.default_map or {}), **values}


@click.command("train")
@click.option(
    "--tier",
    type=click.Choice(list(TIERS)),
    default=DEFAULTS.tier,
    show_default=True,
    help="Part of the training split.",
)
@options.model
@click.option("--data", help="Name under --data-dir, or a path. [default: the newest]")
@click.option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), default=DEFAULTS.data_dir, show_default=True
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULTS.run_dir,
    show_default=True,
    help="Folder that holds the runs.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the tier at the most. [default: by tier]")
@click.option("--batch-size", type=click.IntRange(min=1), help="Documents per step. [default: by their number]")
@click.option(
    "--lr",
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    help="Adam's learning rate. [default: by model and batch size]",
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    help="Epochs without a better validation loss after which training stops. [default: by model]",
)
@click.option(
    "--min-gain",
    type=click.FloatRange(min=0, max=1, max_open=True),
    help="Fraction by which the validation loss must fall to be better. [default: by model]",
)
@click.option(
    "--clip-norm",
    type=click.FloatRange(min=0, min_open=True),
    default=DEFAULTS.clip_norm,
    show_default=True,
    help="Largest gradient norm of a step.",
)
@click.option(
    "--label-smoothing",
    type=click.FloatRange(min=0, max=1, max_open=True),
    help="Share of the target that is spread over all classes. [default: by model]",
)
@click.option(
    "--refit/--no-refit",
    default=None,
    help="Train once more, on train and validation. [default: the mlp on tier full]",
)
@click.option("--embedding-size", type=click.IntRange(min=1), help="Of the lstm. [default: by model]")
@click.option(
    "--hidden-size",
    type=click.IntRange(min=1),
    help="Units of the hidden layer, or of each direction. [default: by model]",
)
@click.option("--dropout", type=click.FloatRange(min=0, max=1, max_open=True), help="[default: by model]")
@click.option(
    "--word-dropout",
    type=click.FloatRange(min=0, max=1, max_open=True),
    help="Share of tokens that the lstm reads as <unk> in training. [default: by model]",
)
@click.option(
    "--max-length",
    type=click.IntRange(min=1),
    help="Tokens that the lstm reads of a document. [default: by their lengths]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=DEFAULTS.seed,
    show_default=True,
    help="Of weights, order and dropout.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Train that many times, with --seed and those after it, and show mean and standard deviation.",
)
@click.option("--device", default=DEFAULTS.device, show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=DEFAULTS.precision,
    show_default=True,
    help="auto: bfloat16 on CUDA.",
)
@click.option(
    "--store",
    type=click.Choice(STORES),
    default=DEFAULTS.store,
    show_default=True,
    help="Read the packed copy, or each document's .pt file.",
)
@click.option(
    "--num-workers",
    type=click.IntRange(min=0),
    help="Loader processes. [default: 0 for packed on a CPU, else one per processor]",
)
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with a run that was stopped.")
@options.code
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="TOML file of these options; a flag beats it.",
)
@click.pass_context
def command(context: click.Context, /, resume: Path | None, code: tuple[Path, ...], seeds: int, **given: Any) -> None:
    """Train a model on one tier of a data directory.

    \b
    Examples:
      textclf train
      textclf train --tier full --model lstm
      textclf train --tier full --seeds 5
      textclf train --model my_model.py:MyModel --embedding-size 64
      textclf train --tier tiny --epochs 3 --store files --num-workers 2
      textclf train --resume runs/bbc_news-mid-mlp-20261123T120000Z
    """
    startup.let_threads_sleep()
    startup.one_thread()
    startup.share_freed_memory()
    from textclf.artefacts import runs
    from textclf.training.start import prepare_while_torch_loads

    if resume is not None:
        from textclf.cli.training_display import TerminalDisplay
        from textclf.training import run

        _refuse_settings(context)
        click.echo(run.resume(runs.resolve(resume), display=TerminalDisplay(), code=code).root)
        return
    if code:
        raise UsageError(f"--code goes with --resume; to train, name the class: --model {code[0]}:CLASS")
    config = TrainConfig.create(**given)
    prepared = prepare_while_torch_loads(config)
    from textclf.cli.training_display import TerminalDisplay
    from textclf.experiments.seeds import over_seeds

    metrics = []
    for finished in over_seeds(config, seeds, display=TerminalDisplay(), prepared=prepared):
        click.echo(finished.root)
        metrics.append(runs.read_json(finished.metrics))
    if seeds > 1:
        click.echo(_summary(metrics), err=True)


def _summary(metrics: Sequence[Mapping[str, Any]]) -> str:
    """Mean and standard deviation over the runs."""
    from textclf.experiments.seeds import spread

    rows = []
    for split in ("validation", "test"):
        figures = [spread(metrics, split, name) for name in ("accuracy", "macro_f1", "loss")]
        rows.append((split, *(f"{figure.mean:.4f} ± {figure.deviation:.4f}" for figure in figures)))
    shown = table((f"{len(metrics)} seeds", "accuracy", "macro-F1", "loss"), rows, align="<>>>")
    return f"\nmean ± standard deviation\n\n{shown}"


def _refuse_settings(context: click.Context) -> None:
    """Raise UsageError if an option was given beside --resume: a run goes on as it began."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name
        and parameter.name not in ("resume", "code")
        and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(f"a resumed run keeps its settings: leave out {', '.join(given)}")
