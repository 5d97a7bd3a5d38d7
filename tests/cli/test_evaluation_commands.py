import csv
import json
import re
from pathlib import Path

import pytest

from tests.conftest import invoke
from textclf.cli import main
from textclf.config import TIERS


def test_evaluate_shows_intervals_baseline_calibration_and_confusion(runner, run_dir):
    shown = invoke(runner, "evaluate", "--run", run_dir).stdout
    for words in ("95 % interval", "baseline: always", "expected calibration error", "weighted F1", "label \\ answer"):
        assert words in shown


def test_evaluate_as_json_has_everything(runner, run_dir):
    values = json.loads(invoke(runner, "evaluate", "--run", run_dir, "--format", "json").stdout)
    assert set(values["metrics"]) == {"documents", "accuracy", "macro_f1", "micro_f1", "weighted_f1", "loss"}
    assert set(values["intervals"]) == {"accuracy", "macro_f1"}
    assert set(values["baseline"]) == {"label", "accuracy", "macro_f1"}
    assert set(values["calibration"]) == {"temperature", "error_before", "error", "loss_before", "loss"}
    assert values["confusion"]["labels"] == [row["label"] for row in values["classes"]]
    assert [sum(row) for row in values["confusion"]["normalised"]] == pytest.approx([1, 1, 1])


def test_evaluate_shows_precision_by_coverage(runner, run_dir):
    values = json.loads(invoke(runner, "evaluate", "--run", run_dir, "--format", "json").stdout)
    assert values["curve"][-1]["coverage"] == 1
    assert values["curve"][-1]["precision"] == values["metrics"]["accuracy"]
    known = json.loads((run_dir / "model" / "config.json").read_text())["abstention"]["thresholds"]
    assert {name: point["threshold"] for name, point in values["thresholds"].items()} == known
    shown = invoke(runner, "evaluate", "--run", run_dir).stdout
    assert re.search(r"^answers given +probability +coverage +precision$", shown, re.MULTILINE)
    assert "100.00%" in shown
    assert "of the documents are unlike the corpus" in shown


@pytest.fixture
def labelled(tmp_path):
    """A file with rows that the model knows, one with another label, and two that cannot be scored."""
    path = tmp_path / "rows.csv"
    path.write_text("body,topic,label\nthe cat sat,animals,1\nbread,food,2\nrain,storm,3\n,food,4\nhail,,5\n")
    return path


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_evaluate_scores_a_file_and_counts_what_it_leaves_out(runner, run_dir, labelled):
    columns = ["--text-column", "body", "--label-column", "topic"]
    result = invoke(runner, "evaluate", "--run", run_dir / "model", "--input", labelled, *columns)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{run_dir.name}, {labelled}: 3 documents\n")
    assert "baseline: always 'animals', the most frequent label of the files" in result.stdout
    assert re.search(r"^storm +0\.0000 +0\.0000 +0\.0000 +1$", result.stdout, re.MULTILINE)
    assert result.stderr.splitlines() == [
        f"textclf: 2 rows are left out, the first: {labelled}:5: the text is empty",
        "textclf: 1 of 3 rows has a label that the model does not have, which counts as an error: 'storm' (1)",
    ]


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_evaluate_reads_several_files(runner, run_dir, labelled):
    table = ["--input", labelled, "--label-column", "topic", "--text-column", "body"]
    more = labelled.with_name("more.csv")
    more.write_text("body,topic\nbread and butter,food\n")
    found = invoke(runner, "evaluate", "--run", run_dir, *table, "--input", more)
    assert f"{labelled}, {more}: 4 documents" in found.stdout


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_one_document_has_no_interval(runner, run_dir, tmp_path):
    (tmp_path / "one.csv").write_text("text,label\nrain,weather\n")
    arguments = ["evaluate", "--run", run_dir, "--input", tmp_path / "one.csv"]
    values = json.loads(invoke(runner, *arguments, "--format", "json").stdout, parse_constant=pytest.fail)
    assert values["intervals"] == {"accuracy": None, "macro_f1": None}
    assert "nan" not in invoke(runner, *arguments).stdout


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (["--input", "FILE", "--split", "test"], 2, "leave out one of them"),
        (["--label-column", "topic"], 2, "--label-column says how files are read: add --input FILE"),
        (["--strict"], 2, "--strict says how files are read"),
        (["--input", "nowhere.csv"], 2, "no such file: nowhere.csv"),
        (["--input", "FILE", "--label-column", "nothing"], 2, "no column 'nothing'"),
        (
            ["--input", "FILE", "--text-column", "body", "--label-column", "topic", "--strict"],
            3,
            "csv:5: the text",
        ),
        (["--input", "FILE", "--text-column", "body"], 3, "none of the file's labels ('1', '2', '3', '5') is a label"),
    ],
)
def test_evaluate_refuses_what_cannot_be_scored_in_one_line(given, code, words, runner, run_dir, labelled):
    result = invoke(
        runner, "evaluate", "--run", run_dir, *(str(labelled) if each == "FILE" else each for each in given)
    )
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (code, "", 1)
    assert words in result.stderr


