"""Sections that explain the others: rates of parts of textclf, measured by `speed.inside`."""

import json
import sys
from pathlib import Path
from typing import NamedTuple

from speed.figures import Row, Sample
from speed.materials import Materials
from speed.peers import Command
from speed.processes import run


class Rates(NamedTuple):
    """Rates of several ways of doing the same."""

    by_way: dict[str, tuple[float, ...]]
    """Amount per second, for each turn."""

    def row(self, measure: str, unit: str, ours: tuple[str, str], against: tuple[str, str]) -> Row:
        """A row of the table; ``ours`` and ``against`` are each a way and the name to show."""
        mine, other = (Sample(shown, self.by_way[way]) for way, shown in (ours, against))
        return Row(measure, unit, mine, other)


def measured_inside(part: str, path: Path, repeats: int = 1) -> Rates:
    """Run a part of `speed.inside` in a new process."""
    command: Command = [sys.executable, Path(__file__).with_name("inside.py"), part, path, "--repeats", str(repeats)]
    printed = json.loads(run(command, Path.cwd(), memory=False).output)
    return Rates(
        {way: tuple(printed["amount"] / seconds for seconds in taken) for way, taken in printed["seconds"].items()}
    )


def tokenizer(materials: Materials, repeats: int) -> list[Row]:
    """Tokens per second on BBC news: our tokenizer, a regular expression with a dictionary, Arrow's kernels."""
    rates = measured_inside("tokenizer", materials.folder("tokenizer"), repeats)
    measure = "tokenizing bbc_news in one process"
    pattern, arrow = ("pattern", r"`re.findall(\w+ or a mark)` and a dictionary"), ("arrow", "pyarrow kernels")
    new, remembering = ("new", "a new tokenizer"), ("remembering", "one that has seen the texts")
    pairs = [(new, pattern), (new, arrow), (remembering, pattern)]
    return [rates.row(measure, "tokens/s", ours, against) for ours, against in pairs]


def store(materials: Materials, repeats: int) -> list[Row]:
    """Documents per second written to and read from .pt files of 200 tokens, in the page cache, and the packed copy."""
    rates = measured_inside("store", materials.folder("store"), repeats)
    load = ("torch.load", "`torch.load(weights_only=True)`")
    return [
        rates.row(
            "writing one `.pt` file per document", "documents/s", ("write", "`write`"), ("torch.save", "`torch.save`")
        ),
        rates.row("reading one `.pt` file per document", "documents/s", ("read", "`read`"), load),
        rates.row("reading the packed copy, by batches", "documents/s", ("packed", "`gather`"), load),
    ]


def lstm(materials: Materials, repeats: int) -> list[Row]:
    """Documents per second in training steps of the lstm on Reuters R8, sorted by length or in random order."""
    rates = measured_inside("lstm", materials.folder("lstm"), repeats)
    against = ("unsorted", "the same model, padded batches in random order")
    return [rates.row("`lstm`, training steps", "documents/s", ("by length", "batches of similar length"), against)]
