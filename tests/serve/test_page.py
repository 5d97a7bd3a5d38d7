"""The page in a real browser: Debian's chromium, driven by Playwright."""

import csv
import io
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.serve.conftest import serving
from textclf.artefacts import loading, model_folder
from textclf.artefacts.artefact import Abstention
from textclf.inference.classifier import load_model
from textclf.system import escaping

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; install it: apt-get install chromium"),
]

QUIETLY = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
STATIC = Path(model_folder.__file__).parent.parent / "serve" / "static"
ANSWER = ["predicted_label", "probability", "unknown", "truncated", "unlike", "rejected", "error"]
LABELS = ["<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "=cmd|' /C calc'!A0 \u2028\u202e"]
HOSTILE = 'the cat <img src=x onerror="document.title=1"> </script>\u2028 <b>butter</b> \U0001f600 e\u0301 rain'


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=[*QUIETLY.split(), "--no-first-run"])
        yield started
        started.close()


@pytest.fixture
def complaints():
    """Patterns of what the console of the browser may say in this test."""
    return []


@pytest.fixture
def page(browser, server, complaints):
    """The page, loaded. At the end its console is clean, and it has asked no other host."""
    with browser.new_context(reduced_motion="reduce") as context:
        opened = context.new_page()
        said, asked = [], []
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        context.on("request", lambda request: asked.append(request.url))
        go_to(opened, server.port)
        yield opened
    assert asked
    assert [url for url in asked if not re.match(rf"(http://127\.0\.0\.1:{server.port}/|blob:)", url)] == []
    assert [line for line in said if not any(re.search(pattern, line) for pattern in complaints)] == []


def go_to(page, port):
    """Open the page, and wait until the server has named its runs: without them nothing can answer yet."""
    page.goto(f"http://127.0.0.1:{port}/")
    results(page).first.wait_for()


def results(page):
    return page.locator(".result")


def type_text(page, text):
    """Type, and wait until the answer of each run is to that text."""
    page.fill("#text", text)
    for number in range(results(page).count()):
        shown = results(page).nth(number)
        playwright.expect(shown.locator(".words")).to_have_text(text, use_inner_text=False)


def rows(page):
    with page.expect_download() as download:
        page.click("#download")
    content = Path(download.value.path()).read_text(encoding="utf-8")
    return download.value.suggested_filename, list(csv.reader(io.StringIO(content)))


def drop(page, name, content):
    making = "([name, content]) => { const t = new DataTransfer(); t.items.add(new File([content], name)); return t; }"
    page.dispatch_event("#drop", "drop", {"dataTransfer": page.evaluate_handle(making, [name, content])})


def label_all(page):
    """Label the file that is shown, and wait for the answer."""
    page.click("#label-file")
    page.wait_for_selector("#download:not([hidden])")


def label(page, name, content):
    drop(page, name, content)
    label_all(page)


def set_precision(page, place):
    """Move the slider to a stop; 0: any precision."""
    page.locator("#precision").fill(str(place))


def test_typing_shows_the_label_of_each_run(page, mlp_run, lstm_run):
    page.locator("#text").press_sequentially("rain and wind")
    type_text(page, "rain and wind")
    for number, run in enumerate((mlp_run, lstm_run)):
        (expected,) = load_model(run).predict("rain and wind", top_k=3)
        shown = results(page).nth(number)
        assert shown.locator(".run").inner_text() == run.name
        assert shown.locator(".best .label").inner_text() == expected.label
        assert shown.locator(".bars .name").all_inner_texts() == [score.label for score in expected.top]
        widths = [
            float(each.evaluate("e => e.style.getPropertyValue('--share')")) for each in shown.locator(".fill").all()
        ]
        assert widths == pytest.approx([score.probability for score in expected.top], abs=1e-3)
    page.click("#clear")
    assert page.locator(".answer:visible").count() == 0


