"""The options that several commands share, and what they stand for."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from textclf.artefacts import runs
from textclf.cli import terminal
from textclf.cli.values import RUN, Character, ColumnNames, ModelName, completing, setting
from textclf.errors import UsageError
from textclf.system import names

if TYPE_CHECKING:
    from textclf.artefacts.artefact import Artefact
    from textclf.system.workers import Mapper

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
"""What adds an option to a command."""

ENGINES: Final = ("local", "ray")

LATEST: Final = runs.RUNS / runs.LATEST
RUN_HELP: Final = "Run: its path, name, or a unique beginning of the name; or a model/ folder."

run = click.option("--run", type=RUN, default=LATEST, show_default=True, help=RUN_HELP)


def resolved(given: Path) -> Path:
    """The directory of the run that is given; if verbose, it is printed. Raises UsageError if there is no such run."""
    root = _checked(runs.resolve(given).root)
    terminal.detail(f"reading the run {root}")
    return root


def model_of(given: Path) -> Path:
    """The model that is given, its folder or file; if verbose, it is printed. Raises what `resolved` raises."""
    model = runs.model_dir(given)
    if model != given:
        _checked(model.parent)
    terminal.detail(f"reading the model {model}")
    return model


def _checked(root: Path) -> Path:
    """A folder, if it is a run; raises UsageError if it is another one, such as a data directory."""
    if not runs.is_run(root):
        raise UsageError(f"{root} is not a run; list the runs: textclf runs")
    return root


def run_or_data(given: Path) -> Path:
    """The folder of a run, a model or a data directory: a path, a name under runs/ or data/, or a beginning of one.

    A path ``runs/latest`` stays one. Raises UsageError that lists the newest if there is none.
    """
    from textclf.dataset import finding

    if given.name == runs.LATEST and not given.is_dir():
        return given
    return names.find(given, runs.home(), finding.home())


def split(more: str = "") -> Decorator:
    """--split, for a command that says more about it."""
    return click.option(
        "--split",
        type=click.Choice(["validation", "test"]),
        default="test",
        show_default=True,
        help=f"Split to measure on{more}.",
    )


model = click.option(
    "--model",
    type=ModelName(),
    default="mlp",
    show_default=True,
    help="A built-in model, or a torch.nn.Module of your own: its file and class, or the name an installed package "
    "gives it.",
)
code = click.option(
    "--code",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    metavar="FILE.py",
    help="File with the class of a model of your own, the same that it was trained with. It is run.",
)
input_format = click.option(
    "--input-format",
    type=click.Choice(["auto", "lines", "csv", "tsv", "jsonl", "json", "parquet", "xlsx", "fasttext"]),
    default="auto",
    show_default=True,
    help="Format of the files. auto: by the name or, where it does not say, the first lines; stdin holds lines.",
)
part = click.option("--part", help="List of documents in a JSON file (train, data.items), or sheet of a workbook.")
label_prefix = click.option(
    "--label-prefix",
    help="How labels begin in fastText lines; '' takes the first word of each line for its label. [default: __label__]",
)
delimiter = click.option(
    "--delimiter",
    type=Character(tab="\t", comma=",", semicolon=";", pipe="|", **{"\\t": "\t"}),
    help="Character between the fields of a CSV or TSV file, such as ';' or tab. [default: found, if it is plain]",
)
quote = click.option(
    "--quote",
    type=Character(none=""),
    help="Character around fields of a CSV or TSV file that hold delimiters or line ends, or none. "
    '[default: ", none with tabs]',
)
column_names = click.option(
    "--columns",
    type=ColumnNames(),
    default=(),
    help="Names of all columns, in order, of a CSV or TSV file without a header line, such as label,text.",
)
encoding = click.option("--encoding", help="Encoding of text files, such as cp1252. [default: utf-8]")
text_or_json = click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of what is printed.",
)
text_column = click.option(
    "--text-column",
    multiple=True,
    metavar="NAME",
    help="Column with the text; repeat it to join several, in order. [default: one with a usual name]",
)


def _one_or_flags(context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> str | None:
    """The one column; several are columns of 1 and 0, as those of --label-columns."""
    if len(names) > 1:
        context.params["label_columns"] = (*context.params.get("label_columns", ()), *names)
    return names[0] if len(names) == 1 else None


def _more_flags(context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    return (*context.params.get("label_columns", ()), *names)


label_column = click.option(
    "--label-column",
    metavar="NAME",
    multiple=True,
    callback=_one_or_flags,
    help="Column with the label; repeat the option for columns of 1 and 0, one per label. [default: found]",
)
label_columns = click.option(
    "--label-columns",
    multiple=True,
    metavar="FIRST..LAST",
    callback=_more_flags,
    help="Columns of 1 and 0, one per label, from the first to the last.",
)
label_separator = click.option(
    "--label-separator", metavar="TEXT", help="What is between several labels in one cell, such as ';'."
)


def inputs(use: str) -> Decorator:
    """--input, for a command that makes this use of files."""
    return click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="FILE",
        shell_complete=completing("paths"),
        help=f"File, or its URL, with one text per row, or - for stdin; repeatable. {use}",
    )


def of_rows(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how the rows of --input are read."""
    of_labels = (label_column, label_columns, label_separator, label_prefix)
    of_tables = (delimiter, quote, column_names, encoding)
    for option in reversed((input_format, part, text_column, *of_labels, *of_tables)):
        command = option(command)
    return command


