"""Progress bars for calls from Python, in a notebook or on a terminal, by ``tqdm.auto``."""

import sys
from collections.abc import Iterable
from typing import Any


def is_wanted(progress: bool | None) -> bool:
    """Whether to show bars: as asked, else in a notebook, and where stderr is a terminal."""
    if progress is not None:
        return progress
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and hasattr(shell.get_ipython(), "kernel")


def of_items(items: Iterable[Any], title: str, total: int | None) -> Iterable[Any]:
    """Pass items through with a bar that goes when they end."""
    shown: Iterable[Any] = bar(items, desc=title, total=total, unit="batch", leave=False)
    return shown


def bar(items: Iterable[Any] | None = None, **shown: Any) -> Any:
    """A bar in a notebook or on stderr, whose thread does not run: a process with threads cannot be forked safely."""
    from tqdm.auto import tqdm

    interval, tqdm.monitor_interval = tqdm.monitor_interval, 0
    try:
        return tqdm(items, dynamic_ncols=True, **shown)
    finally:
        tqdm.monitor_interval = interval