def test_the_number_of_labels_is_chosen(page):
    assert page.locator("#top-k option").all_inner_texts() == ["1", "3"]  # of three
    type_text(page, "rain")
    page.select_option("#top-k", "1")
    playwright.expect(page.locator(".bars li")).to_have_count(2)
    page.select_option("#top-k", "3")
    playwright.expect(page.locator(".bars li")).to_have_count(6)


def test_the_words_that_decided_are_marked_in_place(page, server):
    text = "The cat\n  and the \U0001f600 butter, RAIN qqq"
    type_text(page, text)
    (found,) = server.predict({"text": text, "explain": True}).json["predictions"]
    largest = max(abs(token["contribution"]) for token in found["tokens"])
    for kind, sign in (("for", 1), ("against", -1)):
        expected = [
            text[token["start"] : token["end"]]
            for token in found["tokens"]
            if sign * token["contribution"] >= 0.08 * largest
        ]
        assert results(page).first.locator(f".words .{kind}").all_inner_texts() == expected
    strongest = max(found["tokens"], key=lambda token: abs(token["contribution"]))
    assert (
        results(page).first.locator(".strongest").inner_text().startswith(text[strongest["start"] : strongest["end"]])
    )


def test_unknown_words_are_a_warning(page):
    type_text(page, "qqq zzz xxx")
    playwright.expect(results(page).first.locator(".note")).to_contain_text("does not know most of these words")
    type_text(page, "the cat")
    playwright.expect(results(page).first.locator(".note")).to_be_hidden()


def test_a_hostile_text_stays_a_text(page):
    type_text(page, HOSTILE)
    assert page.locator(".words").first.text_content() == HOSTILE
    assert page.locator(".result img, .result b, .result script").count() == 0
    assert page.title() == "textclf"


def test_hostile_labels_stay_labels(browser, mlp_run, tmp_path):
    trained = loading.load(mlp_run / "model")
    model_folder.save(tmp_path / "model", replace(trained, labels=LABELS), card="# <script>alert(1)</script>")
    with serving("--run", str(tmp_path / "model")) as running, browser.new_context() as context:
        page = context.new_page()
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        go_to(page, running.port)
        type_text(page, "rain and wind")
        assert {each.text_content() for each in page.locator(".bars .name").all()} == set(LABELS)
        assert "".join(LABELS[:2]) not in page.locator(".model-card").inner_html()
        assert LABELS[0] in page.locator(".model-card").text_content()
        drop(page, "x.csv", f"{LABELS[0]};text\n{LABELS[1]};rain\n")
        playwright.expect(page.locator("#preview-rows th").first).to_have_text(LABELS[0])
        assert page.locator("#preview-rows td").first.text_content() == LABELS[1]
        assert page.locator("#column option").first.text_content() == LABELS[0]
        label(page, "x.txt", "rain and wind\n")
        # a spreadsheet must not run it, nor show it in another order
        assert rows(page)[1][1][1] == f"'{escaping.line(LABELS[2])}"
        assert page.locator(".result img, .result script, .file img, .file script").count() == 0
        assert said == []


def test_a_csv_file_comes_back_with_labels(page, server):
    texts = [f'the cat, "{number}"\nrain' for number in range(300)]
    content = io.StringIO()
    writer = csv.writer(content)
    writer.writerow(["id", "Text"])
    writer.writerows(enumerate(texts))
    label(page, "animals.csv", "\ufeff" + content.getvalue())
    name, (header, *labelled) = rows(page)
    assert name == "animals-labelled.csv"
    assert header == ["id", "Text", *ANSWER]
    assert [row[:2] for row in labelled] == [[str(number), text] for number, text in enumerate(texts)]
    expected = server.predict({"texts": texts[:256]}).json["predictions"]
    assert [row[2] for row in labelled[:256]] == [answer["label"] for answer in expected]
    assert page.locator("#file-status").inner_text() == "300 rows of animals.csv are labelled."
    page.select_option("#column", "0")
    assert page.locator("#download").is_hidden()  # it would be of another column
    label_all(page)
    assert page.locator("#file-status").inner_text().startswith("300 rows of animals.csv are labelled.")
    again = server.predict({"texts": list(map(str, range(256)))}).json["predictions"]
    assert [row[2:4] for row in rows(page)[1][1:257]] != [row[2:4] for row in labelled[:256]]
    assert [row[2] for row in rows(page)[1][1:257]] == [answer["label"] for answer in again]


