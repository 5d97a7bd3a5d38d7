"""The documentation, the help texts and the settings say the same thing."""

import dataclasses
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import textclf
from tests.conftest import TEXTS, small_config
from textclf import training
from textclf.cli import main
from textclf.cli.commands import SHARED
from textclf.config import TIERS, PreprocessConfig, TrainConfig
from textclf.models import MODELS, lstm, user

PROJECT = Path(textclf.__file__).parent.parent
DOCS = PROJECT / "docs"
README = (PROJECT / "README.md").read_text(encoding="utf-8")
PAGES = {path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
TEXTS_OF_THE_PROJECT = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "data/README.md")
ALL = {name: (PROJECT / name).read_text(encoding="utf-8") for name in TEXTS_OF_THE_PROJECT} | PAGES
COMMANDS = sorted(main.commands)


def command_lines(text: str) -> list[list[str]]:
    """The words after `textclf` in every line of a text that calls it, prompts, pipes and comments removed."""
    text = re.sub(r"\\\n +", "", text)  # a line that goes on
    lines = re.findall(r"^(?:.*\| |\$ | +|.*\.venv/bin/)?textclf ((?:--|[a-z]).*)$", text, re.MULTILINE)
    return [shlex.split(re.split(r"  +(?=\S)| \| | > ", line)[0], comments=True) for line in lines]


