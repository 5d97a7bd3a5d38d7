"""The documents behind the problems of a data directory."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cli.test_check import WORDS, data_of
from tests.conftest import invoke
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.dataset.data_report import read_report
from textclf.dataset.directory import DataDirectory
from textclf.dataset.problem_list import COLUMNS, FINDINGS, list_problems

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
TRAIN = [
    ("a", "Rain and snow", "weather"),
    ("b", "rain  AND snow", "weather"),
    ("c", "the sun", "weather"),
    ("d", "the sun", "food"),
    ("e", LONG, "food"),
    ("f", f"{LONG} end", "food"),
    ("g", f"{WORDS}", "weather"),
    ("h", "", "food"),
]
TEST = [
    ("t1", "the SUN", "weather"),
    ("t2", f"{WORDS} eighteen", "weather"),
    ("t3", "soup", "space"),
    ("t4", "rain", "weather"),
]
OTHERS = [
    (f"other{at}", " ".join(f"{word}{at}" for word in ("word", "term", "token", "name")), ("food", "weather")[at % 2])
    for at in range(24)
]
VALIDATION = [(f"v{at}", f"alone{at} with{at} itself{at} again{at}", ("food", "weather")[at]) for at in range(2)]
EXPECTED = {
    ("leak", frozenset({"c", "d", "t1"})),
    ("copy", frozenset({"a", "b"})),
    ("two labels", frozenset({"c", "d", "t1"})),
    ("near leak", frozenset({"g", "t2"})),
    ("near-copy", frozenset({"e", "f"})),
    ("empty", frozenset({"h"})),
    ("unseen label", frozenset({"t3"})),
}


def make(**given):
    for name, rows in (("train", [*OTHERS, *TRAIN]), ("validation", VALIDATION), ("test", TEST)):
        with Path(f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("id", "text", "label"), *rows])
    settings = {"source": "train.csv", "test": "test.csv", "validation": "validation.csv", "id_column": "id"} | given
    return DataDirectory.open(preprocess(PreprocessConfig(num_workers=1, name="made", **settings))[0])


def groups(found):
    """Finding and ids of each group."""
    ids = {}
    for each in found.documents:
        ids.setdefault((each.finding, each.group), set()).add(each.id)
    return {(finding, frozenset(some)) for (finding, _), some in ids.items()}


def test_each_document_of_each_group_is_named():
    data = make()
    found = list_problems(data)
    assert groups(found) == EXPECTED
    assert found.notes == []
    texts = {name: text for name, text, _ in (*TRAIN, *TEST)}
    assert all(each.text == texts[each.id] for each in found.documents)
    assert {each.label for each in found.documents if each.id == "d"} == {"food"}
    assert {each.split for each in found.documents if each.id.startswith("t")} == {"test"}
    assert [each.finding for each in found.documents] == sorted(
        (each.finding for each in found.documents), key=list(FINDINGS).index
    )


def test_there_are_as_many_as_the_report_counts():
    data = make()
    found, counts = groups(list_problems(data)), read_report(data.layout.report).duplicates
    sizes = Counter()
    for finding, ids in found:
        sizes[finding] += len(ids) - 1
    assert sizes["copy"] + sizes["leak"] == counts["copies"]
    assert sizes["near-copy"] + sizes["near leak"] == counts["near"]
    assert sum(finding == "two labels" for finding, _ in found) == counts["conflicting"]


def test_without_the_source_copies_are_found_by_tokens():
    data = make()
    Path("train.csv").unlink()
    found = list_problems(data)
    assert groups(found) == {each for each in EXPECTED if each[0] != "empty"}
    assert {each.text for each in found.documents} == {None}
    (note,) = found.notes
    assert note.startswith("copies are found by known words alone, and rows have no text: the source cannot be read ")


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_check_writes_the_list(runner: CliRunner, ending):
    data = data_of(runner, 2, ids=True)
    done = invoke(runner, "check", data, "--list", f"list.{ending}")
    assert done.exit_code == 0
    assert f"list.{ending} has " in done.stderr
    if ending == "csv":
        with Path("list.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = [json.loads(line) for line in Path("list.jsonl").read_text().splitlines()]
    assert tuple(rows[0]) == COLUMNS
    assert {row["id"] for row in rows if row["finding"] == "two labels"} == {"food0", "animals0", "food1", "animals1"}
    assert {row["id"]: row["text"] for row in rows if row["finding"] == "leak"} == {
        "copied": "a text of its own",
        "copy": "A text  of its OWN",
    }
    strict = invoke(runner, "check", data, "--list", f"again.{ending}", "--strict")
    assert strict.exit_code == 3
    assert Path(f"again.{ending}").read_bytes() == Path(f"list.{ending}").read_bytes()


def test_several_labels_in_a_cell(runner: CliRunner):
    rows = [{"id": str(at), "text": f"text {at // 2}", "labels": ["x", "yz"[at % 2]]} for at in range(60)]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = Path(invoke(runner, "preprocess", "rows.jsonl", "--id-column", "id").stdout.strip())
    assert invoke(runner, "check", data, "--list", "list.csv").exit_code == 0
    with Path("list.csv").open(newline="") as file:
        labels = {row["label"] for row in csv.DictReader(file) if row["finding"] == "two labels"}
    assert labels == {"x;y", "x;z"}


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize(
    ("what", "output", "message"),
    [
        ("{data}", "list.txt", "list.txt: name a file that ends in .csv or .jsonl"),
        ("{data}", "nowhere/list.csv", "nowhere/list.csv: there is no folder nowhere"),
        ("{run}", "list.csv", "has no documents to list, as a data directory has: leave out --list"),
        ("{run}/model", "list.csv", "has no documents to list, as a data directory has: leave out --list"),
    ],
)
def test_mistakes_are_one_line(runner: CliRunner, data_dir, run_dir, what, output, message):
    done = invoke(runner, "check", what.format(data=data_dir, run=run_dir), "--list", output)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr
    assert not Path(output).exists()