TICKETS = "ticket_id,message,category\n17,the cat sat,animals\n18,,food\n19,bread and butter,food\n20,qqq zzz,food\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_columns_are_those_of_the_command_line_whatever_is_between_them(delimiter, page):
    label(page, "tickets.csv", TICKETS.replace(",", delimiter))
    _, (header, *labelled) = rows(page)
    assert header == ["ticket_id", "message", "category", *ANSWER]
    assert page.locator("#column option:checked").inner_text() == "message"
    assert [row[3] for row in labelled] == ["animals", "", "food", labelled[3][3]]
    assert labelled[1][-1] == "tickets.csv:3: the text is empty"
    assert [row[ANSWER.index("unlike") - len(ANSWER)] for row in labelled] == ["false", "", "false", "true"]
    status = page.locator("#file-status").inner_text()
    assert "4 rows of tickets.csv are labelled." in status
    assert "1 of 4 rows could not be read" in status
    assert "1 text is unlike the training texts" in status


def preview(page):
    return [row.split("\t") for row in page.locator("#preview-rows").inner_text().splitlines()]


def chosen(page):
    return page.locator("#preview-rows td.chosen").all_text_contents()


def test_the_first_rows_are_shown_before_anything_is_labelled(page, server):
    def texts():
        lines = server.ask("GET", "/metrics").body.decode().splitlines()
        return next(line for line in lines if line.startswith("textclf_texts_total"))

    before = texts()
    drop(page, "tickets.csv", TICKETS.replace(",", ";"))
    playwright.expect(page.locator("#preview-name")).to_have_text("The first 3 rows of tickets.csv")
    assert [row[0] for row in preview(page)] == ["ticket_id", "17", "18", "19"]
    assert chosen(page) == ["the cat sat", "", "bread and butter"]
    assert page.evaluate("document.activeElement.id") == "label-file"
    page.select_option("#column", "2")
    assert chosen(page) == ["animals", "food", "food"]
    assert page.locator("#download").is_hidden()
    assert texts() == before


def test_a_file_of_one_row_and_a_large_one_get_an_answer_for_each_row(page):
    label(page, "one.csv", "ticket_id;message;category\n17;the cat sat;animals")
    playwright.expect(page.locator("#preview-name")).to_have_text("The first row of one.csv")
    assert rows(page)[1][1][:4] == ["17", "the cat sat", "animals", "animals"]
    lines = "".join(f"{number};the cat and the rain {number};food\n" for number in range(5_000))
    drop(page, "many.csv", f"ticket_id;message;category\n{lines}")
    playwright.expect(page.locator("#preview-name")).to_have_text("The first 3 rows of many.csv")
    label_all(page)
    _, (header, *labelled) = rows(page)
    assert header == ["ticket_id", "message", "category", *ANSWER]
    assert [row[0] for row in labelled] == [str(number) for number in range(5_000)]
    assert all(row[3] and row[-1] == "" for row in labelled)


def test_a_row_that_cannot_be_read_is_shown_as_its_error(page):
    drop(page, "x.csv", "id,text\n1,rain\n2\n")
    playwright.expect(page.locator("#preview-rows")).to_contain_text("x.csv:3: 1 field")
    drop(page, "x.txt", "rain\nwind\n")
    playwright.expect(page.locator("#preview-name")).to_have_text("The first 2 rows of x.txt")
    assert page.locator("#preview-rows th").all_inner_texts() == ["text"]
    assert page.locator("#column-choice").is_hidden()
    assert chosen(page) == ["rain", "wind"]


