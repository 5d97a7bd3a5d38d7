"""Reads and replaces the generated blocks of the README, which are enclosed by two marker lines."""

from pathlib import Path
from typing import Final, NamedTuple

README: Final = Path(__file__).resolve().parent.parent / "README.md"


class Block(NamedTuple):
    """A generated part of a text."""

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


RESULTS: Final = Block("<!-- results: written by scripts/reproduce -->", "<!-- end of results -->")
SPEED: Final = Block("<!-- speed: written by scripts/bench -->", "<!-- end of speed -->")


def read(block: Block) -> str:
    """The content of a block of the README."""
    return block.find(README.read_text(encoding="utf-8"))


def write(block: Block, content: str) -> None:
    """Replace a block of the README."""
    README.write_text(block.replace(README.read_text(encoding="utf-8"), content), encoding="utf-8")
