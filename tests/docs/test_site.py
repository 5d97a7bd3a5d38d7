"""The site that scripts/docs builds: no warning, generated references, whole without a network, on any screen."""

import json
import re
import shutil

import pytest

import textclf
from tests.docs.pages import DOCS
from textclf.cli import NAMES

pytest.importorskip("furo")
playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
QUIETLY = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def opened(site):
    """A function that opens a page of the site from the disk, at a width; none may ask another host for anything."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIETLY.split())
        pages = {}

        def open_page(path, width=1280):
            if width not in pages:
                pages[width] = browser.new_page(viewport={"width": width, "height": 900})
                pages[width].on("request", lambda request: asked.append(request.url))
            pages[width].goto(f"file://{site}/{path}")
            return pages[width]

        asked = []
        yield open_page
        browser.close()
    assert asked
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []


def test_every_page_is_built(site):
    sources = {path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*") if path.suffix in {".md", ".ipynb"}}
    assert len(sources) >= 25
    assert [source for source in sources if not (site / source).with_suffix(".html").is_file()] == []


def test_the_reference_has_every_command_and_option_and_public_name(site):
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert [name for name in NAMES if f'id="textclf-{name}"' not in commands] == []
    assert 'id="cmdoption-textclf-train-seed"' in commands
    api = (site / "reference" / "api.html").read_text(encoding="utf-8")
    assert [name for name in textclf.__all__ if not re.search(rf'id="textclf\.([\w.]+\.)?{name}"', api)] == []


def test_notebooks_show_what_their_cells_return(site):
    shown = (site / "notebooks" / "dataframe.html").read_text(encoding="utf-8")
    assert "<th>validation_loss</th>" in shown
    assert "unlike" in shown


def test_notebooks_are_stored_without_outputs():
    for path in DOCS.rglob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert code
        assert not any(cell["outputs"] or cell["execution_count"] for cell in code)


@needs_chromium
def test_search_finds_a_page_from_the_disk(opened):
    page = opened("index.html")
    page.fill("input[name=q]", "abstain")
    page.press("input[name=q]", "Enter")
    found = page.locator("#search-results a", has_text="Predict")
    found.first.wait_for(timeout=20_000)


@needs_chromium
def test_no_page_is_wider_than_a_narrow_screen(site, opened):
    for path in sorted(site.rglob("*.html")):
        page = opened(path.relative_to(site), width=375)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, path.name
