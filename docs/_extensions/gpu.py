"""The directive `gpu`: what scripts/gpu-check measured on a card, from docs/gpu.json; or that nobody has run it yet."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

RECORD = Path(__file__).resolve().parent.parent / "gpu.json"
NOT_MEASURED = "**Not measured yet**: `scripts/gpu-check` has not run on a card."

Figures = dict[str, Any]


class Gpu(SphinxDirective):
    """The tables."""

    def run(self) -> list[nodes.Node]:
        """The nodes of the tables."""
        self.env.note_dependency(str(RECORD))
        record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else None
        return self.parse_text_to_nodes("\n".join(lines(record)))


def lines(record: Figures | None) -> Iterator[str]:
    """The lines of the tables, in Markdown."""
    if record is None:
        yield NOT_MEASURED
        return
    versions = record["versions"]
    yield f"{record['device']}, torch {versions['torch']}, CUDA {versions['cuda']}, {record['date']}:"
    if record["steps"]:
        yield from ["", *steps(record["steps"])]
    yield from ["", *accuracies(record["models"])]
    for problem in record["problems"]:
        yield from ["", f"Problem: {problem.splitlines()[0]}"]


def steps(measured: Figures) -> Iterator[str]:
    """Documents per second of each model, and the share of the bandwidth of a copy that a step reaches."""
    yield "| model | products | documents | documents/s | MB per document | share of the bandwidth |"
    yield "|---|---|---|---:|---:|---:|"
    for row in measured["rows"]:
        where = "on the device" if row["resident"] else "by the loader"
        size = f"{row['bytes_per_document'] / 1e6:.2f}" if "bytes_per_document" in row else ""
        share = f"{row['share_of_copy']:.0%}" if "share_of_copy" in row else ""
        speed = f"{row['documents_per_second']:,.0f}"
        yield f"| {row['model']} | {row['precision']} | {where} | {speed} | {size} | {share} |"
    sizes = measured["sizes"]
    yield ""
    yield (
        f"A copy reaches {measured['copy'] / 1e9:,.0f} GB/s, a gather of random rows {measured['gather'] / 1e9:,.0f} "
        f"GB/s. The mlp has {sizes['features']:,} features, {sizes['width']} wide, and {sizes['per_document']} in a "
        "document."
    )


def accuracies(models: Figures) -> Iterator[str]:
    """Mean accuracy and speed of whole runs on each device."""
    yield "| model | device | test accuracy | documents/s |"
    yield "|---|---|---:|---:|"
    for model, devices in models.items():
        for device, figures in devices.items():
            speed = f"{figures['documents_per_second']:,.0f}"
            yield f"| {model} | {device} | {mean(figures['accuracies']):.4f} | {speed} |"


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("gpu", Gpu)
    return {"parallel_read_safe": True}
