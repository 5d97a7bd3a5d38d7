"""`textclf data`."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Final

from textclf.cli import commands, display, options, terminal
from textclf.dataset import finding
from textclf.errors import UsageError
from textclf.system import escaping
from textclf.system.wording import shown_age, shown_bytes

if TYPE_CHECKING:
    from textclf.dataset.data_list import Summary

KEYS: Final[Mapping[str, Callable[["Summary"], Any]]] = {
    "name": lambda data: data.path.name,
    "documents": lambda data: -sum(data.splits.values()),
    "labels": lambda data: -data.labels,
    "size": lambda data: -data.size,
    "age": lambda data: -data.made,
    "state": lambda data: data.state,
    "source": lambda data: data.source,
}
"""Column to the value that data directories are sorted by: names from A to Z, the largest first, the newest first."""


@commands.command("data")
@options.data_dir
@options.sort(KEYS)
@options.text_or_json
def command(data_dir: Path, sort: str, layout: str) -> None:
    """List the data directories that preprocess has made.

    * marks the newest, which textclf train takes by default. Columns that a terminal has no room for are left out; JSON
    has all.

    \b
    Examples:
      textclf data
      textclf data --sort size --format json
    """
    from textclf.dataset import data_list

    if data_dir != finding.DATA and not data_dir.is_dir():
        raise UsageError(f"no folder {data_dir}; name the folder of your data: --data-dir")
    found = sorted(data_list.summaries(data_dir), key=KEYS[sort])
    if layout == "json":
        terminal.result(escaping.to_json([_record(data) for data in found], indent=2))
    elif found:
        terminal.result(_table(found))
        for data in found:
            if data.error:
                terminal.detail(data.error)
    else:
        terminal.message(f"no data in {data_dir}; make some: textclf preprocess")


def _record(data: "Summary") -> dict[str, Any]:
    return {
        "name": data.path.name,
        "path": str(data.path),
        "latest": data.is_latest,
        "state": data.state,
        "source": data.source or None,
        "documents": dict(data.splits),
        "labels": data.labels or None,
        "bytes": data.size,
        "made": datetime.fromtimestamp(data.made, UTC).isoformat(timespec="seconds"),
        "error": data.error or None,
    }


def _table(found: list["Summary"]) -> str:
    now = time()
    head = {name: name for name in KEYS} | {"name": "  name"}
    rows = [_cells(data, now) for data in found]
    return display.fitted(
        {head[name]: [row[name] for row in rows] for name in KEYS},
        right=("documents", "labels", "size", "age"),
        drop=("source", "age", "size", "labels"),
        cut="  name",
    )


def _cells(data: "Summary", now: float) -> dict[str, str]:
    return {
        "name": f"{'*' if data.is_latest else ' '} {data.path.name}",
        "documents": f"{sum(data.splits.values()):,}" if data.splits else "",
        "labels": f"{data.labels:,}" if data.labels else "",
        "size": shown_bytes(data.size),
        "age": shown_age(now - data.made),
        "state": data.state,
        "source": data.source,
    }
