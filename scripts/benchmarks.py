"""Measures speed and memory of textclf and its peers in turns, and writes the tables in docs/ and README.md."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import blocks
import click
from speed import comparison, newsgroups, parts, prediction, preprocessing, record, training
from speed.figures import Row
from speed.materials import Materials


class Section(NamedTuple):
    """A group of rows of the table."""

    measure: Callable[[Materials, int], list[Row]]
    """Called with the materials and the number of turns; its docstring describes it in the help text."""
    repeats: int
    """Number of turns, so that all sections but `scale` take about ten minutes on two cores."""


SECTIONS: Final = {
    "newsgroups": Section(newsgroups.newsgroups, 3),
    "mlp": Section(training.mlp, 3),
    "waiting": Section(training.waiting, 1),
    "lstm": Section(parts.lstm, 3),
    "predict": Section(prediction.predict, 7),
    "preprocess": Section(preprocessing.preprocess, 3),
    "store": Section(parts.store, 7),
    "tokenizer": Section(parts.tokenizer, 7),
    "scale": Section(preprocessing.scale, 1),
}
ONCE: Final = ("waiting", "scale")
"""Sections with one turn: the first has many epochs, the second takes minutes."""


def described() -> str:
    """The help text, with the sections and what each measures."""
    about = "\n".join(
        f"{name:<12}{(section.measure.__doc__ or '').splitlines()[0]}" for name, section in SECTIONS.items()
    )
    return f"""Measure the given sections, or all, and write the tables of docs/benchmarks.md and README.md.

    The other sections of the table stay as they are.

    \b
    {about.replace(chr(10), chr(10) + "    ")}

    The first run installs the peers from the package index. All sections take about twenty minutes on two idle cores
    and up to 8 GB in the folder for temporary files (environment variable TMPDIR).
    """


@click.command(help=described())
@click.argument("names", metavar="[SECTION]...", nargs=-1, type=click.Choice(list(SECTIONS)))
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    help="Turns of each section except waiting and scale.  [default: 3 or 7]",
)
@click.option(
    "--write/--print", default=True, show_default=True, help="Whether to write docs/speed.json and the tables."
)
def main(names: tuple[str, ...], repeats: int | None, write: bool) -> None:
    """Measure sections one after the other; see `described`."""
    with tempfile.TemporaryDirectory(prefix="textclf-bench-") as folder:
        materials = Materials(Path(folder))
        for name in names or SECTIONS:
            section = SECTIONS[name]
            turns = 1 if name in ONCE else repeats or section.repeats
            click.echo(f"{name}:", err=True)
            rows = section.measure(materials, turns)
            click.echo(f"{record.text(rows)}\n")
            if write:
                keep(name, record.measured(rows, turns))
        click.echo("deleting temporary files ...", err=True)


def keep(name: str, section: record.Measured) -> None:
    """Write a section to the record and the tables immediately, since a later section may fail."""
    known = {**record.read(record.RECORD), name: section}
    in_order = {name: known[name] for name in SECTIONS if name in known}
    record.write(in_order, record.RECORD)
    blocks.write(blocks.SPEED, record.markdown(in_order))
    blocks.write(blocks.PEERS, comparison.markdown(in_order))


if __name__ == "__main__":
    main()
