"""Counts in messages, in the singular or the plural."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count and what is counted: "1 text", "2,000 texts", "1 copy is", "0 copies are".

    many: the plural, if it is not ``one`` with an s.
    """
    return f"{count:,} {form(count, one, many or f'{one}s')}"


def form(count: int, one: str, many: str) -> str:
    """The word that agrees with a count: "has" with 1, "have" with any other."""
    return one if count == 1 else many
