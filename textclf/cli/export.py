"""`textclf export`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from textclf.cli import commands, options, terminal, values
from textclf.cli.display import table
from textclf.settings import Range, Rule
from textclf.system import escaping
from textclf.system.wording import counted

if TYPE_CHECKING:
    from textclf.export.contents import Exported

UNITS: Final = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
SCORES: Final = (("accuracy", "accuracy"), ("micro-F1", "micro_f1"), ("macro-F1", "macro_f1"), ("loss", "loss"))


class Size(click.ParamType[int]):
    """A number of bytes: 500kB, 2MB, 1.5MiB or 2000000."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes; a usage error if the value is not a size."""
        found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?) *([A-Z]*)", str(value).strip().upper(), re.ASCII)
        size = int(float(found[1]) * UNITS[found[2]]) if found and found[2] in UNITS else 0
        if not size:
            self.fail(f"{value!r} is not a size such as 500kB, 2MB or 1.5MiB", param, ctx)
        return size


@commands.command("export")
@options.run
@options.code
@options.output("the export: a folder, or a file for --format pyz, which must not exist.", required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["safetensors", "onnx", "pyz"]),
    default="safetensors",
    show_default=True,
    help="Format of what is written. safetensors: a run. onnx: for ONNX Runtime. pyz: one file for any Python with "
    "numpy.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "int8", "int4"]),
    help="Number type of the weights. [default: the most exact that fits --max-size; without --max-size int8]",
)
@click.option("--max-size", type=Size(), help="Maximum total size, e.g. 2MB.")
@click.option(
    "--max-drop",
    type=values.Number(Rule(float, Range(0))),
    default=0.5,
    show_default=True,
    help="Maximum loss of accuracy in percentage points; if more is lost, nothing is exported.",
)
@options.split("; it does not influence the export")
def command(run: Path, code: tuple[Path, ...], form: str, **given: Any) -> None:
    """Make a run's model smaller, or convert it, and test it.

    Weights are rounded to float16, int8 or int4. If that is not small enough, the least important words, pairs of words
    and subwords are removed. The export is a run that every command takes; copy its model/ folder to use it elsewhere.
    An export in --format onnx is for ONNX Runtime. Its metrics.json has the figures of both models, as "exported". One
    in --format pyz is a file with the model and the code that predicts, for Python and numpy alone: python FILE --help.

    \b
    Examples:
      textclf export --output small --max-size 2MB
      textclf export --output for-onnx --format onnx --max-drop 0.1
      textclf export --output tickets.pyz --format pyz --max-size 8MB
    """
    from textclf.export.exporting import ExportRequest, export

    exported = export(options.resolved(run), ExportRequest(form=form, **given), code=code)
    terminal.result(_text(exported))


def _text(exported: "Exported") -> str:
    before, after = exported.before, exported.after
    lost = "accuracy" if before.accuracy == before.micro_f1 else "micro-F1"
    scores = [(name, f"{getattr(before, key):.4f}", f"{getattr(after, key):.4f}") for name, key in SCORES]
    rows = [
        ("weights", before.precision, after.precision),
        ("features", f"{before.features:,}", f"{after.features:,}"),
        ("bytes" if exported.form == "pyz" else "bytes of model/", f"{before.size:,}", f"{after.size:,}"),
        *scores,
    ]
    return "\n".join(
        [
            f"{escaping.line(exported.run)}, {exported.split} split: {counted(exported.documents, 'document')}",
            "",
            table(("", "before", "after"), rows, align="<>>"),
            "",
            f"{exported.drop:.2f} points of {lost} lost, {exported.agreement:.2%} of documents get the same answer",
            escaping.line(exported.output),
        ]
    )
