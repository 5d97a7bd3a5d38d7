"""Reads and replaces the generated blocks of the documentation, which are enclosed by two marker lines."""

from pathlib import Path
from typing import Final, NamedTuple

PROJECT: Final = Path(__file__).resolve().parent.parent


class Block(NamedTuple):
    """A generated part of a page."""

    page: str
    """Path of the page in the project."""
    begin: str
    """The line before the block."""
    end: str
    """The line after the block."""

    def find(self, text: str) -> str:
        """The content of the block in the text."""
        return text.split(self.begin)[1].split(self.end, maxsplit=1)[0].strip("\n")

    def replace(self, text: str, content: str) -> str:
        """The text with new content in the block; raises ValueError unless the block occurs exactly once."""
        before, rest = text.split(self.begin)
        _, after = rest.split(self.end)
        return f"{before}{self.begin}\n{content.strip()}\n{self.end}{after}"


RESULTS: Final = Block(
    "docs/benchmarks.md", "<!-- results: written by scripts/reproduce -->", "<!-- end of results -->"
)
SPEED: Final = Block("docs/benchmarks.md", "<!-- speed: written by scripts/bench -->", "<!-- end of speed -->")
PEERS: Final = Block("README.md", "<!-- peers: written by scripts/bench -->", "<!-- end of peers -->")

SELECT: Final = Block(
    "docs/select.md", "<!-- rounds: written by scripts/select_rounds.py -->", "<!-- end of rounds -->"
)


def read(block: Block) -> str:
    """The content of a block of its page."""
    return block.find((PROJECT / block.page).read_text(encoding="utf-8"))


def write(block: Block, content: str) -> None:
    """Replace a block of its page."""
    page = PROJECT / block.page
    page.write_text(block.replace(page.read_text(encoding="utf-8"), content), encoding="utf-8")
