"""The command line of one file with a model: `textclf predict` without a run, on numpy and Python's own library alone.

What a file, a user or the machine can cause to fail is one line on stderr and an exit code, as in `textclf.errors`.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from textclf import __version__
from textclf.errors import ClosedPipeError, TextclfError, UsageError
from textclf.inference import job
from textclf.settings import Range, Rule
from textclf.system import escaping, failures, memory, startup, streams
from textclf.system.signals import ignore, stopping

COUNT: Final = Rule(int, Range(1))
SHARE: Final = Rule(float, Range(0, 1))
PORTS: Final = Rule(int, Range(0, 65535))
HOST: Final = "127.0.0.1"
PORT: Final = 8000
OLDEST_NUMPY: Final = 2
DELIMITERS: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
LAYOUTS: Final = ("text", "json", "jsonl", "csv", "spreadsheet", "parquet", "fasttext")
INPUT_FORMATS: Final = ("auto", "lines", "csv", "tsv", "jsonl", "json", "parquet", "xlsx", "fasttext")

ADDRESS_SPACE: Final = 110_000_000
"""Bytes of address space that numpy needs at least."""

EXAMPLES: Final = """\
examples:
  python {name} "Shares fell after the bank cut its forecast"
  python {name} --input rows.csv --format csv --output labels.csv
  python {name} --explain --top-k 3 - < lines.txt

in Python:
  import sys
  sys.path.insert(0, "{name}")
  import textclf
  model = textclf.load_model("{name}")
  print(model.predict(["Shares fell after the bank cut its forecast"]))

exit codes:
  0 done, 1 failed while running, 2 bad usage, 3 bad data, 4 this file is
  damaged, 5 out of disk, memory, open files, threads or processes, 130 Ctrl-C,
  141 the reader of stdout is gone, 143 SIGTERM
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; see --help")


def run(archive: str) -> int:
    """Run the program in a file, which is verified, with the arguments of this process; returns the exit code."""
    path = Path(archive)
    try:
        startup.configure_program()
        streams.occupy_closed()
        streams.escape_unencodable()
        with stopping(), streams.naming_closed_pipe():
            _run(path)
    except SystemExit as end:  # of --help and --version
        return int(end.code or 0)
    except (Exception, KeyboardInterrupt) as error:
        code = _report(error, path)
        if code is None:
            raise
        streams.discard_stdout()
        return code
    ignore()
    return 0


def _report(error: BaseException, path: Path) -> int | None:
    """Say on stderr why the program ended; returns its exit code, None for a bug."""
    if isinstance(error, ClosedPipeError):
        return error.exit_code
    explained = _missing(error) or failures.explain(error, "stdout")
    if isinstance(error, KeyboardInterrupt):
        explained = TextclfError("stopped")
    if explained is None:
        return None
    with suppress(OSError, ValueError):  # stderr may be full or closed
        _say(path, str(explained))
    return 130 if isinstance(error, KeyboardInterrupt) else explained.exit_code


