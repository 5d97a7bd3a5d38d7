"""Counts in messages, in the singular or the plural, percentages, sizes and ages."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count and what is counted: "1 text", "2,000 texts", "1 copy is", "0 copies are".

    many: the plural, if it is not ``one`` with an s.
    """
    return f"{count:,} {form(count, one, many or f'{one}s')}"


def form(count: int, one: str, many: str) -> str:
    """The word that agrees with a count: "has" with 1, "have" with any other."""
    return one if count == 1 else many


def percent(share: float, *, digits: int = 0) -> str:
    """A share as a percentage, with a space that does not break: "95 %"; what only rounds to all is "> 99.9 %"."""
    most = 1 - 10.0 ** -(digits + 2)
    shown = f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"
    rounds_to_all = share < 1 and round(100 * share, digits) == 100
    return f">\N{NO-BREAK SPACE}{100 * most:.{digits}f}\N{NO-BREAK SPACE}%" if rounds_to_all else shown


def shown_age(seconds: float) -> str:
    """An age in the largest unit that it has two of: "59 s", "90 min", "47 h", "12 d"; one in the future is "0 s"."""
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{int(seconds // unit):,} {name}"
    return f"{max(int(seconds), 0)} s"


def shown_bytes(size: int) -> str:
    """A size in the largest unit that it has one of: "4.0 GB", "36 MB", "12 KB"."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}" if size < 10 * unit else f"{size / unit:,.0f} {name}"
    return counted(size, "byte")