def test_compare_says_that_a_run_does_not_differ_from_itself(runner, run_dir):
    shown = " ".join(invoke(runner, "compare", run_dir, run_dir).stdout.split())
    assert "chance alone could make such a difference (McNemar's exact test: p = 1)" in shown
    values = json.loads(invoke(runner, "compare", run_dir, run_dir, "--format", "json").stdout)
    assert (values["accuracy"], values["p_value"], values["only"]) == (0, 1, [0, 0])


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_report_says_that_it_holds_texts_and_can_leave_them_out(runner, run_dir, corpus_csv):
    from textclf.evaluation.predictions import predict

    wrong = len(predict(run_dir, split="validation").outcome.mistakes(20))
    given = ["report", "--run", run_dir, "--split", "validation", "--output", "report.html"]
    shown = invoke(runner, *given)
    texts = "1 document" if wrong == 1 else f"{wrong} documents"
    assert shown.stderr == (f"it holds the texts of {texts}; --no-texts leaves them out\n" if wrong else "")
    assert invoke(runner, *given, "--no-texts").stderr == ""
    assert "number" not in Path("report.html").read_text().split('id="mistakes"')[1].split('id="words"')[0]


def test_report_of_a_run_without_test_is_on_validation_unless_test_is_asked_for(runner, wordless_run):
    assert invoke(runner, "report", "--run", wordless_run, "--output", "r.html").exit_code == 0
    assert "split of <bdi>unique</bdi>" in (page := Path("r.html").read_text())
    assert "documents of the validation" in page
    assert invoke(runner, "report", "--run", wordless_run, "--split", "test", "--output", "r.html").exit_code == 0
    assert "documents of the test" in Path("r.html").read_text()


def test_report_is_written_into_the_run_or_to_the_output(runner, run_dir, tmp_path):
    assert (
        invoke(runner, "report", "--run", run_dir, "--output", tmp_path / "r.html").stdout == f"{tmp_path / 'r.html'}\n"
    )
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


def test_seeds_train_as_many_models_and_show_their_spread(runner, data_dir):
    result = invoke(runner, "train", "--data", data_dir, "--tier", "tiny", "--epochs", 1, "--seeds", 2)
    assert len(set(result.stdout.split())) == 2
    assert "mean ± standard deviation" in result.stderr
    assert "2 seeds" in result.stderr


def test_a_learning_curve_has_a_point_for_each_tier_and_a_picture(runner, data_dir, tmp_path):
    picture = tmp_path / "curve.svg"
    result = invoke(runner, "learning-curve", "--data", data_dir, "--output", picture, "--format", "json")
    assert result.exit_code == 0, result.stderr
    values = json.loads(result.stdout)
    assert [point["tier"] for point in values["points"]] == list(TIERS)
    assert "<svg" in picture.read_text()


@pytest.fixture
def flawed(tmp_path):
    """A corpus with each flaw that `check` looks for."""
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    rows = [(f"the {word} cat sat on mat number {word}", "Pet") for word in "abcdefgh"]
    rows += [(f"bread with {word} and butter for {word}", "food") for word in "abcdefgh"]
    rows += [("one text", "food"), ("one text", "Pet"), ("a rare thing", "pet "), ("another rare thing", "pet ")]
    more = [("the a cat sat on mat number a", "Pet"), ("zebra quagga okapi", "Bird"), ("", "food")]
    for path, content in ((train, rows), (test, more)):
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *content])
    return train, test


def test_check_names_each_problem_and_exits_with_3_if_strict(runner, flawed):
    made = invoke(runner, "preprocess", flawed[0], "--test", flawed[1], "--name", "flawed", "--num-workers", 1)
    assert made.exit_code == 0, made.stderr
    result = invoke(runner, "check", "data/flawed")
    assert result.exit_code == 0
    shown = " ".join(result.stdout.split())
    for words in (
        "1 document is a copy of one in an earlier split: the model has seen it",
        "1 text has two labels",
        "1 document of test is empty",
        "no training document has these labels of test, so their documents count as errors: 'Bird' (1)",
        "1 label has fewer than 5 training documents: 'pet '",
        "of the tokens of test are not in the training split",
    ):
        assert words in shown
    strict = invoke(runner, "check", "data/flawed", "--strict")
    assert strict.exit_code == 3
    assert strict.stderr.startswith("textclf: data/flawed: ")
    assert strict.stderr.count("\n") == 1


def test_check_finds_nothing_wrong_with_a_clean_corpus(runner, tmp_path):
    path = tmp_path / "clean.csv"
    words = [f"w{number}" for number in range(60)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for label in ("one", "two"):
            writer.writerows(
                (f"{label} {words[n]} {words[-n]} {label} {words[(7 * n) % 60]}", label) for n in range(30)
            )
    invoke(runner, "preprocess", path, "--num-workers", 1)
    result = invoke(runner, "check", "data/clean", "--strict")
    assert (result.exit_code, result.stdout.strip().splitlines()[-1]) == (0, "no problems"), result.stdout


def test_a_run_of_a_few_documents_of_each_label_is_recorded_as_one(runner, data_dir):
    given = ("--data", data_dir, "--tier", "full", "--epochs", 1, "--device", "cpu")
    few = invoke(runner, "train", *given, "--shots", 4).stdout.strip()
    every = invoke(runner, "train", *given).stdout.strip()
    assert json.loads(Path(few, "config.json").read_text())["settings"]["shots"] == 4
    assert json.loads(Path(few, "model", "config.json").read_text())["trained"]["shots"] == 4
    compared = invoke(runner, "compare", few, every).stdout.splitlines()
    assert compared[0].endswith(", 4 per label")
    assert compared[1] == f"B: {Path(every).name}"
    assert "full, 4 per label" in invoke(runner, "info", few).stdout
    assert "Trained on 11 documents (tier full, 4 per label)" in Path(few, "model", "README.md").read_text()
    invoke(runner, "verify", "--run", few)


def test_one_document_of_each_label_is_too_few(runner, data_dir):
    refused = runner.invoke(main, ["train", "--data", str(data_dir), "--shots", "1"])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "at least 2" in refused.stderr