def test_a_column_is_asked_for_if_none_has_a_usual_name(page):
    drop(page, "x.csv", "a,b\nx,the cat\n")
    playwright.expect(page.locator("#file-status")).to_contain_text("Which column holds the texts?")
    assert page.evaluate("document.activeElement.id") == "column"
    assert page.locator("#column option").all_inner_texts() == ["Choose one", "a", "b"]
    assert page.locator("#label-file").is_disabled()
    assert preview(page) == [["a", "b"], ["x", "the cat"]]
    page.select_option("#column", "1")
    playwright.expect(page.locator("#file-status")).to_have_text("")
    label_all(page)
    assert rows(page)[1][1][:3] == ["x", "the cat", "animals"]


def test_a_file_that_cannot_be_read_is_said_and_the_next_one_is_labelled(page, complaints):
    complaints.append("415")
    for name, part in (("x.xlsx", "files like .csv"), ("x.csv", "two columns are named 'text'")):
        drop(page, name, "text,text\nrain,rain\n")
        playwright.expect(page.locator("#file-error")).to_contain_text(part)
        assert page.locator("#progress").is_hidden()
        assert page.locator("#preview").is_hidden()
    label(page, "y.csv", "text\nrain\n")
    playwright.expect(page.locator("#file-error")).to_be_hidden()
    assert rows(page)[1][1][:2] == ["rain", "weather"]


def test_lines_come_back_one_for_one(page, tmp_path):
    (tmp_path / "lines.txt").write_bytes(b"rain and wind\r\n\r\n\xe2\x80\xa8bread, butter\nthe \xff cat")
    page.set_input_files("#file", tmp_path / "lines.txt")
    label_all(page)
    name, (header, *labelled) = rows(page)
    assert (name, header) == ("lines-labelled.csv", ["text", *ANSWER])
    assert [row[0] for row in labelled] == ["rain and wind", "", "\u2028bread, butter", ""]
    assert [row[1] for row in labelled] == ["weather", "", "food", ""]
    assert labelled[3][-1] == "lines.txt:4: byte 0xff is not UTF-8; save it as UTF-8"  # a page has no --encoding


def test_the_page_says_that_a_file_is_empty(page, tmp_path):
    (tmp_path / "empty.csv").touch()
    page.set_input_files("#file", tmp_path / "empty.csv")
    playwright.expect(page.locator("#file-status")).to_have_text("empty.csv has no rows.")


def test_an_error_of_the_server_is_shown_and_goes_away(page, complaints):
    complaints.append("413")
    page.evaluate("document.getElementById('text').value = 'rain '.repeat(250000)")
    page.dispatch_event("#text", "input")
    trouble = results(page).first.locator(".trouble")
    playwright.expect(trouble).to_have_text(re.compile("longer than 1,000,000 bytes"))
    assert trouble.evaluate("e => getComputedStyle(e).position") == "static"  # it covers nothing
    type_text(page, "rain")
    playwright.expect(trouble).to_be_hidden()
    label(page, "y.csv", "text\nrain\n")  # whose answer says nothing about the error of a text
    playwright.expect(trouble).to_be_hidden()


def test_the_page_says_that_the_server_is_gone_until_it_is_back(browser, mlp_run):
    with browser.new_context() as context:
        page = context.new_page()
        with serving("--run", str(mlp_run)) as running:
            go_to(page, running.port)
            type_text(page, "rain")
        page.fill("#text", "snow and rain")
        playwright.expect(page.locator(".result .trouble")).to_contain_text("The server does not answer")
        drop(page, "x.csv", "text\nrain\n")
        playwright.expect(page.locator("#file-error")).to_contain_text("The server does not answer")
        with serving("--run", str(mlp_run), "--port", str(running.port)):
            playwright.expect(page.locator(".words")).to_have_text("snow and rain", timeout=15_000)
            assert page.locator(".trouble:visible").count() == 0


