"""Several labels per document through the real command line, from a file to a score that is held."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.test_bad_input import fails
from tests.conftest import invoke
from textclf.models import MODELS

LABELS = ["animals", "food", "weather"]
QUICK = ["--tier", "full", "--hidden-size", "8", "--batch-size", "8", "--epochs", "2", "--device", "cpu"]


def lines_of(result):
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize("model", MODELS)
def test_from_a_file_to_labels(model, several_jsonl, runner):
    made = invoke(runner, "preprocess", several_jsonl, "--name", "several", "--num-workers", "1")
    assert lines_of(made) == ["data/several"]
    manifest = json.loads(Path("data/several/manifest.json").read_text())
    assert (manifest["task"], manifest["labels"]) == ("multi", LABELS)
    trained = invoke(runner, "train", "--model", model, *QUICK)
    (run,) = lines_of(trained)
    assert "micro-F1" in trained.stderr
    config = json.loads(Path(run, "model", "config.json").read_text())
    assert len(config["thresholds"]) == 3
    assert config["shift"] == []
    texts = ["a storm with rain and hail, bread and butter", "one more line"]
    answers = [json.loads(line) for line in lines_of(invoke(runner, "predict", "--format", "jsonl", *texts))]
    for answer in answers:
        assert set(answer["labels"]) <= {*LABELS}
        assert answer["probabilities"] == sorted(answer["probabilities"], reverse=True)
    assert lines_of(invoke(runner, "predict", *texts)) == ["\t".join(answer["labels"]) for answer in answers]
    explained = [
        json.loads(line) for line in lines_of(invoke(runner, "predict", "--explain", "--format", "jsonl", *texts))
    ]
    for answer, record in zip(answers, explained, strict=True):
        assert record["labels"] == answer["labels"]
        assert [each["label"] for each in record["explanations"]] == (answer["labels"] or [record["top"][0]["label"]])
        for each in record["explanations"]:
            total = sum(token["contribution"] for token in each["tokens"]) + each["rest"]
            assert total == pytest.approx(each["margin"], abs=1e-4)
    figures = json.loads(invoke(runner, "evaluate", "--format", "json").stdout)["metrics"]
    reported = json.loads(Path(run, "metrics.json").read_text())["test"]
    assert figures == pytest.approx(reported, abs=1e-5)


mlp = pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
TEXTS = ["the cat sat, rain and wind", "one more line", ""]


@mlp
def test_every_format_has_the_same_labels(several_run, runner):
    Path("texts.jsonl").write_text("".join(f"{json.dumps({'text': text})}\n" for text in TEXTS))
    given = ["predict", "--run", several_run, "--input", "texts.jsonl", "--threshold", "0.3", "--format"]
    answers = [json.loads(line)["labels"] for line in lines_of(invoke(runner, *given, "jsonl"))]
    assert json.loads(invoke(runner, *given, "json").stdout)[0]["labels"] == answers[0] != []
    assert invoke(runner, *given, "text").stdout.split("\n") == ["\t".join(some) for some in answers] + [""]
    fasttext = invoke(runner, *given, "fasttext").stdout.split("\n")
    assert fasttext == [" ".join(f"__label__{label}" for label in some) for some in answers] + [""]
    rows = list(csv.DictReader(lines_of(invoke(runner, *given, "csv"))))
    assert [row["labels"] for row in rows] == [";".join(some) for some in answers]
    assert ["the text is empty" in row["error"] for row in rows] == [False, False, True]
    assert invoke(runner, *given, "parquet", "--output", "out.parquet").exit_code == 0
    found = pq.read_table("out.parquet").column("labels").to_pylist()
    assert found == [*answers[:2], None]


@mlp
def test_thresholds_and_numbers_limit_the_labels(several_run, runner):
    texts, counts = TEXTS[:2], {}
    for threshold in ("0", "0.5", "1"):
        answers = lines_of(
            invoke(runner, "predict", "--run", several_run, "--threshold", threshold, "--format", "jsonl", *texts)
        )
        counts[threshold] = [len(json.loads(answer)["labels"]) for answer in answers]
    assert counts["0"] == [3, 3]
    assert counts["0.5"][0] >= counts["1"][0]
    few = lines_of(
        invoke(runner, "predict", "--run", several_run, "--threshold", "0", "--top-k", "2", "--format", "jsonl", *texts)
    )
    assert [len(json.loads(answer)["labels"]) for answer in few] == [2, 2]


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_a_threshold_needs_a_model_of_several_labels(run_dir, runner):
    fails(runner, ["predict", "--run", str(run_dir), "--threshold", "0.5", "x"], 2, "--threshold", "use --reject-below")


@mlp
def test_rows_with_labels_in_any_form_are_scored_alike(several_run, runner):
    rows = [("the cat sat number1, rain and wind all day", ["animals", "weather"]), ("bread with butter", ["food"])]
    rows.append(("one more line", []))
    Path("lists.jsonl").write_text("".join(f"{json.dumps({'text': x, 'labels': y})}\n" for x, y in rows))
    Path("cells.csv").write_text("".join(["text,labels\n", *(f'"{x}",{"|".join(y)}\n' for x, y in rows)]))
    flags = (f'"{x}",{",".join(str(int(name in y)) for name in LABELS)}\n' for x, y in rows)
    Path("flags.csv").write_text("".join([f"text,{','.join(LABELS)}\n", *flags]))
    Path("lines.ft").write_text("".join(f"{' '.join([*(f'__label__{name}' for name in y), x])}\n" for x, y in rows))
    said = []
    for name, options in (
        ("lists.jsonl", []),
        ("cells.csv", ["--label-separator", "|"]),
        ("flags.csv", ["--label-columns", "animals..weather"]),
        ("flags.csv", ["--label-column", "animals", "--label-column", "food", "--label-column", "weather"]),
        ("lines.ft", []),
    ):
        predicted = invoke(runner, "predict", "--run", several_run, "--input", name, *options)
        assert predicted.exit_code == 0, predicted.stderr
        scored = invoke(runner, "evaluate", "--run", several_run, "--input", name, *options, "--format", "json")
        metrics = json.loads(scored.stdout)["metrics"]
        assert f"micro-F1 {metrics['micro_f1']:.4f}, macro-F1 {metrics['macro_f1']:.4f}" in predicted.stderr
        assert metrics["documents"] == 3
        said.append((predicted.stdout, predicted.stderr, metrics))
    assert said == [said[0]] * 5


@mlp
def test_evaluate_shows_all_figures_of_several_labels(several_run, runner):
    shown = invoke(runner, "evaluate", "--run", several_run).stdout
    for words in ("micro-F1", "F1 per document", "Hamming loss", "nDCG at 5", "average precision", "threshold"):
        assert words in shown
    values = json.loads(invoke(runner, "evaluate", "--run", several_run, "--format", "json").stdout)
    assert set(values["intervals"]) == {"macro_f1", "micro_f1"}
    for low, high in values["intervals"].values():
        assert 0 <= low <= high <= 1


# A score to hold


@mlp
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize("several", [True, False])
def test_a_score_that_is_held_ends_with_0_and_one_that_is_not_with_7(several, several_run, run_dir, runner):
    run = several_run if several else run_dir
    values = json.loads(invoke(runner, "evaluate", "--run", run, "--format", "json").stdout)["metrics"]
    held = invoke(runner, "evaluate", "--run", run, "--min", f"accuracy={values['accuracy']}", "--min", "macro-f1=0")
    assert (held.exit_code, held.stderr) == (0, "")
    higher = min(values["micro_f1"] + 0.1, 1.0)
    missed = invoke(runner, "evaluate", "--run", run, "--min", f"micro_f1={higher}", "--min", "accuracy=0")
    if values["micro_f1"] < 1:
        assert missed.exit_code == 7
        assert missed.stderr.startswith(f"textclf: micro_f1 is {values['micro_f1']:.4f}, ")
        assert missed.stderr.count("\n") == 1
    assert missed.stdout == held.stdout


@mlp
@pytest.mark.parametrize("bound", ["accuracy", "accuracy=2", "accuracy=x", "f1=0.5", "loss=0.1"])
def test_a_bound_that_is_none_is_a_mistake(bound, several_run, runner):
    done = invoke(runner, "evaluate", "--run", several_run, "--min", bound)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"textclf: --min {bound.partition('=')[0]}")
    assert done.stderr.count("\n") == 1


# Bad input


@pytest.mark.parametrize(
    ("name", "content", "options", "code", "parts"),
    [
        (
            "f.csv",
            "text,a,b\none,1,0\ntwo,0,1\nthree,2,0\n",
            ["--label-columns", "a..b"],
            3,
            ["f.csv:4: the column 'a' holds '2'; for each document it must hold 1 or 0"],
        ),
        ("f.csv", "text,a,b\none,1,0\ntwo,,1\n", ["--label-columns", "a..b"], 3, ["f.csv:3: the column 'a' holds ''"]),
        ("f.csv", "text,a,b\none,1,0\n", ["--label-columns", "a..z"], 2, ["no column 'a..z'", "text, a, b"]),
        (
            "f.jsonl",
            '{"text": "one", "labels": ["a"]}\n{"text": "two", "labels": {"a": 1}}\n',
            [],
            3,
            ["f.jsonl:2: the column 'labels' holds a dict, not one value"],
        ),
        (
            "f.jsonl",
            '{"text": "x", "labels": ["a"]}\n{"text": "y", "labels": [[]]}\n',
            [],
            3,
            ["f.jsonl:2: the column"],
        ),
        (
            "f.jsonl",
            '{"text": "x", "labels": ["a"]}\n{"text": "y", "labels": ["b", ""]}\n',
            [],
            3,
            ["f.jsonl:2: a label is"],
        ),
        (
            "f.jsonl",
            '{"text": "x", "labels": ["a", "b"]}\n{"text": "y", "labels": null}\n',
            [],
            3,
            ["f.jsonl:2: no value"],
        ),
        ("f.jsonl", '{"text": "x", "labels": []}\n', ["--task", "multi"], 3, ["no training document has a label"]),
        (
            "f.jsonl",
            '{"text": "x", "labels": ["a"]}\n{"text": "y", "labels": ["b", "a"]}\n',
            ["--task", "single"],
            3,
            ["document 2 has 2 labels: 'a', 'b'; each must have one, or add --task multi"],
        ),
        (
            "f.csv",
            "text,label\none,a;b\ntwo,b;a\nthree,a\nfour,b\n",
            [],
            3,
            ["look like lists of labels, separated by ';'", "add --label-separator ';'", "--whole-labels"],
        ),
        (
            "f.csv",
            "text,a;b,c\none,1,0\ntwo,0,1\n",
            ["--label-columns", "a;b..c", "--label-column", "c"],
            2,
            ["--label-column names one column of labels, and --label-columns those of 1 and 0: leave out one of them"],
        ),
    ],
    ids=lambda value: "" if isinstance(value, list) else None,
)
def test_labels_that_cannot_be_used_are_one_line(name, content, options, code, parts, runner):
    Path(name).write_text(content)
    fails(runner, ["preprocess", name, *options], code, *parts)
    assert not Path("data").exists() or not list(Path("data").glob("*/manifest.json"))


def test_the_same_label_twice_is_one_label(runner):
    rows = [{"text": f"words {place}", "labels": [["a", "b", "a"], ["b", "b"]][place % 2]} for place in range(20)]
    Path("f.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert invoke(runner, "preprocess", "f.jsonl", "--num-workers", "1").exit_code == 0
    labels = pq.read_table("data/f/documents/part-00000.parquet").column("label").to_pylist()
    assert {tuple(some) for some in labels} == {("a", "b"), ("b",)}


def test_thousands_of_labels_of_one_document_each_are_trained_on(runner):
    """Their documents are all in train, so that validation has none of them, and they share a threshold."""
    rare = {place: [f"rare {10 * place + number}" for number in range(10)] for place in range(500)}
    rows = [
        {"text": f"w{place % 50} x{place}", "labels": [f"often {place % 5}", *rare.get(place, [])]}
        for place in range(1000)
    ]
    Path("f.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    made = invoke(runner, "preprocess", "f.jsonl", "--num-workers", "1", "--tensors", "none")
    assert made.exit_code == 0, made.stderr
    manifest = json.loads(Path("data/f/manifest.json").read_text())
    assert len(manifest["labels"]) == 5005
    trained = invoke(runner, "train", *QUICK, "--epochs", "1")
    assert trained.exit_code == 0, trained.stderr
    config = json.loads(Path(trained.stdout.strip(), "model", "config.json").read_text())
    thresholds = dict(zip(manifest["labels"], config["thresholds"], strict=True))
    assert len({threshold for label, threshold in thresholds.items() if label.startswith("rare")}) == 1
    assert invoke(runner, "predict", "w1 x1").exit_code == 0
