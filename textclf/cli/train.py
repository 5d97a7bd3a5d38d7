"""`textclf train`."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from textclf.cli import commands, options, terminal, training_options, values
from textclf.cli.display import table
from textclf.cli.training_options import DEFAULTS, ClassWeights
from textclf.config import MONITORS, PRECISIONS, STORES, TrainConfig
from textclf.errors import UsageError
from textclf.system import torchrun
from textclf.system.wording import counted

number: Final = partial(values.setting, TrainConfig)


@commands.command("train")
@training_options.tier
@click.option(
    "--shots",
    type=number("shots"),
    metavar="K",
    help="For experiments: train on K documents of each label of the tier, drawn by --seed; one in ten of them is "
    "validation, so that no other label is used. Smaller draws are part of larger ones. [default: all]",
)
@options.model
@training_options.data
@options.data_dir
@training_options.run_dir
@click.option(
    "--epochs", type=number("epochs"), help="Maximum number of epochs. [default: by tier, or few with --init-from]"
)
@click.option(
    "--batch-size",
    type=number("batch_size"),
    help="Documents per step. [default: by number of documents]",
)
@click.option(
    "--lr",
    "--learning-rate",
    type=number("lr"),
    help="Adam's learning rate. [default: by model and batch size]",
)
@click.option(
    "--patience",
    type=number("patience"),
    help="Epochs without a better validation loss before training stops. [default: by model]",
)
@click.option(
    "--min-gain",
    type=number("min_gain"),
    help="Fraction by which a validation loss must be lower to be better. [default: by model]",
)
@click.option(
    "--monitor",
    type=click.Choice(MONITORS),
    default=DEFAULTS.monitor,
    show_default=True,
    help="Validation figure by which the best epoch is chosen.",
)
@click.option(
    "--class-weights",
    type=ClassWeights(),
    default=DEFAULTS.class_weights,
    show_default=True,
    help="Weight of each class in the training loss: balanced makes rare classes weigh as much as frequent ones; a "
    "JSON file has the weight of each label.",
)
@click.option(
    "--clip-norm",
    type=number("clip_norm"),
    default=DEFAULTS.clip_norm,
    show_default=True,
    help="Maximum gradient norm of a step.",
)
@click.option(
    "--label-smoothing",
    type=number("label_smoothing"),
    help="Share of the target probability that is spread over all classes. [default: by model]",
)
@click.option(
    "--refit/--no-refit",
    default=None,
    help="Train for two more epochs on train + validation after early stopping. [default: the mlp on a tier with all "
    "documents, if the validation loss fell for at least four epochs]",
)
@click.option(
    "--test/--no-test",
    default=DEFAULTS.test,
    show_default=True,
    help="Measure the finished model on the test split; leave it out while you choose settings.",
)
@click.option(
    "--embedding-size",
    type=number("embedding_size"),
    help="Length of a word's embedding. [default: by model; more for the lstm on many long documents]",
)
@click.option(
    "--hidden-size",
    type=number("hidden_size"),
    help="Units of the hidden layer or of each LSTM direction, or filters of each CNN width. [default: by model; more "
    "for the lstm on many long documents, fewer for the mlp on long ones]",
)
@click.option(
    "--dropout",
    type=number("dropout"),
    help="Probability of dropping a unit in training. [default: by model]",
)
@click.option(
    "--word-dropout",
    type=number("word_dropout"),
    help="Probability of reading a token as <unk> in training. [default: by model]",
)
@click.option(
    "--max-length",
    type=number("max_length"),
    help="Maximum number of tokens read from a document. [default: by their lengths]",
)
@training_options.vectors
@training_options.freeze_vectors
@training_options.encoder
@training_options.encoder_limit
@training_options.bundle
@training_options.unlabelled
@training_options.unlabelled_column
@click.option(
    "--init-from",
    type=values.RUN,
    help="Run whose weights training starts from: what both know keeps its weights, new words and labels begin as "
    "usual. [default: none]",
)
@training_options.seed
@click.option(
    "--seeds",
    type=values.COUNT,
    default=1,
    show_default=True,
    help="Number of runs, with consecutive seeds from --seed; shows mean and standard deviation.",
)
@training_options.device
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=DEFAULTS.precision,
    show_default=True,
    help="Number type of matrix products; auto: bfloat16 on CUDA, else float32.",
)
@click.option(
    "--store",
    type=click.Choice(STORES),
    default=DEFAULTS.store,
    show_default=True,
    help="Where token ids are read: the packed copy, or one .pt file per document.",
)
@options.num_workers(number("num_workers"), "load documents. [default: 0 for packed on a CPU, else one per processor]")
@click.option(
    "--resident/--no-resident",
    default=None,
    help="Whether the documents are kept on the device, if they fit there. [default: on CUDA]",
)
@click.option("--resume", type=values.RUN, help="Resume a stopped run.")
@options.code
@click.pass_context
def command(context: click.Context, /, resume: Path | None, code: tuple[Path, ...], seeds: int, **given: Any) -> None:
    """Train a model on one tier of a data directory.

    \b
    Examples:
      textclf train
      textclf train --tier full --model lstm
      textclf train --tier full --seeds 5
      textclf train --tier full --encoder minilm
      textclf train --unlabelled pool.csv
      textclf train --tier full --shots 8 --seeds 5
      textclf train --tier full --model lstm --vectors glove.6B.100d.txt
      textclf train --tier full --init-from runs/latest
      textclf train --model my_model.py:MyModel --embedding-size 64
      textclf train --tier tiny --epochs 3 --store files --num-workers 2
      textclf train --resume runs/bbc_news-mid-mlp-20261123T120000Z
      torchrun --nproc-per-node 2 -m textclf train --tier full
    """
    from textclf import training
    from textclf.artefacts import runs
    from textclf.cli.training_display import TerminalDisplay
    from textclf.experiments.repeated import over_seeds

    given = training.adopted(given)
    if process := torchrun.launched():
        _train_together(context, process, resume, code, seeds, given)
        return
    if resume is not None:
        commands.refuse_settings(context, resumed="a resumed run", free=("resume", "code"))
        stopped = runs.RunLayout(options.resolved(resume))
        terminal.result_line(training.resume(stopped, display=TerminalDisplay(), code=code).root)
        return
    _refuse_code(code)
    metrics = []
    for run in over_seeds(TrainConfig.create(**given), seeds, display=TerminalDisplay()):
        terminal.result_line(run.root)
        metrics.append(runs.read_json(run.metrics))
    if seeds > 1:
        terminal.note(_spread(metrics))


def _train_together(
    context: click.Context,
    process: torchrun.Process,
    resume: Path | None,
    code: tuple[Path, ...],
    seeds: int,
    given: dict[str, Any],
) -> None:
    """Train with the other processes of a torchrun; the first shows it."""
    from textclf import training  # noqa: F401  first: it sets how torch's threads wait
    from textclf.artefacts import runs
    from textclf.cli.training_display import TerminalDisplay
    from textclf.training import parallel
    from textclf.training.display import Display
    from textclf.training.distributed import joined

    display = TerminalDisplay() if process.rank == 0 else Display()
    with joined(process) as ranks:
        if seeds > 1:
            raise UsageError("torchrun trains one run: leave out --seeds, and start it once for each --seed")
        if resume is not None:
            commands.refuse_settings(context, resumed="a resumed run", free=("resume", "code"))
            trained = parallel.resume(runs.RunLayout(options.resolved(resume)), ranks, display=display, code=code)
        else:
            _refuse_code(code)
            trained = parallel.train(TrainConfig.create(**given), ranks, display=display)
    if trained is not None:
        terminal.result_line(trained.root)


def _refuse_code(code: tuple[Path, ...]) -> None:
    if code:
        raise UsageError(f"--code goes with --resume; to train, name the class: --model {code[0]}:CLASS")


def _spread(metrics: Sequence[Mapping[str, Any]]) -> str:
    """A table of mean and standard deviation over the runs."""
    from textclf.experiments.repeated import spread

    rows = []
    is_one = all(run["validation"]["micro_f1"] == run["validation"]["accuracy"] for run in metrics)
    main = ("accuracy", "accuracy") if is_one else ("micro-F1", "micro_f1")  # of several labels per document
    for split in (split for split in ("validation", "test") if split in metrics[0]):
        figures = [spread(metrics, split, name) for name in (main[1], "macro_f1", "loss")]
        rows.append((split, *(f"{figure.mean:.4f} ± {figure.deviation:.4f}" for figure in figures)))
    shown = table((counted(len(metrics), "seed"), main[0], "macro-F1", "loss"), rows, align="<>>>")
    return f"\nmean ± standard deviation\n\n{shown}"