def test_a_precision_rejects_what_is_less_sure_and_says_what_it_costs(browser, mlp_run, tmp_path):
    trained = loading.load(mlp_run / "model")
    learned = Abstention({"0.9": 0.5, "0.95": 0.999}, 0.9, coverage={"0.9": 0.8, "0.95": 0.25}, precision={"0.95": 1.0})
    model_folder.save(tmp_path / "model", replace(trained, abstention=learned), card="")
    with serving("--run", str(tmp_path / "model")) as running, browser.new_context() as context:
        page = context.new_page()
        go_to(page, running.port)
        type_text(page, "rain and wind")
        assert page.locator(".best .label").inner_text() == "weather"
        assert "a label for every text" in page.locator("#costs").inner_text()
        set_precision(page, 2)
        playwright.expect(page.locator(".best .label")).to_have_text("no label")
        assert page.locator("#precision-value").inner_text() == "95.0 %"
        cost = "on validation: labels for 25.0 % of the texts, 100.0 % of them right; from a probability of 99.9 %"
        assert page.locator("#costs").inner_text() == cost
        playwright.expect(page.locator(".note")).to_contain_text("a precision of 95.0 % needs a probability of 99.9 %")
        label(page, "x.csv", "text\nrain and wind\n")
        assert rows(page)[1][1][1::5] == ["", "true"]
        assert "0 of 1 row have an answer" in page.locator("#file-status").inner_text()
        set_precision(page, 0)
        playwright.expect(page.locator(".best .label")).to_have_text("weather")
        assert page.locator("#download").is_hidden()  # it was made with another precision


def test_a_link_brings_the_text_and_the_settings_back(browser, page, server):
    text = "rain & wind #1 100%\n\u00e9\u4f60 \U0001f600 <b>"
    type_text(page, text)
    page.select_option("#top-k", "1")
    address = page.locator("#link").evaluate("e => e.href")
    assert address.startswith(f"http://127.0.0.1:{server.port}/#text=rain")
    with browser.new_context() as context:
        asked = []
        context.on("request", lambda request: asked.append(request.url))
        other = context.new_page()
        other.goto(address)
        playwright.expect(other.locator(".words").first).to_have_text(text)
        assert other.locator("#top-k").input_value() == "1"
        assert not any("rain" in url.partition("#")[0] for url in asked)  # the text is in no address that is sent
        other.evaluate("location.hash = 'text=the+cat&top_k=7&precision=nan'")
        playwright.expect(other.locator(".words").first).to_have_text("the cat")
        assert (other.locator("#top-k").input_value(), other.locator("#precision").input_value()) == ("1", "0")
    page.fill("#text", "rain " * 10_000)
    playwright.expect(page.locator("#link")).to_be_hidden()


def test_what_is_announced_is_the_label_alone(page, mlp_run, lstm_run):
    live = page.locator("[aria-live], [role=status], [role=alert], output").all()
    names = {each.get_attribute("id") or each.get_attribute("class") for each in live}
    assert names == {"said", "error", "file-status", "file-error", "trouble", "precision-value"}
    type_text(page, "rain and wind")
    first, second = results(page).locator(".best .label").all_inner_texts()
    playwright.expect(page.locator("#said")).to_have_text(f"{mlp_run.name}: {first}; {lstm_run.name}: {second}")
    page.click("#clear")
    playwright.expect(page.locator("#said")).to_have_text("")


def test_the_card_is_read_as_sentences_and_tables(page, mlp_run):
    card = results(page).first.locator(".model-card")
    results(page).first.locator("summary").click()
    assert card.locator("h3").all_inner_texts()[:2] == ["Task", "Quality"]
    figures = loading.load(mlp_run / "model").trained["test"]
    assert f"{figures['accuracy']:.4f}" in card.locator("table").first.inner_text()
    assert not set("|`#*") & set(card.inner_text())


def test_everything_is_reached_by_keyboard_and_has_a_name(page):
    type_text(page, "rain")
    page.focus(".skip")
    names = []
    for _ in range(16):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert names[:5] == ["api", "text", "top-k", "link", "clear"]
    assert "SUMMARY" in names
    assert {"file", "run"} <= set(names)
    unnamed = "[...document.querySelectorAll('input,select,textarea')].filter(e => !e.labels.length).map(e => e.id)"
    assert page.evaluate(unnamed) == []


