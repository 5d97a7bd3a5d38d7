"""The commands and the Python code that a page shows, in order, and the reasons why some are not run."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import textclf

PROJECT = Path(textclf.__file__).parent.parent
DOCS = PROJECT / "docs"
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")
FILE = re.compile(r"<!-- file: (.+?) -->")
"""Before a block: it is stored as this file when the page is run."""
GENERATED = re.compile(r"<!-- \w+: written by (.+?) -->")
END_OF_GENERATED = re.compile(r"<!-- end of \w+ -->")
LANGUAGES = {"bash", "console", "python"}
"""Blocks in these languages are run."""
SHOWN = {"text", "json", "toml", "{include}", "{toctree}", "{eval-rst}", "{commands}", "{gpu}"}
"""Blocks that hold no command: outputs, files, directives of Sphinx."""
COMMAND = re.compile(r"^(\$ )?(textclf |python |pip |scripts/|\.venv/)", re.MULTILINE)


class Step(NamedTuple):
    """Something that a page shows and a reader may run."""

    line: int
    """Where it begins in the page."""
    language: str
    """bash, python, or file, whose code is the name and then the content."""
    code: str
    reason: str | None
    """Why it is not run, if so."""


def names() -> list[str]:
    """The pages with code, as paths in the project."""
    return ["README.md", *(path.relative_to(PROJECT).as_posix() for path in sorted(DOCS.rglob("*.md")))]


def steps(name: str) -> Iterator[Step]:
    """The steps of a page; raises ValueError for a block whose language does not say whether it is run."""
    lines = (PROJECT / name).read_text(encoding="utf-8").splitlines()
    place = 0
    reason: str | None = None
    file: str | None = None
    while place < len(lines):
        line = lines[place]
        if fence := re.match(r"\s*(```+)(\S*)", line):
            end = next(at for at in range(place + 1, len(lines)) if lines[at].strip() == fence[1])
            code = textwrap.dedent("\n".join(lines[place + 1 : end]))
            if file:
                yield Step(place + 1, "file", f"{file}\n{code}\n", None)
            if not file or fence[2] == "python":
                yield from _block(name, place + 1, fence[2], code, reason)
            place, reason, file = end, None, None
        elif line.startswith("|"):
            why = NOT_RUN.search(line)
            for code in re.findall(r"(?<!`)`(textclf [a-z-]+(?: [^`]+)?)`", line):
                yield Step(place + 1, "bash", code, why[1] if why else None)
        elif GENERATED.search(line):
            place = next(at for at in range(place, len(lines)) if END_OF_GENERATED.search(lines[at]))
        elif why := NOT_RUN.search(line):
            reason = why[1]
        elif stored := FILE.search(line):
            file = stored[1]
        place += 1


def _block(name: str, line: int, language: str, code: str, reason: str | None) -> Iterator[Step]:
    if language not in LANGUAGES | SHOWN:
        raise ValueError(f"{name}:{line}: the language of this block is {language!r}")
    if language in SHOWN:
        if COMMAND.search(code):
            raise ValueError(f"{name}:{line}: a command in a block of {language}, which is not run")
    elif language == "python":
        yield Step(line, language, code, reason)
    else:
        for number, command in commands(code, prompts=language == "console"):
            yield Step(line + number, "bash", command, reason)


def commands(code: str, *, prompts: bool) -> Iterator[tuple[int, str]]:
    """The commands of a block with their lines in it, from 1: those behind a prompt, or all that are no comment."""
    lines = enumerate(code.splitlines(), 1)
    for number, line in lines:
        if prompts and not line.startswith("$ "):
            continue
        command = line.removeprefix("$ ") if prompts else line
        while command.endswith("\\"):
            command = f"{command[:-1]}{next(lines)[1]}"
        if command.strip() and not command.startswith("#"):
            yield number, command