def check_exists(words: list[str]) -> None:
    """Assert that a command and each of its long options exist."""
    if words[0].startswith("--"):
        return
    assert words[0] in main.commands, words
    known = {
        option
        for parameter in main.commands[words[0]].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    used = {word.split("=")[0].replace("_", "-") for word in words if word.startswith("--")}
    assert used <= known | {"--help"}, words


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_shows_examples_that_exist(name: str) -> None:
    command = main.commands[name]
    with click.Context(command, info_name=f"textclf {name}") as context:
        text = command.get_help(context)
    examples = command_lines(text)
    assert examples, "no example"
    for words in examples:
        assert words[0] == name
        check_exists(words)
    described = [p for p in command.params if isinstance(p, click.Option) and not p.help and not p.show_default]
    assert [p.name for p in described] == []


def code(text: str) -> str:
    """The code of a page: its blocks, and each piece of code in a sentence or a table on a line of its own."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return "\n".join([*blocks, *re.findall(r"(?<!`)`([^`\n]+)`", text)])


def page(name: str) -> str:
    """The text of a page in docs/."""
    return PAGES[f"docs/{name}.md"]


def links(text: str) -> list[str]:
    """The targets of all links and pictures of a page that lead to no other host, code left out."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]


def anchors(text: str) -> set[str]:
    """The anchors of the headings of a page, as GitHub and Sphinx make them."""
    without_code = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", ALL)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(name: str) -> None:
    for link in links(ALL[name]):
        path, _, anchor = link.partition("#")
        target = (PROJECT / name).parent / path if path else PROJECT / name
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_readme_is_a_front_page() -> None:
    assert len(README.splitlines()) <= 200
    assert len({link.partition("#")[0] for link in links(README)} & set(PAGES)) >= 15


def test_the_readme_gives_the_numbers_of_the_benchmarks_beside_its_peers() -> None:
    """Its reasons have no number that the tables lack; scripts/bench writes these."""
    reasons = README.split("## Why not", 1)[1].split("<!--", 1)[0]
    numbers = re.findall(r"\d+\.\d+", reasons)
    assert len(numbers) >= 6
    tables = page("benchmarks")
    assert [number for number in numbers if not re.search(rf"(?<![\d.]){number}(?![\d.])", tables)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_page_of_the_command_line(name: str) -> None:
    assert f"textclf {name}" in page("command-line")


@pytest.mark.parametrize("name", ALL)
def test_every_command_line_shown_exists(name: str) -> None:
    for words in command_lines(code(ALL[name])):
        check_exists(words)


def test_commands_are_shown() -> None:
    assert len(command_lines(code(README))) >= 7
    assert len(command_lines(code(page("command-line")))) >= 30


def test_every_script_in_the_code_map_exists_and_the_other_way_round() -> None:
    named = set(re.findall(r"scripts/([\w-]+(?:\.\w+)?)(?![\w/-])", page("code-map")))
    there = {path.name for path in (PROJECT / "scripts").iterdir() if path.is_file()}
    assert named == there


def test_the_code_map_has_every_room_and_no_other() -> None:
    block = page("code-map").split("```", 2)[1]
    mapped = re.findall(r"^  ([\w.]+/?) ", block, flags=re.MULTILINE)
    package = PROJECT / "textclf"
    there = {path.name for path in package.glob("*.py")} | {f"{path.parent.name}/" for path in package.glob("*/*.py")}
    assert set(mapped) == there


def test_the_page_about_training_shows_the_tables_of_tiers_and_presets() -> None:
    text = page("training")
    for name, tier in TIERS.items():
        most = f"{tier.at_most:,}" if tier.at_most else "all"
        assert f"| {name} | {tier.share:.0%} | {tier.at_least:,} | {most} | {tier.epochs} |" in text
    presets = {f"`{name}`": model.PRESET for name, model in MODELS.items()}
    presets |= {"`FILE.py:CLASS`": user.PRESET, "`lstm`, many long documents": lstm.WIDE}
    for name, preset in presets.items():
        *sizes, refits = dataclasses.astuple(preset)
        cells = [*("" if value is None else f"{value:g}" for value in sizes), "yes" if refits else "no"]
        assert f"| {name} | {' | '.join(cells)} |" in text
    assert f"With {lstm.MANY_DOCUMENTS:,} training documents or more, of more than {lstm.LONG_TEXT} words on" in text


def test_the_page_about_tensorboard_lists_the_tags(data_dir: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = training.train(small_config("mlp", data_dir, tmp_path, epochs=1, refit=True))
    events = EventAccumulator(str(run.root))
    events.Reload()
    written = {tag for kind in ("scalars", "images", "tensors") for tag in events.Tags()[kind]}
    table = re.findall(r"^\|.*\|$", page("tensorboard"), re.MULTILINE)
    listed = set(re.findall(r"`([^`]+)`", "".join(table))) - {"words"}
    curves = {f"Precision and recall/{label}" for label in TEXTS}
    texts = {"Model", "Settings", "Test/confusion", "Test/reliability", "Test/mistakes"}
    shown = {f"{tag}/text_summary" for tag in texts}
    assert written == (listed - {"Precision and recall/LABEL", "textclf report"} - texts) | curves | shown
    assert 'tensor_name: "words' in (run.root / "projector_config.pbtxt").read_text()


def outline(output: str) -> list[str]:
    """The lines of an output without numbers, which depend on the machine, and without lines that repeat."""
    lines = [" ".join(re.sub(r"[\d.,%+-]*\d[\d.,%]*", "#", line).split()) for line in output.splitlines()]
    return list(dict.fromkeys(line.removesuffix(" best") for line in lines))


@pytest.mark.long
def test_the_page_start_shows_what_quickstart_prints(tmp_path: Path) -> None:
    shown = page("start").split("Output of `scripts/quickstart`", 1)[1].split("```", 2)[1]
    for command, output in re.findall(r"^\$ textclf (.+)\n((?:(?!\$ ).*\n)*)", shown, re.MULTILINE):
        done = subprocess.run(
            [sys.executable, "-m", "textclf", *shlex.split(command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        assert outline(done.stdout) == outline(output), command


def test_the_page_of_exit_codes_lists_them() -> None:
    from textclf import errors

    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    table = page("exit-codes")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == codes | {0}


@pytest.mark.parametrize(
    ("name", "config", "only_option"),
    [
        ("preprocess", PreprocessConfig, {"dry_run", "engine", "ray_address"}),
        ("train", TrainConfig, {"resume", "code", "seeds"}),
    ],
)
def test_options_and_settings_have_the_same_names(name: str, config: type, only_option: set[str]) -> None:
    options = {parameter.name for parameter in main.commands[name].params if parameter not in SHARED}
    assert options - only_option == {field.name for field in dataclasses.fields(config)} - {"user_model"}


def test_the_version_is_in_the_changelog() -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(textclf.__version__)}\]|^## \[Unreleased\]", changelog, re.MULTILINE)