CONTRASTS = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
      layers.push([r, g, b, a]);
      if (a === 1) break;
    }
    const over = (under, [r, g, b, a]) => [r, g, b].map((v, i) => a * v + (1 - a) * under[i]);
    return layers.reverse().reduce(over, [255, 255, 255]);
  };
  return [...document.querySelectorAll("body *")]
    .filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
    .map((e) => {
      const [a, b] = [light(parse(getComputedStyle(e).color).slice(0, 3)), light(behind(e))];
      const what = `${e.tagName}.${e.className} ${e.textContent.slice(0, 20)}`;
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), what];
    });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(scheme, page):
    page.emulate_media(color_scheme=scheme)
    type_text(page, "the cat and butter in the rain qqq")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert [(round(ratio, 2), what) for ratio, what in contrasts if ratio < 4.5] == []  # WCAG 2.2, 1.4.3


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(width, page):
    page.set_viewport_size({"width": width, "height": 800})
    type_text(page, "rain " * 20 + "x" * 300)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "width"), [("light", 375), ("dark", 1280)])
def test_axe_finds_nothing(scheme, width, page, server, complaints):
    complaints += ["413", "415"]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    type_text(page, "the cat and butter in the rain qqq")
    label(page, "tickets.csv", TICKETS)
    for summary in page.locator("summary").all():
        summary.click()
    assert violations(page) == []
    page.evaluate("document.getElementById('text').value = 'rain '.repeat(250000)")
    page.dispatch_event("#text", "input")
    drop(page, "x.json", "[]")
    playwright.expect(page.locator(".trouble:visible")).to_have_count(3)
    assert violations(page) == []
    page.goto(f"http://127.0.0.1:{server.port}/docs")
    page.locator("#paths .card").first.wait_for()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def violations(page):
    return [(each["id"], each["nodes"][0]["html"]) for each in axe.Axe().run(page).response["violations"]]


def test_the_description_of_the_api_is_a_page(page, server):
    page.goto(f"http://127.0.0.1:{server.port}/docs")
    described = server.ask("GET", "/openapi.json").json["paths"]
    titles = [f"{method.upper()} {path}" for path, methods in described.items() for method in methods]
    playwright.expect(page.locator("#paths h2")).to_have_text(titles)
    first = page.locator("#paths .card").first
    assert "target_precision" in first.inner_text()
    assert f"curl -s http://127.0.0.1:{server.port}/predict" in first.locator("pre").inner_text()


IS_PAINTED = """() => new Promise((resolve) => {
  setTimeout(resolve, 20_000, false);
  new PerformanceObserver((list) => {
    if (list.getEntriesByName("first-contentful-paint").length) resolve(true);
  }).observe({ type: "paint", buffered: true });
})"""


def test_the_first_paint_needs_a_few_kilobytes_and_no_script(browser, server):
    """It waits for the document and its style alone: no script and no answer of the model arrives here."""
    with browser.new_context() as context:
        page = context.new_page()
        arrived = []
        page.on("response", lambda response: arrived.append(len(response.body())))
        page.route(lambda url: not url.endswith((f":{server.port}/", ".css", ".svg")), lambda route: None)
        page.goto(f"http://127.0.0.1:{server.port}/", wait_until="commit")
        assert page.evaluate(IS_PAINTED)
        assert 0 < sum(arrived) < 16_384


def test_the_page_cannot_execute_what_it_shows():
    script = "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js"))
    html = "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.html"))
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        'setAttribute("on',
    ):
        assert word not in script
    script_of_ours = r"<script(?! src=\"/(?:page|docs)\.js\" type=\"module\"></script>)"
    assert re.findall(rf"{script_of_ours}|<style| style=| on\w+=|https?://", html) == []
