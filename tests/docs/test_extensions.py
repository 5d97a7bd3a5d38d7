"""What docs/conf.py and docs/_extensions/ do to the pages before Sphinx reads them."""

import importlib.util
import sys
from types import ModuleType

import click
import pytest

from tests.docs.pages import DOCS

pytest.importorskip("sphinx")


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("extension", DOCS / f"{path}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def conf(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", list(sys.path))
    return load("conf")


@pytest.fixture
def commands() -> ModuleType:
    return load("_extensions/commands")


@pytest.fixture
def gpu() -> ModuleType:
    return load("_extensions/gpu")


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("[a](data.md#sources)", "[a](../data.md#sources)"),
        ("[a](../SECURITY.md#the-server)", "[a](../guarantees.md#the-server)"),
        ("[a](../textclf/config.py#L9)", "[a](https://github.com/textclf/textclf/blob/main/textclf/config.py#L9)"),
        ("[a](../textclf)", "[a](https://github.com/textclf/textclf/blob/main/textclf)"),
        ("[a](speed.json)", "[a](https://github.com/textclf/textclf/blob/main/docs/speed.json)"),
        ("[a](#here), [b](https://example.org/x.md)", "[a](#here), [b](https://example.org/x.md)"),
        ("```text\n[a](data.md)\n```", "```text\n[a](data.md)\n```"),
    ],
)
def test_links_lead_to_pages_of_the_site_or_to_the_repository(conf: ModuleType, link: str, shown: str) -> None:
    assert conf.relink(link, DOCS, DOCS / "reference" / "page.md") == shown


def test_a_link_out_of_the_project_is_an_error(conf: ModuleType) -> None:
    with pytest.raises(ValueError, match="leads out of the project"):
        conf.relink("[a](../../secret.md)", DOCS, DOCS / "page.md")


def test_nothing_in_a_docstring_is_markup_but_code_and_public_names(conf: ModuleType) -> None:
    lines = ["Fits *all* of classes_ and ``a_ * b``;", "see `train` and `config.TrainConfig`, not `loss`."]
    conf.read_docstring(None, "function", "f", None, None, lines)
    assert lines == [
        r"Fits \*all\* of classes\_ and ``a_ * b``;",
        "see :py:obj:`~textclf.train` and :py:obj:`~textclf.config.TrainConfig`, not `loss`.",
    ]


def test_a_help_text_becomes_plain_markdown_with_code(commands: ModuleType) -> None:
    text = "Write `textclf init`, --max-length\n or model_name to x.toml; 'data/*.csv' [default: <none>]"
    assert commands.markdown(text) == (
        r"Write `textclf init`, `--max-length` or `model_name` to `x.toml`; 'data/\*.csv' \[default: \<none\>\]"
    )


def test_the_reference_of_a_command_has_its_examples_and_options(commands: ModuleType) -> None:
    @click.command(help="Does it.\n\n\b\nExamples:\n  textclf do --fast\n")
    @click.option("--fast", is_flag=True, help="Be fast.")
    @click.option("--size", metavar="N", help="How much.")
    @click.option("--secret", hidden=True)
    def do() -> None:
        pass

    lines = "\n".join(commands.section("textclf do", do))
    assert "## textclf do\n" in lines
    assert "Examples:\n\n```bash\ntextclf do --fast\n```" in lines
    assert ":::{option} --fast\n\nBe fast.\n:::" in lines
    assert ":::{option} --size N\n\nHow much.\n:::" in lines
    assert "secret" not in lines


def test_without_a_record_the_page_says_that_nothing_was_measured(gpu: ModuleType) -> None:
    assert list(gpu.lines(None)) == ["**Not measured yet**: `scripts/gpu-check` has not run on a card."]


def test_the_tables_of_a_card_come_from_its_record(gpu: ModuleType) -> None:
    slow = {"model": "mlp", "resident": False, "precision": "bfloat16", "documents_per_second": 1e5}
    fast = {"model": "mlp", "resident": True, "precision": "bfloat16", "documents_per_second": 2.5e6}
    measured = {"bytes_per_document": 4e5, "share_of_copy": 0.5}
    record = {
        "device": "Card",
        "versions": {"torch": "2.13.0", "cuda": "13.0"},
        "date": "2026-11-29",
        "steps": {
            "copy": 2e12,
            "gather": 1e12,
            "sizes": {"features": 4_000_000, "width": 64, "per_document": 764},
            "rows": [{**fast, **measured}, slow],
        },
        "models": {"mlp": {"cuda": {"accuracies": [0.9, 0.8], "documents_per_second": 1e6}}},
        "problems": ["steps failed:\nTraceback"],
    }
    lines = list(gpu.lines(record))
    assert lines[0] == "Card, torch 2.13.0, CUDA 13.0, 2026-11-29:"
    assert "| mlp | bfloat16 | on the device | 2,500,000 | 0.40 | 50% |" in lines
    assert "| mlp | bfloat16 | by the loader | 100,000 |  |  |" in lines
    assert "| mlp | cuda | 0.8500 | 1,000,000 |" in lines
    assert lines[-1] == "Problem: steps failed:"
    assert any(line.startswith("A copy reaches 2,000 GB/s, a gather of random rows 1,000 GB/s.") for line in lines)
