"""The directive `commands`: the reference of the command line, from the commands themselves."""

import inspect
import re
from collections.abc import Iterator

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from textclf.cli import GROUPS, main
from textclf.cli.commands import SHARED

SPECIAL = re.compile(r"([\\`*_\[\]<>#|~$])")
CODE = re.compile(r"(`[^`]+`|(?<![\w-])(?:--?[a-z][\w-]*|[\w./-]+\.(?:toml|json|jsonl|csv|py|txt)|\w+_\w+)(?![\w-]))")


class Commands(SphinxDirective):
    """A section for each command: what it does, examples, and its options."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        return self.parse_text_to_nodes("\n".join(reference()), allow_section_headings=True)


def reference() -> Iterator[str]:
    """The lines of the reference, in Markdown."""
    yield from ["## Options of every command", "", "They also work before the name of the command.", ""]
    yield from options("textclf", [each for each in SHARED if isinstance(each, click.Option)])
    for names in GROUPS.values():
        for name in names:
            yield from section(f"textclf {name}", main.commands[name])


def section(path: str, command: click.Command) -> Iterator[str]:
    """The lines of a command."""
    with click.Context(command, info_name=path) as context:
        usage = " ".join([path, *command.collect_usage_pieces(context)])
        yield from [f"## {path}", "", "```text", usage, "```", ""]
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
            yield from ["", *described(paragraph)]
        found = [each for each in command.params if isinstance(each, click.Option) and each not in SHARED]
        yield from ["", *options(path, found)]


def described(paragraph: str) -> Iterator[str]:
    """A paragraph of a help text; one that begins with a backspace has lines that click keeps, such as examples."""
    if not paragraph.startswith("\b"):
        yield markdown(paragraph)
        return
    lines = paragraph.splitlines()[1:]
    if lines[0].endswith(":"):
        yield from [lines.pop(0), ""]
    yield from ["```bash", *inspect.cleandoc("\n".join(lines)).splitlines(), "```"]


def options(path: str, found: list[click.Option]) -> Iterator[str]:
    """The options of a command, each with an anchor."""
    yield from [f":::{{program}} {path}", ":::", ""]
    for option in found:
        if option.hidden:
            continue
        with click.Context(click.Command(path)) as context:
            record = option.get_help_record(context)
        if record:
            yield from [f":::{{option}} {names(option, record[0])}", "", markdown(record[1].strip()), ":::", ""]


def names(option: click.Option, shown: str) -> str:
    """How an option is written, with its value: as in --help, one spelling after the other."""
    spelled = [*option.opts, *option.secondary_opts]
    value = "" if option.is_flag else shown.rsplit(maxsplit=1)[-1]
    return ", ".join(f"{each} {value}".strip() for each in spelled)


def markdown(text: str) -> str:
    """A plain text in Markdown: options, files and settings as code, and no other markup."""
    pieces = CODE.split(" ".join(text.split()))
    pieces[::2] = [SPECIAL.sub(r"\\\1", piece) for piece in pieces[::2]]
    pieces[1::2] = [f"`{piece.strip('`')}`" for piece in pieces[1::2]]
    return "".join(pieces)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
