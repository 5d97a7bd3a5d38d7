import csv
import re
import shutil
from functools import cache, partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import small_config
from textclf import training
from textclf.artefacts import runs
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.errors import ArtefactError
from textclf.evaluation import report
from textclf.evaluation.evaluate import evaluate
from textclf.evaluation.predictions import predict
from textclf.system import files

mlp = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
LONG = "a label of sixty characters that says a great deal about it."


class Elements(HTMLParser):
    """The elements of a page and their attributes, and the texts of some of them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def write(run, folder, **given):
    """The page of a report, and how many texts of the source it holds."""
    held = report.write(run, folder / "report.html", **given)
    return (folder / "report.html").read_text(encoding="utf-8"), held


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The same, written once for each run."""
    return cache(partial(write, folder=tmp_path_factory.mktemp("reports")))


def section(page, name):
    """The part of the page below a heading."""
    return page.split(f'<h2 id="{name}">')[1].split("</section>")[0]


def text_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture(scope="module")
def confused_run(tmp_path_factory):
    """A run of 24 classes, one of whose labels is long, that answers much wrongly; texts are in two scripts."""
    folder = tmp_path_factory.mktemp("confused")
    labels = [LONG, "\u05e1\u05e4\u05d5\u05e8\u05d8", *(f"class {number:02}" for number in range(22))]
    draw = np.random.default_rng(0)
    with (folder / "tickets.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("ticket", "text", "label"))
        for number in range(480):
            label = number % 24
            said = (label + int(draw.random() < 0.3)) % 24
            rest = " ".join(f"w{word}" for word in draw.integers(0, 40, 12))
            writer.writerow((f"T{number:04}", f"\u05de\u05d9\u05dc\u05d4 Topic{said} {rest}, Text!", labels[label]))
    config = PreprocessConfig(
        source=str(folder / "tickets.csv"), id_column="ticket", data_dir=folder / "data", num_workers=1
    )
    return training.train(small_config("mlp", preprocess(config)[0], folder / "runs", epochs=4, lr=0.02)).root


def test_the_page_shows_the_figures_the_classes_and_the_plots(run_dir, written):
    page, _ = written(run_dir)
    evaluation = evaluate(run_dir, split="test")
    for figure in (evaluation.metrics.accuracy, evaluation.metrics.macro_f1, evaluation.calibration.error):
        assert f"<b>{figure:.4f}</b>" in page
    rows = re.findall(r'class="name"><bdi>(.*?)</bdi>.*?>([\d.]+)</td>', section(page, "classes"))
    weakest_first = sorted(evaluation.classes, key=lambda row: (row["f1"], -row["documents"], row["label"]))
    assert rows == [(row["label"], f"{row['f1']:.3f}") for row in weakest_first]
    assert sum(tag == "svg" for tag, _ in Elements(page).found) == 3


@pytest.mark.parametrize("texts", [True, False])
def test_the_page_needs_no_network_and_holds_no_script(texts, confused_run, written):
    page, _ = written(confused_run, texts=texts)
    for tag, attributes in Elements(page).found:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    assert not re.search(r"@import|url\((?!#)", page)
    assert len(page) < 500_000


def test_mistakes_have_the_ids_and_texts_of_the_user(confused_run, written):
    page, held = written(confused_run)
    found = predict(confused_run, split="test")
    shown = re.findall(r"document <bdi>(T\d{4})</bdi>", page)
    assert shown == [found.data.documents.source[int(found.rows[at])] for at in found.outcome.mistakes(20)]
    assert held == len(shown) > report.SHOWN_MISTAKES
    with Path(found.data.manifest.source).open(newline="", encoding="utf-8") as file:
        texts = {row["ticket"]: row["text"] for row in csv.DictReader(file)}
    plain = text_of(section(page, "mistakes"))
    for name in shown:
        assert "".join(texts[name].split()) in plain.replace(" ", "")
    assert page.count('<p class="text" dir="auto">') == held
    assert f"it holds the texts of {held} documents" in page


def test_without_texts_none_is_in_the_page(confused_run, written):
    page, held = written(confused_run, texts=False)
    assert held == 0
    assert "Texts are left out." in page
    assert not re.search(r"\bw\d+ w\d+\b|Text!|holds the texts", page)
    assert "document <bdi>T" in page


def test_a_source_that_is_gone_is_named_in_one_line(confused_run, tmp_path):
    source = Path(predict(confused_run, split="test").data.manifest.source)
    kept = shutil.move(source, tmp_path / "kept.csv")
    page, held = write(confused_run, tmp_path)
    shutil.move(kept, source)
    assert held == 0
    reason = f"the source cannot be read again: no such file or folder: {source}"
    assert f"The texts are the words that the model knows, because those of the source cannot be had: {reason}." in page
    assert '<p class="text" dir="auto">' in page
    assert "holds the texts" not in page


def test_many_classes_have_a_list_of_confusions_and_no_matrix(confused_run, written):
    page, _ = written(confused_run)
    counts = np.array(evaluate(confused_run, split="test").confusion)
    np.fill_diagonal(counts, 0)
    first = re.search(r'class="number">(\d+) ', section(page, "confusions"))
    assert int(first[1]) == counts.max() > 0
    assert 'id="matrix"' not in page
    assert "4 more classes, all with an F1 of" in section(page, "classes")
    assert section(page, "classes").count('role="rowheader"') == 24


def test_labels_and_texts_of_any_script_keep_their_direction(confused_run, written):
    page, _ = written(confused_run)
    assert "<bdi>\u05e1\u05e4\u05d5\u05e8\u05d8</bdi>" in section(page, "classes")
    assert f"<bdi>{LONG}</bdi>" in section(page, "classes")
    assert '<p class="text" dir="auto">' in page


@mlp
def test_few_classes_have_a_matrix_whose_cells_are_those_of_evaluate(run_dir, written):
    page, _ = written(run_dir)
    cells = re.findall(r"<td(?: class=.*?)?>(\d+)</td>", section(page, "matrix"))
    assert [int(cell) for cell in cells] == np.array(evaluate(run_dir, split="test").confusion).ravel().tolist()


def test_the_words_of_each_class_are_those_of_explain(run_dir, written):
    from textclf.artefacts import loading
    from textclf.inference.explain import top_words

    page, _ = written(run_dir)
    trained = loading.load(run_dir / "model")
    for label, words in top_words(trained, trained.labels, top_k=report.WORDS).items():
        assert f"{label} {' · '.join(word.word for word in words)}" in text_of(section(page, "words"))


def test_calibration_is_shown_with_the_number_of_answers(run_dir, written):
    page, _ = written(run_dir)
    table = section(page, "calibration").split("</table>")[0]
    answers = re.findall(r'class="range">.*?</td><td class="n">(\d+)</td>', table)
    assert sum(map(int, answers)) == evaluate(run_dir, split="test").metrics.documents


@mlp
def test_facts_are_those_of_the_data_and_of_the_run(run_dir, data_dir, written):
    page, _ = written(run_dir)
    figures = runs.read_json(runs.RunLayout(run_dir).metrics)
    data, run = text_of(section(page, "data")), text_of(section(page, "run"))
    assert f"Name {data_dir.name} " in data
    assert "full: trained on 48 documents" in data
    assert f"Device {figures['device']} " in run
    assert f"Parameters {figures['parameters']:,} " in run
    assert "Epochs 2, the best is " in run
    assert not re.search(r"None|\d\.\d{9}", text_of(page.split("</style>")[1]))


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
def test_documents_of_several_labels_have_thresholds_and_all_of_their_labels(several_run, written):
    page, _ = written(several_run)
    evaluation = evaluate(several_run, split="test")
    assert f"<b>{evaluation.metrics.micro_f1:.4f}</b>" in page
    for row in evaluation.classes:
        assert f'data-title="threshold">{row["threshold"]:.3f}<' in section(page, "classes")
    assert "the probability of its least sure label" in page
    assert 'id="matrix"' not in page


def test_a_run_that_left_test_alone_is_measured_on_validation(wordless_run, written):
    page, _ = written(wordless_run)
    assert "split of <bdi>unique</bdi>" in page
    assert "The run was trained with --no-test: these are figures of validation" in page
    assert 'id="words"' not in page  # it knows no word
    asked, _ = written(wordless_run, split="validation")
    assert "--no-test:" not in asked


@mlp
def test_metrics_without_a_figure_are_named_in_one_line(run_dir, tmp_path):
    copy = Path(shutil.copytree(run_dir, tmp_path / "copy"))
    figures = dict(runs.read_json(runs.RunLayout(copy).metrics))
    del figures["device"]
    files.write_json(runs.RunLayout(copy).metrics, figures)
    with pytest.raises(ArtefactError, match=r"metrics\.json has no device: it is damaged, or of another version"):
        report.write(copy, tmp_path / "report.html")


@pytest.mark.slow
def test_hostile_labels_and_texts_are_shown_as_they_are(corpus_csv, tmp_path):
    hostile = Path(shutil.copy(corpus_csv, tmp_path / "hostile.csv"))
    hostile.write_text(hostile.read_text().replace("animals", "<script>alert(1)</script>").replace("cat", "<b>cat</b>"))
    data, _ = preprocess(PreprocessConfig(source=str(hostile), num_workers=1))
    finished = training.train(small_config("mlp", data, tmp_path / "runs", epochs=1))
    page, _ = write(finished.root, tmp_path)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert ("b", {}) not in Elements(section(page, "mistakes")).found
