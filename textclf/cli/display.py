"""Output that commands share: tables, progress bars, the report of a data directory."""

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, Final

from textclf.cli import terminal
from textclf.system import escaping
from textclf.system.wording import counted, shown_bytes

if TYPE_CHECKING:
    from tqdm import tqdm

    from textclf.dataset.data_report import DataReport, Problem
    from textclf.dataset.examples import Example
    from textclf.dataset.preview import Preview
    from textclf.sources import Columns

MOST_LABELS: Final = 20
"""Classes that a report lists by name."""
_NARROWEST: Final = 12
"""Columns that a cell may always have."""
MOST_GROUPS: Final = 3
"""Groups of documents that a report lists for a problem."""


def progress(items: Iterable[Any], title: str, total: int | None) -> Iterable[Any]:
    """Pass items through with a progress bar on stderr, if that is a terminal."""
    return bar(items, desc=title, total=total, unit="batch")


def bar(items: Iterable[Any] | None = None, **shown: Any) -> "tqdm[Any]":
    """A progress bar on stderr, if that is a terminal."""
    from tqdm import tqdm as progress_bar

    progress_bar.monitor_interval = 0  # no thread of its own: a process with threads cannot be forked safely
    return progress_bar(items, disable=terminal.no_bar(), leave=False, dynamic_ncols=True, **shown)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, align: str) -> str:
    """A header and rows in aligned columns, cells escaped; ``align`` has < or > for each column."""
    return aligned([head, *rows], align=align)


