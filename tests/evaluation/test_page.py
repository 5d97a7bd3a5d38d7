"""The report as a browser shows it, in Debian's chromium: https://github.com/dequelabs/axe-core finds no violation."""

import shutil

import pytest

from textclf.evaluation import page, report

CHROMIUM = shutil.which("chromium")
QUIETLY = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OPEN = "document.querySelectorAll('details').forEach(each => each.open = true)"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=QUIETLY.split())
        yield started
        started.close()


@pytest.mark.parametrize("name", ["run_dir", "several_run"])
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; install it: apt-get install chromium")
def test_everybody_can_read_it_on_a_phone_and_in_the_dark(name, run_dir, several_run, browser, tmp_path):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    path = tmp_path / "report.html"
    report.write({"run_dir": run_dir, "several_run": several_run}[name], path, split="train")
    for width, scheme in ((375, "dark"), (1280, "light")):
        sizes = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
        with browser.new_context(**sizes, bypass_csp=True) as context:
            opened = context.new_page()
            opened.goto(path.as_uri())
            opened.evaluate(OPEN)
            assert opened.evaluate(OVERFLOW) == 0
            violations = axe.run(opened).response["violations"]
            assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == []


def test_texts_keep_their_lines_and_names_have_one():
    values = {"text": "<b>one</b>\ntwo\x1b[2J", "name": "<i>\n"}
    assert str(page._text(values["text"])) == "&lt;b&gt;one&lt;/b&gt;\ntwo\\x1b[2J"
    assert page._shown(values["name"]) == "<i>\\n"  # Jinja escapes it afterwards
    assert page._shown(page.markup("<i>\n")) == "<i>\n"


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((0.5, 0.75), "95\N{NO-BREAK SPACE}%: 0.5000 to 0.7500"),
        ((float("nan"),) * 2, "too few documents for an interval"),
    ],
)
def test_an_interval_is_named_where_there_is_one(ends, expected):
    assert page._interval(ends) == expected


def test_a_share_of_nothing_is_none():
    assert (page._percent(None), page._percent(0.5)) == ("none", "50.0\N{NO-BREAK SPACE}%")
