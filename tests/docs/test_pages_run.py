"""Every command and every piece of Python code of the documentation is run, in order, in a folder with small corpora.

One that cannot be run has the reason in a comment before it, or in its row of a table: <!-- not run: REASON -->.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.docs import pages
from textclf.cli import main

SHELL = re.compile(r"[|<>&$;]")
"""What only a shell understands, outside of quotation marks."""


LONG = {
    f"docs/{name}.md"
    for name in (
        "command-line", "evaluate", "few-labels", "lecture", "own-model", "scikit-learn", "suspects", "tickets", "tune",
    )
}  # fmt: skip
"""Pages that take five seconds or more. In each run of the tests, others try the commands that they show."""


def runnable() -> Iterator[object]:
    """The pages with something to run."""
    for name in pages.names():
        if any(not step.reason for step in pages.steps(name)):
            yield pytest.param(name, marks=pytest.mark.long if name in LONG else pytest.mark.slow)


def link_or_copy(source: str, target: str) -> None:
    """Copy a file that a page may change; the tensors of a data directory are only read."""
    if source.endswith(".pt") and "/data/" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@pytest.mark.parametrize("name", list(runnable()))
def test_what_a_page_shows_runs(name: str, small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    shutil.copytree(small_world, here, symlinks=True, copy_function=link_or_copy)
    monkeypatch.chdir(here)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    names: dict[str, object] = {"__name__": "page"}
    for step in pages.steps(name):
        if step.reason:
            continue
        place = f"{name}:{step.line}: {step.code}"
        if step.language == "file":
            name_of_file, _, content = step.code.partition("\n")
            Path(name_of_file).write_text(content, encoding="utf-8")
        elif step.language == "python":
            exec(compile(step.code, place, "exec"), names)
        else:
            code, output = run(step.code)
            assert code == 0, f"{place}\n{output}"


def run(command: str) -> tuple[int, str]:
    """Exit code and output of a command: in this process if it is one of textclf, else in a shell."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", command.split("  #", maxsplit=1)[0])
    if not command.startswith("textclf ") or SHELL.search(bare):
        shell = ["bash", "-o", "pipefail", "-c", command]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=100, check=False)
        return done.returncode, done.stdout + done.stderr
    result = CliRunner().invoke(main, shlex.split(command, comments=True)[1:])
    assert not result.exception or isinstance(result.exception, SystemExit), command
    return result.exit_code, result.output


def test_what_is_not_run_says_why() -> None:
    reasons = [step.reason for name in pages.names() for step in pages.steps(name) if step.reason]
    assert reasons
    assert all(len(reason) >= 15 for reason in reasons)


def test_a_block_that_would_be_passed_over_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PROJECT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```\ntextclf train\n```\n")
    with pytest.raises(ValueError, match=r"page\.md:1: the language"):
        list(pages.steps("page.md"))
    page.write_text("```text\ntextclf train\n```\n")
    with pytest.raises(ValueError, match=r"page\.md:1: a command"):
        list(pages.steps("page.md"))
    block = "```bash\n# why\npip install \\\n  textclf\nls\n```\n"
    page.write_text(f"<!-- not run: for a reason -->\n\n{block}| `textclf data` |\n")
    assert list(pages.steps("page.md")) == [
        pages.Step(5, "bash", "pip install   textclf", "for a reason"),
        pages.Step(7, "bash", "ls", "for a reason"),
        pages.Step(9, "bash", "textclf data", None),
    ]