def aligned(rows: Iterable[Sequence[str]], *, align: str) -> str:
    """Rows in aligned columns, like `table`."""
    cells = [tuple(map(escaping.line, row)) for row in rows]
    widths = [max(map(columns_of, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(map(_padded, row, align, widths)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def fitted(
    columns: Mapping[str, Sequence[str]],
    *,
    right: Collection[str] = (),
    drop: Iterable[str] = (),
    cut: str,
    width: int | None = None,
) -> str:
    """A table no wider than the terminal, or 80 columns where there is none; cells are escaped.

    columns: name to cells. right: columns aligned to the right. While the table is too wide, the columns of ``drop``
    are left out one by one; what is left of ``cut`` has an ellipsis in the middle of long cells.
    """
    width = width or get_terminal_size().columns
    shown = {name: [escaping.line(cell) for cell in (name, *cells)] for name, cells in columns.items()}
    for name in drop:
        if _width(shown) > width:
            del shown[name]
    if (excess := _width(shown) - width) > 0:
        most = max(max(map(columns_of, shown[cut])) - excess, _NARROWEST)
        shown[cut] = [shortened_to(most, cell) for cell in shown[cut]]
    align = "".join(">" if name in right else "<" for name in shown)
    return aligned(zip(*shown.values(), strict=True), align=align)


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    return sum(max(map(columns_of, cells)) for cells in columns.values()) + 2 * (len(columns) - 1)


def shortened_to(width: int, text: str) -> str:
    """Text that takes at most these columns of a terminal: beginning and end around an ellipsis."""
    if columns_of(text) <= width:
        return text
    ends = len(text) // 2
    while columns_of(text[:ends]) + columns_of(text[-ends:]) >= width and ends > 1:
        ends -= 1
    return f"{text[:ends]}…{text[-ends:]}"


def listed(title: str, items: Sequence[str]) -> str:
    """A title and items, escaped, in lines that fit 80 columns, none of which ends within an item."""
    whole = [escaping.line(item).replace(" ", "\xa0") for item in items] or ["none"]
    text = f"{title}: {', '.join(whole)}"
    return terminal.wrapped(text, indent="  ").replace("\xa0", " ")


def option_of(setting: str) -> str:
    """The option that sets a setting."""
    return f"--{setting.replace('_', '-')}"


def value_of(value: Any) -> str:
    """The value of a setting, for a person."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def columns_of(text: str) -> int:
    """Columns of a terminal that a text takes: two for a wide character, none for one that joins the one before."""
    return len(text) if text.isascii() else sum(map(_columns_of_character, text))


def _columns_of_character(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _padded(cell: str, side: str, width: int) -> str:
    blank = " " * (width - columns_of(cell))
    return cell + blank if side == "<" else blank + cell


def span(interval: tuple[float, float], *, sign: bool = False) -> str:
    """An interval as text, with signs if it is a difference."""
    low, high = (f"{end:+.4f}" if sign else f"{end:.4f}" for end in interval)
    return f"{low} to {high}"


LENGTHS: Final = (("shortest", "min"), ("median length", "median"), ("95 % up to", "p95"), ("longest", "max"))
"""Names of the lengths of documents, in tokens, and their keys in a report."""


def show_report(report: "DataReport") -> str:
    """The report of a data directory as text."""
    from textclf.dataset.data_report import problems

    splits = [
        ("documents", *(f"{split.documents:,}" for split in report.splits.values())),
        ("classes", *(f"{len(split.labels):,}" for split in report.splits.values())),
        ("tokens", *(f"{split.tokens:,}" for split in report.splits.values())),
        ("unknown tokens", *(f"{split.unknown:.2%}" for split in report.splits.values())),
        ("empty documents", *(f"{split.empty:,}" for split in report.splits.values())),
        ("cut documents", *(f"{split.truncated:,}" for split in report.splits.values())),
        *((name, *(f"{split.lengths[key]:,}" for split in report.splits.values())) for name, key in LENGTHS),
    ]
    align = "<" + ">" * len(report.splits)
    copies = report.duplicates
    sentences = [
        f"duplicates: {counted(copies['copies'], 'copy', 'copies')} of an earlier text, "
        f"{copies['crossing']:,} in another split; "
        f"{counted(copies['conflicting'], 'text', 'texts')} with two labels",
        f"near-copies: {counted(copies['near'], 'document is', 'documents are')} nearly the same as an earlier one, "
        f"{copies['near_crossing']:,} in another split",
        *(escaping.line(f"note: {note}") for note in report.notes),
    ]
    lines = [
        escaping.line(f"{report.name}, from {report.source}"),
        "",
        table(("", *report.splits), splits, align=align),
        "",
        _by_label(report),
        "",
        *(terminal.wrapped(sentence, indent="  ") for sentence in sentences),
        *(line for problem in problems(report) for line in _problem_lines(problem)),
    ]
    return "\n".join(lines)


def _by_label(report: "DataReport") -> str:
    """The documents of each label by split."""
    head, *rows = (("label", *report.splits), *_label_rows(report))
    columns = dict(zip(head, zip(*rows, strict=True), strict=True))
    return fitted(columns, right=report.splits, cut="label")


def _problem_lines(problem: "Problem") -> Iterator[str]:
    """A problem and some of the documents that show it, a group on each line."""
    yield terminal.wrapped(escaping.line(f"problem: {problem.sentence}"), indent="  ")
    for group in problem.groups[:MOST_GROUPS]:
        yield terminal.wrapped(f"    {'; '.join(map(_named, group))}", indent="      ")
    if problem.groups and problem.total > MOST_GROUPS:
        yield f"    and {problem.total - MOST_GROUPS:,} more: textclf check DATA --format json"


def _named(example: "Example") -> str:
    from textclf.sources.document import shortened

    return f"{example.split} {shortened(example.id)}, label {shortened(example.label)}"


def show_preview(preview: "Preview") -> str:
    """What `preprocess --dry-run` found, as text."""
    from textclf.sources.document import shortened

    labels = list(dict.fromkeys(label for split in preview.labels.values() for label in split))
    rows = [
        (label, *(f"{split.get(label, 0):,}" for split in preview.labels.values())) for label in labels[:MOST_LABELS]
    ]
    if len(labels) > MOST_LABELS:
        rows.append((f"and {len(labels) - MOST_LABELS:,} more", *("" for _ in preview.labels)))
    rows.append(("all", *(f"{sum(split.values()):,}" for split in preview.labels.values())))
    first = [(document.id, ", ".join(document.labels), shortened(document.text)) for document in preview.documents]
    lines = [
        escaping.line(f"{preview.name}, from {preview.source}"),
        show_columns(preview.columns),
        fitted(dict(zip(("id", "label", "text"), zip(*first, strict=True), strict=True)), cut="text"),
        table(("label", *preview.labels), rows, align="<" + ">" * len(preview.labels)),
        *(f"{split}: {share:.0%} of train would be drawn" for split, share in preview.drawn.items()),
        _room(preview),
        *(terminal.wrapped(escaping.line(f"note: {note}"), indent="  ") for note in preview.notes),
        "nothing was written: this was a dry run",
    ]
    return "\n".join(filter(None, lines))


def _room(preview: "Preview") -> str:
    """How much room the data directory would take, and how much with or without a .pt file for each document."""
    sizes = {
        name: f"about {shown_bytes(room.bytes)} in {counted(room.files, 'file')}"
        for name, room in preview.rooms.items()
    }
    chosen = sizes.pop(preview.tensors)
    others = [f"with --tensors {name} {size}" for name, size in sizes.items()]
    return terminal.wrapped("; ".join([f"it would take {chosen}", *others]), indent="  ")


def show_columns(columns: "Columns") -> str:
    """One line about the columns that were read, and how; empty if there are none."""
    from textclf.sources.columns import listed
    from textclf.sources.dialect import in_shell

    roles = {"text": columns.text, "label": columns.flags or (columns.label or "",), "id": (columns.id or "",)}
    parts = [f"{role} {listed(names)}" for role, names in roles.items() if any(names)]
    if columns.separator is not None:
        parts += [f"labels separated by {in_shell(columns.separator)}"]
    if parts and columns.delimiter is not None:
        parts += [f"delimiter {in_shell(columns.delimiter)}", f"quote {in_shell(columns.quote or '')}"]
    if parts and columns.encoding is not None:
        parts += [f"encoding {columns.encoding}"]
    return escaping.line(f"columns: {'; '.join(parts)}") if parts else ""


def _label_rows(report: "DataReport") -> list[tuple[str, ...]]:
    labels = list(report.splits["train"].labels)
    rows = [
        (label, *(f"{split.labels.get(label, 0):,}" for split in report.splits.values()))
        for label in labels[:MOST_LABELS]
    ]
    if len(labels) > MOST_LABELS:
        rows.append((f"and {len(labels) - MOST_LABELS:,} more", *("" for _ in report.splits)))
    return rows
