"""Refresh the line numbers in docs/lecture.md, whose table quotes a line of code for each topic."""

import re
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LECTURE: Final = ROOT / "docs" / "lecture.md"
QUOTE: Final = re.compile(r"\[[^\]]*\]\(\.\./(?P<path>[\w./]+)#L(?P<line>\d+)\) \| `(?P<code>[^`]+)` \|")
"""A link to a line of a file, and the code that is on it."""


def find(quote: re.Match[str], root: Path = ROOT) -> int:
    """The line number of the quoted code in its file, the nearest to the old one; raises ValueError if it is gone."""
    path, code, old = quote["path"], quote["code"], int(quote["line"])
    lines = (root / path).read_text(encoding="utf-8").splitlines() if (root / path).is_file() else []
    numbers = [number for number, line in enumerate(lines, start=1) if code in line]
    if not numbers:
        raise ValueError(f"docs/lecture.md: no line of {path} has {code!r}; quote another line for this topic")
    return min(numbers, key=lambda number: abs(number - old))


def refresh(text: str, root: Path = ROOT) -> tuple[str, list[str]]:
    """The text with the present line numbers, and a line for each quote that is gone."""
    gone = []

    def link(quote: re.Match[str]) -> str:
        try:
            line = find(quote, root)
        except ValueError as error:
            gone.append(str(error))
            return quote[0]
        return f"[{Path(quote['path']).name}:{line}](../{quote['path']}#L{line}) | `{quote['code']}` |"

    return QUOTE.sub(link, text), gone


def main() -> None:
    """Rewrite docs/lecture.md; exit with 1 if a quote is gone."""
    text, gone = refresh(LECTURE.read_text(encoding="utf-8"))
    LECTURE.write_text(text, encoding="utf-8")
    if gone:
        sys.exit("\n".join(gone))


if __name__ == "__main__":
    main()
