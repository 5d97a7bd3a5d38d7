"""Shows what a user keeps by name, for the commands that list, add and remove it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from textclf.cli import terminal
from textclf.system import escaping


class Summary(Protocol):
    """What is shown of one thing."""

    @property
    def path(self) -> Path:
        """Its folder."""

    @property
    def error(self) -> str:
        """What is wrong with it; empty if nothing is."""


Kept = TypeVar("Kept", bound=Summary)


def show_all(
    found: Sequence[Kept],
    layout: str,
    *,
    record: Callable[[Kept], dict[str, Any]],
    table: Callable[[Sequence[Kept]], str],
    none: str,
) -> None:
    """Print all of them as JSON or as a table; ``none`` is what is said if there is none."""
    if layout == "json":
        terminal.result(escaping.to_json([record(each) for each in found], indent=2))
    elif found:
        terminal.result(table(found))
        for each in found:
            if each.error:
                terminal.message(each.error)
    else:
        terminal.message(none)


def show(done: Kept, layout: str, *, record: Callable[[Kept], dict[str, Any]]) -> None:
    """Print the one that was added or removed, as JSON or by its path."""
    if layout == "json":
        terminal.result(escaping.to_json(record(done), indent=2))
    else:
        terminal.result_line(done.path)
