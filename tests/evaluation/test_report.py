import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import small_config
from textclf import training
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.evaluation import report
from textclf.evaluation.evaluate import evaluate


class Elements(HTMLParser):
    """The elements of a page and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_the_page_shows_the_figures_the_classes_and_the_plots(run_dir, tmp_path):
    report.write(run_dir, tmp_path / "report.html", split="test")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    evaluation = evaluate(run_dir, split="test")
    for figure in (evaluation.metrics.accuracy, evaluation.metrics.macro_f1, evaluation.calibration.error):
        assert f"{figure:.4f}" in page
    assert all(row["label"] in page for row in evaluation.classes)
    assert sum(tag == "svg" for tag, _ in Elements(page).found) == 3


def test_the_page_needs_no_network_and_holds_no_script(run_dir, tmp_path):
    report.write(run_dir, tmp_path / "report.html", split="test")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for tag, attributes in Elements(page).found:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,"))
    assert not re.search(r"@import|url\((?!#)", page)


@pytest.mark.slow
def test_hostile_labels_and_texts_are_shown_as_they_are(corpus_csv, tmp_path):
    hostile = Path(shutil.copy(corpus_csv, tmp_path / "hostile.csv"))
    hostile.write_text(hostile.read_text().replace("animals", "<script>alert(1)</script>").replace("cat", "<b>cat</b>"))
    data, _ = preprocess(PreprocessConfig(source=str(hostile), num_workers=1))
    finished = training.train(small_config("mlp", data, tmp_path / "runs", epochs=1))
    report.write(finished.root, tmp_path / "report.html", split="test")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "b" not in {tag for tag, _ in Elements(page.split("Classes")[1]).found}
