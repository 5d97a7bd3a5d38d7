"""docs/lecture.md: every topic of a PyTorch course has a line of code, and the line is where the link says."""

from pathlib import Path

import lecture_lines
import pytest

TEXT = lecture_lines.LECTURE.read_text(encoding="utf-8")
TABLE = TEXT.split("| topic | line | code |\n|---|---|---|\n")[1].split("\n\n")[0]
QUOTES = list(lecture_lines.QUOTE.finditer(TEXT))
TOPICS = [
    *(
        "tensors",
        "autograd",
        "autograd function",
        "nn.module",
        "initialisation",
        "dataset",
        "dataloader",
        "loop",
        "loss",
    ),
    *("optimizer", "training mode", "evaluation mode", "tiers", "early stopping", "dropout", "embeddings", "lstm"),
    *("tensorboard", "device", "gpu", "saving a checkpoint", "loading", "seeds"),
]


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_of_the_course_is_in_the_table(topic):
    topics = [row.split("|")[1].lower().replace("`", "") for row in TABLE.splitlines()]
    assert any(topic in shown for shown in topics)


def test_every_row_quotes_a_line():
    assert len(QUOTES) == len(TABLE.splitlines())


@pytest.mark.parametrize("quote", QUOTES, ids=lambda quote: f"{quote['path']}:{quote['code']}")
def test_the_line_has_the_code_that_is_quoted(quote):
    lines = (lecture_lines.ROOT / quote["path"]).read_text(encoding="utf-8").splitlines()
    assert quote["code"] in lines[int(quote["line"]) - 1], "refresh the lines: python scripts/lecture_lines.py"


ROW = "| Loop | [a.py:{0}](../a.py#L{0}) | `{1}` |\n"


def test_a_moved_line_is_found_at_the_nearest_place(tmp_path):
    Path(tmp_path / "a.py").write_text("step()\n\n\nstep()\n", encoding="utf-8")
    assert lecture_lines.refresh(ROW.format(3, "step()"), tmp_path) == (ROW.format(4, "step()"), [])
    assert lecture_lines.refresh(ROW.format(1, "step()"), tmp_path) == (ROW.format(1, "step()"), [])


def test_missing_code_is_named_and_the_other_lines_are_refreshed(tmp_path):
    Path(tmp_path / "a.py").write_text("\nstep()\n", encoding="utf-8")
    text, gone = lecture_lines.refresh(ROW.format(1, "step()") + ROW.format(1, "back()"), tmp_path)
    assert text == ROW.format(2, "step()") + ROW.format(1, "back()")
    assert gone == ["docs/lecture.md: no line of a.py has 'back()'; quote another line for this topic"]
