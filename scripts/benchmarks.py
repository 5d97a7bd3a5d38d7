"""Speed and memory of textclf beside its peers, in turns in one run, and the README's table of it."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import click
import readme
from speed import newsgroups, parts, prediction, preprocessing, record, training
from speed.figures import Row
from speed.materials import Materials


class Section(NamedTuple):
    """Some rows of the table."""

    measure: Callable[[Materials, int], list[Row]]
    """Given what to measure with, and how often; its docstring says what it measures."""
    repeats: int
    """As often as fits into some ten minutes for all but `scale`, on two cores."""


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
"""Sections that do not repeat: one has many epochs, the other takes minutes."""


def described() -> str:
    """The sections and what each measures, for the help text."""
    about = "\n".join(
        f"{name:<12}{(section.measure.__doc__ or '').splitlines()[0]}" for name, section in SECTIONS.items()
    )
    return f"""Measure the sections named, or all, and write the README's speed table.

    What was measured of the other sections before stays in it.

    \b
    {about.replace(chr(10), chr(10) + "    ")}

    The first run installs the peers, and needs the package index. All of it takes about twenty minutes on two quiet
    cores, and up to 8 GB in the folder for temporary files, which the variable TMPDIR names.
    """


@click.command(help=described())
@click.argument("names", metavar="[SECTION]...", nargs=-1, type=click.Choice(list(SECTIONS)))
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    help="Turns of each section but waiting and scale, which run once.  [default: 3 or 7]",
)
@click.option("--write/--print", default=True, show_default=True, help="Into docs/speed.json and the README, or not.")
def main(names: tuple[str, ...], repeats: int | None, write: bool) -> None:
    """Measure sections, one after the other; see `described`."""
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
        click.echo("deleting what was written ...", err=True)


def keep(name: str, section: record.Measured) -> None:
    """Put a section into the record and the README, at once: a later one may fail."""
    known = {**record.read(record.RECORD), name: section}
    in_order = {name: known[name] for name in SECTIONS if name in known}
    record.write(in_order, record.RECORD)
    readme.write(readme.SPEED, record.markdown(in_order))


if __name__ == "__main__":
    main()