def _missing(error: BaseException) -> TextclfError | None:
    """What to say of a package that is not installed."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if package in ("", "textclf"):
        return None
    return UsageError(
        f"the Python package {package} is missing; install it: {Path(sys.executable).name} -m pip install {package}"
    )


def _say(path: Path, message: str) -> None:
    """Write one line to stderr, with the name of the file."""
    print(f"{escaping.line(path.name)}: {escaping.line(' '.join(message.split()))}", file=sys.stderr)


def _run(path: Path) -> None:
    say = partial(_say, path)
    asked = vars(parser(path.name).parse_intermixed_args())
    serving = {name: asked.pop(name) for name in ("serve", "host", "port")}
    _refuse_both(asked, serving)
    if asked.pop("card"):
        from textclf.artefacts import model_folder

        sys.stdout.write(escaping.lines(model_folder.read_card(path)))
        return
    if serving.pop("serve"):
        _need_numpy()
        from textclf.standalone import serving as service

        service.serve(path, serving["host"] or HOST, PORT if serving["port"] is None else serving["port"], say=say)
        return
    wanted = job.Job.create(**asked)
    files = job.check(wanted)
    _need_numpy()
    from textclf.inference.classifier import load_model  # after the checks: numpy takes 0.1 s

    job.run(wanted, files, load_model(path), path, warn=say)


def _refuse_both(asked: Mapping[str, Any], serving: Mapping[str, Any]) -> None:
    """Raise UsageError for options of which one has no effect."""
    if serving["serve"] and (asked["texts"] or asked["inputs"]):
        raise UsageError("--serve takes no texts and no --input; leave them out")
    if not serving["serve"] and any(serving[name] is not None for name in ("host", "port")):
        raise UsageError("--host and --port go with --serve; add it, or leave them out")


def _need_numpy() -> None:
    """Raise UsageError if numpy is too old, ResourceError if memory is limited to less than it needs."""
    memory.refuse_small_limit(ADDRESS_SPACE)
    import numpy as np

    if int(np.__version__.split(".")[0]) < OLDEST_NUMPY:
        raise UsageError(
            f"numpy is {np.__version__}, and {OLDEST_NUMPY}.0 or newer is needed: {Path(sys.executable).name} -m pip "
            "install --upgrade numpy"
        )


def parser(name: str) -> argparse.ArgumentParser:
    """The options, of a file of this name."""
    name = escaping.line(name)
    made = Parser(
        prog=name,
        description="Predict the label of each text, or of each row of a file: one answer each, in\norder.",
        epilog=EXAMPLES.format(name=name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = made.add_argument
    add("texts", nargs="*", metavar="TEXT", help="text to predict; - stands for the lines of stdin")
    add("--version", action="version", version=f"textclf {__version__}")
    add("--card", action="store_true", help="show the model card: data, licence, figures, limits")
    _add_answers(made)
    _add_input(made.add_argument_group("files"))
    _add_serving(made.add_argument_group("serving over HTTP, with the packages fastapi, uvicorn and httptools"))
    return made


def _add_answers(made: argparse.ArgumentParser) -> None:
    add = made.add_argument
    add("--top-k", type=_number(COUNT), metavar="N", help="labels per text, the most probable first; default: 1")
    add("--explain", action="store_true", help="show how much each word adds to the margin of the label")
    add("--threshold", type=_number(SHARE), metavar="P", help="of several labels, give those this probable")
    add("--reject-below", type=_number(SHARE), metavar="P", help="give no label that is less probable than this")
    add(
        "--target-precision",
        type=_number(SHARE),
        metavar="P",
        help="give only labels of which this share is right on validation documents; none to texts unlike the corpus",
    )
    _add_choice(made, "--format", LAYOUTS, dest="layout")
    add(
        "--output",
        metavar="PATH",
        help="file for the answers, which appears when it is complete, or FOLDER/, which gets one for each --input",
    )
    add("--num-workers", type=_number(COUNT), metavar="N", help="processes; default: one per processor")


def _add_choice(group: Any, name: str, choices: Sequence[str], **more: str) -> None:
    """An option whose choices stand in its help: in the usage, they would be wider than a terminal."""
    shown = f"{', '.join(choices)}; default: {choices[0]}"
    group.add_argument(name, choices=choices, default=choices[0], metavar="FORMAT", help=shown, **more)


def _add_input(group: Any) -> None:
    add = group.add_argument
    add(
        "--input",
        dest="inputs",
        action="append",
        default=[],
        metavar="FILE",
        help="one text per row; repeatable; - is stdin",
    )
    _add_choice(group, "--input-format", INPUT_FORMATS)
    add("--part", metavar="NAME", help="list of documents in a JSON file, or sheet of a workbook")
    add(
        "--text-column",
        action="append",
        default=[],
        metavar="NAME",
        help="column with the text; repeat it to join several",
    )
    add("--label-column", metavar="NAME", help="column with the labels to compare the answers with")
    add("--label-columns", action="append", default=[], metavar="A..B", help="columns of 1 and 0, one per label")
    add("--label-separator", metavar="TEXT", help="between several labels in one cell")
    add("--id-column", metavar="NAME", help="column with an id to copy into the answer")
    add("--keep-columns", action="store_true", help="copy all columns of the files before the answers")
    add("--label-prefix", metavar="TEXT", help="how labels begin in fastText lines; default: __label__")
    add("--delimiter", type=_spelled(DELIMITERS), metavar="C", help="between the fields of a CSV or TSV file")
    add("--quote", type=_spelled({"none": ""}), metavar="C", help="around fields of a CSV or TSV file, or none")
    add(
        "--columns",
        type=_names,
        default=(),
        metavar="A,B",
        help="names of the columns of a table without a header line",
    )
    add("--encoding", metavar="NAME", help="encoding of text files; default: utf-8")
    add("--strict", action="store_true", help="stop at the first row that cannot be read")


def _add_serving(group: Any) -> None:
    add = group.add_argument
    add("--serve", action="store_true", help="answer over HTTP, with a page to try the model")
    add("--host", help=f"address to listen on; default: {HOST}")
    add("--port", type=_number(PORTS), help=f"default: {PORT}; 0: any free port")


def _number(rule: Rule) -> Callable[[str], int | float]:
    """The type of an option that is a number which a rule allows."""

    def convert(text: str) -> int | float:
        try:
            number: int | float = rule(rule.kind(text))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {rule}") from None
        return number

    return convert


def _spelled(named: dict[str, str]) -> Callable[[str], str]:
    """The type of an option that is a character, or the name of one that a shell makes hard to write."""
    return lambda text: named.get(text.lower(), text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))
