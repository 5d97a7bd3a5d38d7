"""Reads and writes docs/speed.json, the last measurements of each section, and formats them as tables."""

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from speed import peers
from speed.figures import HEAD, Row
from speed.processes import machine

RECORD: Final = Path(__file__).resolve().parents[2] / "docs" / "speed.json"

Measured = dict[str, Any]
"""A section of the record: date, machine, versions, repeats and rows."""


def read(path: Path) -> dict[str, Measured]:
    """The record, by section; empty if there is none."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def write(sections: Mapping[str, Measured], path: Path) -> None:
    """Write the record."""
    path.write_text(json.dumps(sections, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def measured(rows: Sequence[Row], repeats: int) -> Measured:
    """A section of the record, measured now on this machine."""
    packages = {name: version(name) for name in ("textclf", "torch", "numpy")}
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "versions": {"Python": platform.python_version(), **packages, **peers.versions()},
        "repeats": repeats,
        "rows": [row.to_json() for row in rows],
    }


def markdown(sections: Mapping[str, Measured]) -> str:
    """The table of docs/benchmarks.md, and lines with date, machine and versions."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    for section in sections.values():
        for row in section["rows"]:
            cells = " | ".join(cell.replace("|", r"\|") for cell in Row.from_json(row).cells())
            lines.append(f"| {cells} |")
    return "\n".join([*lines, "", *notes(sections)])


def notes(sections: Mapping[str, Measured]) -> list[str]:
    """One line for all sections with the same date, machine and versions."""
    groups: dict[str, list[str]] = {}
    for name, section in sections.items():
        groups.setdefault(_circumstances(section), []).append(f"`{name}` ({_times(section['repeats'])})")
    return [f"{', '.join(names)}: {circumstances}." for circumstances, names in groups.items()]


def text(rows: Sequence[Row]) -> str:
    """The rows as an aligned table for a terminal."""
    table = [HEAD, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(r, widths, strict=True)).rstrip() for r in table
    )


def _times(repeats: int) -> str:
    return "once" if repeats == 1 else f"{repeats} turns"


def _circumstances(section: Measured) -> str:
    place = section["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in section["versions"].items())
    return f"{section['date']}, {place['processor']}, {place['cores']} cores, {place['system']}; {versions}"
