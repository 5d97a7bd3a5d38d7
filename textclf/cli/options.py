"""What a command is, and the options that several commands share."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from itertools import pairwise, takewhile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from textclf.artefacts import runs
from textclf.cli import settings_file, terminal
from textclf.cli.terminal import Volume
from textclf.errors import UsageError
from textclf.models import MODELS, is_known, unknown
from textclf.settings import Range, Rule, rules, shown
from textclf.system import names, startup

if TYPE_CHECKING:
    from textclf.artefacts.artefact import Artefact
    from textclf.cli.completing import Completions
    from textclf.system.workers import Mapper


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
"""What adds an option to a command."""


def _volume(volume: Volume) -> Callable[[click.Context, click.Parameter, bool], None]:
    """Callback of a flag: the last one on the command line decides, before or after the command's name."""

    def take(_context: click.Context, _parameter: click.Parameter, is_given: bool) -> None:
        if is_given:
            terminal.set_volume(volume)

    return take


def _flag(volume: Volume, *names: str, text: str) -> click.Option:
    return click.Option(names, is_flag=True, is_eager=True, expose_value=False, callback=_volume(volume), help=text)


ENGINES: Final = ("local", "ray")

VOLUMES: Final = (
    _flag(Volume.QUIET, "-q", "--quiet", text="Print results and errors only."),
    _flag(Volume.VERBOSE, "-v", "--verbose", text="Also print what is read, the settings and the time."),
    _flag(Volume.DEBUG, "--debug", text="Also print the traceback of an error."),
)
"""Options of every command; they also go before its name."""

SHARED: Final = (settings_file.option(), *VOLUMES)
"""Options of every command."""


_EMPTY: Final = {"quote", "label_prefix"}
"""Options whose value may be empty."""


class Command(click.Command):
    """A command with the options that all commands have. If verbose, it prints its settings and how long it took."""

    def __init__(self, name: str | None, *, params: list[click.Parameter] | None = None, **more: Any) -> None:
        super().__init__(name, params=[*(params or ()), *SHARED], **more)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line; a usage error for an option that is empty, as where a variable is not set."""
        named = {name: option for option in self.params for name in option.opts}
        words = list(takewhile(lambda word: word != "--", args))
        for word, value in [*pairwise(words), *(tuple(word.split("=", 1)) for word in words if word.endswith("="))]:
            option = named.get(word)
            if value == "" and isinstance(option, click.Option) and not option.is_flag and option.name not in _EMPTY:
                raise click.UsageError(f"{word} is empty: is a variable of the shell not set?", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if not terminal.says(Volume.NORMAL):
            startup.hide_progress_bars()
        if terminal.says(Volume.VERBOSE):
            terminal.details("\n".join(_settings(ctx)))
        start = perf_counter()
        try:
            return super().invoke(ctx)
        finally:
            terminal.detail(f"{ctx.info_name} took {perf_counter() - start:.2f} s")


command = partial(click.command, cls=Command)
"""Decorator that makes a function a command."""

_SOURCES: Final = {ParameterSource.COMMANDLINE: "given", ParameterSource.DEFAULT_MAP: "from the file"}
_LONGEST: Final = 60
"""Characters of a value that are shown."""


def _settings(ctx: click.Context) -> Iterator[str]:
    """A line for each option and argument that has a value."""
    for parameter in ctx.command.params:
        name = str(parameter.name)
        value = ctx.params.get(name)
        if value not in (None, ()):
            source = ctx.get_parameter_source(name) or ParameterSource.DEFAULT
            yield f"  {parameter.opts[-1]} {_as_given(value)} ({_SOURCES.get(source, 'default')})"


def _as_given(value: Any) -> str:
    from textclf.sources.urls import without_secrets  # only for --verbose: its hashlib takes 3 ms

    if isinstance(value, bool):
        return "yes" if value else "no"
    text = " ".join(without_secrets(str(each)) for each in (value if isinstance(value, tuple) else (value,)))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


class Number(click.ParamType[int | float]):
    """A number that a rule allows: the same one as in a TOML file and in Python."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.name = "integer" if rule.kind is int else "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        """The number; a usage error that says what it should be."""
        try:
            number: int | float = self.rule(_spelled(value, self.rule.kind) if isinstance(value, str) else value)
        except ValueError:
            self.fail(f"{shown(value)} is not {self.rule}", param, ctx)
        return number


def _spelled(text: str, kind: type) -> Any:
    """The number that a text spells, or the text."""
    try:
        return kind(text)
    except ValueError:
        return text


def setting(config: type, name: str) -> Number:
    """The type of an option that sets a number of a config."""
    return Number(rules(config)[name])


COUNT: Final = Number(Rule(int, Range(1)))
SHARE: Final = Number(Rule(float, Range(0, 1)))
POINTS: Final = Number(Rule(float, Range(0, 100)))


class Character(click.ParamType[str]):
    """One character, or the name of one that a shell makes hard to write."""

    name = "character"

    def __init__(self, **named: str) -> None:
        self.named = named

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The character; whether it fits is checked where it is used."""
        return self.named.get(str(value).lower(), str(value))


class ColumnNames(click.ParamType[tuple[str, ...]]):
    """Names of columns in their order, separated by commas."""

    name = "name,name,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names; a tuple, as the default is, stays one."""
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            self.fail(f"{shown(value)} is not a list of names", param, ctx)
        return tuple(names)


class ModelName(click.ParamType[str]):
    """A built-in model, one of an installed package, or a class in a file, which is not run here."""

    name = "model"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What the help shows in place of a value."""
        return f"[{'|'.join(MODELS)}|FILE.py:CLASS]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; a usage error that lists the models if there is no such one."""
        if not isinstance(value, str) or not is_known(value):
            self.fail(unknown(value), param, ctx)
        return str(value)


COMPLETE: Final = "_TEXTCLF_COMPLETE"
"""Environment variable by which a shell asks for completions."""


class Run(click.Path[Path]):
    """A run: `textclf.artefacts.runs.resolve` finds it where it is needed."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "Completions":
        """Names of runs."""
        from textclf.cli import completing

        return completing.run_names(incomplete)


class RunOrData(click.Path[Path]):
    """A run or a data directory: `run_or_data` finds it."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "Completions":
        """Names of both."""
        from textclf.cli import completing

        return completing.run_or_data_names(incomplete)


class Data(click.ParamType[str]):
    """A data directory: `textclf.dataset.finding.find` finds it."""

    name = "data"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "Completions":
        """Names of data directories."""
        from textclf.cli import completing

        return completing.data_names(ctx, incomplete)


Completer = Callable[[click.Context, click.Parameter, str], "Completions"]


def completing(what: str) -> Completer:
    """A function of `textclf.cli.completing`, which is imported where a shell asks for completions."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> "Completions":
        from textclf.cli import completing

        found: Completions = getattr(completing, what)(context, parameter, incomplete)
        return found

    return complete


RUN: Final = Run(path_type=Path)
RUN_OR_DATA: Final = RunOrData(path_type=Path)
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
