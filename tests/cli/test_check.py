"""`textclf check` says which documents show a problem."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import TEXTS, invoke

WORDS = (
    "on the last day of the fair a man in a green coat sold lamps that he had made of old bottles, and though few "
    "people stopped to look at them, those who did went home with one under each arm"
)


def data_of(runner: CliRunner, conflicts: int, *, ids: bool) -> Path:
    """A data directory with texts of two labels, a copy and a near-copy in test, an empty text, and Spam for spam."""
    rows = [
        {"key": f"{label}-{number}-{copy}", "text": f"{text} number{copy} of{number}{label}", "label": label}
        for copy in range(5)
        for label, texts in TEXTS.items()
        for number, text in enumerate(texts)
    ]
    for number in range(conflicts):
        text = f"twice labelled {number}"
        rows += [{"key": f"{label}{number}", "text": text, "label": label} for label in ("food", "animals")]
    rows += [
        {"key": "long", "text": WORDS, "label": "food"},
        {"key": "copied", "text": "a text of its own", "label": "food"},
        {"key": "Food", "text": "yet another", "label": "Food"},
    ]
    test = [
        {"key": "long again", "text": f"{WORDS} eighteen", "label": "food"},
        {"key": "copy", "text": "A text  of its OWN", "label": "food"},
        {"key": "nothing", "text": "", "label": "food"},
    ]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    Path("test.jsonl").write_text("\n".join(map(json.dumps, test)))
    done = invoke(runner, "preprocess", "rows.jsonl", "--test", "test.jsonl", *(["--id-column", "key"] if ids else []))
    assert done.exit_code == 0, done.stderr
    return Path(done.stdout.strip())


def lines_below(output: str, problem: str) -> list[str]:
    """The indented lines that follow a problem."""
    following = output.split(f"problem: {problem}", 1)[1].splitlines()[1:]
    return following[: next((place for place, line in enumerate(following) if not line.startswith("    ")), None)]


def test_documents_with_a_problem_are_named_by_the_ids_of_the_user(runner: CliRunner) -> None:
    data = data_of(runner, 1, ids=True)
    done = invoke(runner, "check", data)
    assert done.exit_code == 0
    (conflict,) = lines_below(done.stdout, "1 text has two labels")
    assert sorted(part.split(" ", 1)[1] for part in conflict.strip().split("; ")) == [
        "'animals0', label 'animals'",
        "'food0', label 'food'",
    ]
    (copy,) = lines_below(done.stdout, "1 document is a copy of one in an earlier split: the model has seen it")
    assert copy.strip().endswith("'copied', label 'food'; test 'copy', label 'food'")
    found = json.loads(invoke(runner, "check", data, "--format", "json").stdout)["problems"]
    (near,) = [problem["documents"] for problem in found if "nearly the same" in problem["problem"]]
    assert ["long", "long again"] in [[document["id"] for document in group] for group in near]
    (empty,) = lines_below(done.stdout, "1 document of test is empty")
    assert empty.strip() == "test 'nothing', label 'food'"
    assert "these labels differ only in case or white space: 'Food', 'food'" in done.stdout


@pytest.mark.parametrize(("conflicts", "listed", "more"), [(3, 3, 0), (22, 3, 19)])
def test_the_report_stays_short_and_json_has_all(conflicts: int, listed: int, more: int, runner: CliRunner) -> None:
    data = data_of(runner, conflicts, ids=False)
    lines = lines_below(invoke(runner, "check", data).stdout, f"{conflicts} texts have two labels")
    assert len([line for line in lines if "label" in line]) == listed
    assert lines[listed:] == ([f"    and {more} more: textclf check DATA --format json"] if more else [])
    found = json.loads(invoke(runner, "check", data, "--format", "json").stdout)
    assert found["files"] == []
    (problem,) = [each for each in found["problems"] if "two labels" in each["problem"]]
    assert problem["count"] == len(problem["documents"]) == conflicts
    numbers = {int(document["id"]) for group in problem["documents"] for document in group}
    assert numbers == set(range(61, 61 + 2 * conflicts))  # of the rows of the file, from 1
    assert all({document["label"] for document in group} == {"food", "animals"} for group in problem["documents"])


def test_strict_says_the_problems_in_one_line_and_json_is_whole(runner: CliRunner) -> None:
    data = data_of(runner, 1, ids=True)
    done = invoke(runner, "check", data, "--strict", "--format", "json")
    assert done.exit_code == 3
    assert len(done.stderr.splitlines()) == 1
    assert "1 text has two labels" in done.stderr
    assert json.loads(done.stdout)["problems"]


def test_json_names_damaged_files(runner: CliRunner, corpus_csv: Path) -> None:
    invoke(runner, "preprocess", corpus_csv)
    path = Path("data/tiny_corpus/tokenizer.json")
    path.write_bytes(path.read_bytes() + b" ")
    done = invoke(runner, "check", "data/tiny_corpus", "--format", "json")
    assert done.exit_code == 4
    assert json.loads(done.stdout) == {"files": [{"path": str(path), "finding": "damaged"}], "problems": []}


def test_json_of_a_run(runner: CliRunner, run_dir: Path) -> None:
    done = invoke(runner, "check", run_dir, "--format", "json")
    assert json.loads(done.stdout) == {"files": [], "end": "no problems"}