def id_column(use: str) -> Decorator:
    """--id-column, for a command that makes this use of it."""
    return click.option("--id-column", metavar="NAME", help=f"Column with an id of each document{use}")


def num_workers(kind: click.ParamType[Any], work: str, **more: Any) -> Decorator:
    """--num-workers, for a command whose processes do this work."""
    return click.option("--num-workers", type=kind, help=f"Number of processes that {work}", **more)


def engine(task: str) -> Decorator:
    """--engine and --ray-address, for a command that can do this as a task of Ray."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option(
            "--ray-address",
            metavar="ADDRESS",
            help="Ray cluster to work on: auto for the one of this machine, or HOST:PORT of its head node. "
            "[default: one is started on this machine]",
        )(command)
        return click.option(
            "--engine",
            type=click.Choice(ENGINES),
            default=ENGINES[0],
            show_default=True,
            help=f"Where the work is done: in processes of this machine, or on a Ray cluster, {task}.",
        )(command)

    return decorate


@contextmanager
def cluster(engine: str, address: str | None, *, most: int | None) -> "Iterator[Mapper | None]":
    """The cluster of --engine and --ray-address, with ``most`` tasks at once; None: the work is done here."""
    if engine == ENGINES[0]:
        if address is not None:
            raise UsageError("--ray-address goes with --engine ray: add it")
        yield None
        return
    from textclf.system import cluster

    with cluster.connected(address, most=most) as connected:
        yield connected


def seed(config: type, use: str) -> Decorator:
    """--seed, for a command that makes this use of it; its default is that of the config."""
    default = next(field.default for field in fields(config) if field.name == "seed")
    return click.option(
        "--seed", type=setting(config, "seed"), default=default, show_default=True, help=f"Random seed for {use}."
    )


def output(what: str, **more: Any) -> Decorator:
    """--output, for a command that writes this."""
    kind: click.Path[Path] = click.Path(path_type=Path, dir_okay="folder" in what)
    return click.option("--output", type=kind, metavar="PATH", help=f"Where to write {what}", **more)


def sort(columns: Iterable[str]) -> Decorator:
    """--sort, for a command that lists something in these columns."""
    return click.option(
        "--sort",
        type=click.Choice(list(columns)),
        default="age",
        show_default=True,
        help="Column to sort by: the newest, the largest or the best first.",
    )


data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    show_default=True,
    help="Folder of the data directories.",
)


def note_torch(trained: "Artefact") -> None:
    """Say on stderr that a model has no forward pass in numpy, so that predicting waits for torch."""
    if trained.user_model is not None:
        terminal.message(f"{trained.model} has no forward pass in numpy: it predicts through torch")
