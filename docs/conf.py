"""Sphinx builds the documentation from these settings; scripts/docs calls it. Nothing is fetched from another host."""

import os
import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

import textclf

DOCS = Path(__file__).resolve().parent
PROJECT = DOCS.parent
REPOSITORY = "https://github.com/textclf/textclf"

project = "textclf"
author = "the textclf authors"
copyright = author
version = release = textclf.__version__

sys.path.insert(0, str(DOCS / "_extensions"))
extensions = ["myst_nb", "sphinx.ext.autodoc", "commands", "gpu"]
nitpicky = True
default_role = "code"  # single backticks in docstrings
smartquotes = False  # two hyphens begin an option

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
DESCRIBED = r"textclf\.(config|errors|results|inference|estimator|evaluation\.evaluate\.Evaluation$|\w+$)"
# Types of other projects would need their inventories from the network, and ours are not all described.
nitpick_ignore_regex = [("py:.*", rf"(?!{DESCRIBED}).*"), ("py:.*", r".*\.classifier\.(Answers|Scores)")]

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "textclf"
html_static_path = ["_static"]
html_css_files = ["textclf.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {
    "source_repository": REPOSITORY,
    "source_branch": "main",
    "source_directory": "docs/",
    "top_of_page_buttons": [],
}

HERE = {
    "SECURITY.md": "guarantees.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
}
"""Files outside docs/ that a page includes."""
LINK = re.compile(r"(\]\()(?![a-z]+:|#|<)([^)\s#]+)(#[^)\s]*)?\)")


MARKUP = re.compile(r"\*|(?<=\w)_(?!\w)")
PUBLIC = {f"`{name}`": f":py:obj:`~textclf.{name}`" for name in textclf.__all__ if name != "TextclfError"} | {
    f"`config.{name}`": f":py:obj:`~textclf.config.{name}`" for name in ("PreprocessConfig", "TrainConfig")
}
"""Code in docstrings, and the link that it becomes."""


def relink(text: str, folder: Path, page: Path) -> str:
    """Links of a page as the site has them: to a page that includes the file, or to the file in the repository.

    Args:
        text: Markdown whose links are relative to `folder`.
        folder: Where the text is stored.
        page: The page of the site that shows it.
    """

    def replace(link: re.Match[str]) -> str:
        before, name, anchor = link[1], link[2], link[3] or ""
        target = (folder / name).resolve()
        if not target.is_relative_to(PROJECT):
            raise ValueError(f"{page}: {name} leads out of the project")
        path = target.relative_to(PROJECT).as_posix()
        if path in HERE:
            target = DOCS / HERE[path]
        elif not target.is_relative_to(DOCS) or target.suffix == ".json" or target.is_dir():
            return f"{before}{REPOSITORY}/blob/main/{path}{anchor})"
        return f"{before}{os.path.relpath(target, page.parent)}{anchor})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else LINK.sub(replace, part) for part in parts)


def read_page(app: Sphinx, name: str, content: list[str]) -> None:
    """Called with the source of each page."""
    page = Path(app.env.doc2path(name))
    if page.suffix == ".md":
        content[0] = relink(content[0], page.parent, page)


def read_include(app: Sphinx, path: Path, name: str, content: list[str]) -> None:
    """Called with the source of each file that a page includes."""
    content[0] = relink(content[0], (DOCS / path).resolve().parent, Path(app.env.doc2path(name)))


def read_docstring(app: Sphinx, kind: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Called with each docstring, which is plain text with code: names are linked, and nothing else is markup."""
    if lines and lines[0].startswith("Alias for field number"):  # of a tuple, which says nothing
        lines.clear()
    pieces = re.split(r"(``.+?``|`.+?`)", "\n".join(lines), flags=re.DOTALL)
    lines[:] = "".join(PUBLIC.get(piece, piece) if place % 2 else MARKUP.sub(r"\\\g<0>", piece)
                       for place, piece in enumerate(pieces)).splitlines()  # fmt: skip


def read_signature(*given: object) -> tuple[str | None, str | None]:
    """Called with each signature: the keyword that catches misspelled ones is left out."""
    signature, returns = given[-2:]
    return signature and re.sub(r", \*\*unknown: [~\w.]+", "", str(signature)), returns and str(returns)


def simplify_types(app: Sphinx, doctree: nodes.document) -> None:
    """Called with each page: types of settings are shown without the rules that check them."""
    for shown in doctree.findall(addnodes.desc_annotation):
        text = shown.astext()
        if "Annotated[" in text:
            text = re.sub(r"Annotated\[str, Choice\(names=(.*?)\)\]", r"Literal[\1]", text)
            shown.children = [nodes.Text(re.sub(r"Annotated\[(\w+), Range\(.*?\)\]", r"\1", text))]


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("autodoc-process-signature", read_signature)
    app.connect("doctree-read", simplify_types)
    app.connect("source-read", read_page)
    app.connect("include-read", read_include)
