"""What works with numpy, click and safetensors alone, and the one line that everything else ends with."""

import csv
import gzip
import json
import os
import shutil
import subprocess
import sys

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import TEXTS, invoke
from textclf.inference.classifier import load_model

LIGHT = '''
import json, sys

class Light:
    """Finds no package but those of a light install."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "numpy", "click", "safetensors", "textclf"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Light())
sys.argv[0] = "textclf"
'''

SERVER = """
from click.testing import CliRunner
from textclf.cli import main

for line in sys.stdin:
    arguments, given = json.loads(line)
    result = CliRunner().invoke(main, arguments, input=given)
    print(json.dumps([result.exit_code, result.stdout, result.stderr]), flush=True)
"""


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """Runs commands in a process that has a light install."""
    folder = tmp_path_factory.mktemp("light")
    process = subprocess.Popen(
        [sys.executable, "-c", LIGHT + SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
    )

    def run(*arguments, given=None):
        process.stdin.write(json.dumps([list(map(str, arguments)), given]) + "\n")
        process.stdin.flush()
        return tuple(json.loads(process.stdout.readline()))

    yield run
    process.communicate()
    assert process.returncode == 0


@pytest.fixture
def model(run_dir, tmp_path):
    """A model folder that was copied to another machine."""
    return shutil.copytree(run_dir / "model", tmp_path / "tickets")


ROWS = [(text, label) for label, texts in TEXTS.items() for text in texts]


def write_csv(path):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *ROWS])


def write_jsonl(path):
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS))


def write_json(path):
    path.write_text(json.dumps([{"text": text, "label": label} for text, label in ROWS]))


def write_lines(path):
    path.write_text("".join(f"{text}\n" for text, _ in ROWS))


def write_fasttext(path):
    path.write_text("".join(f"__label__{label} {text}\n" for text, label in ROWS))


def write_gzip(path):
    with gzip.open(path, "wt", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *ROWS])


READ = {
    "rows.csv": write_csv,
    "rows.jsonl": write_jsonl,
    "rows.json": write_json,
    "rows.txt": write_lines,
    "rows.ft": write_fasttext,
    "rows.csv.gz": write_gzip,
}


@pytest.mark.parametrize("name", READ)
def test_predict_reads_files_and_answers_as_elsewhere(name, light, model, tmp_path):
    READ[name](tmp_path / name)
    expected = [prediction.label for prediction in load_model(model).predict([text for text, _ in ROWS])]
    code, out, err = light("predict", "--run", model, "--input", tmp_path / name)
    assert (code, out.splitlines()) == (0, expected)
    assert ("accuracy" in err) == (name != "rows.txt")


@pytest.mark.parametrize("layout", ["text", "json", "jsonl", "csv", "spreadsheet", "fasttext"])
def test_predict_writes_every_format_but_parquet(layout, light, model, tmp_path):
    write_csv(tmp_path / "rows.csv")
    written = ["--format", layout, "--output", tmp_path / "out"]
    code, _, _ = light("predict", "--run", model, "--input", tmp_path / "rows.csv", "--top-k", 2, *written)
    assert (code, (tmp_path / "out").stat().st_size > 100) == (0, True)


def test_predict_reads_stdin(light, model):
    rain, bread = (prediction.label for prediction in load_model(model).predict(["rain", "bread"]))
    assert light("predict", "--run", model, "-", given="rain\nbread\n")[:2] == (0, f"{rain}\n{bread}\n")
    table = ["--input", "-", "--input-format", "csv"]
    assert light("predict", "--run", model, *table, given="text\nrain\n")[:2] == (0, f"{rain}\n")


def test_evaluate_scores_a_file_as_elsewhere(light, model, runner, tmp_path):
    write_csv(tmp_path / "rows.csv")
    arguments = ["evaluate", "--run", model, "--input", tmp_path / "rows.csv", "--format", "json"]
    code, out, err = light(*arguments)
    assert (code, err) == (0, "")
    assert json.loads(out)["metrics"]["documents"] == len(ROWS)
    assert out == invoke(runner, *arguments).stdout


def test_what_else_works(light, model):
    assert "bread" in light("predict", "--run", model, "--explain", "bread and butter")[1]
    assert light("explain", "--run", model, "--top-words", "food")[0] == 0
    assert light("check", model)[:2] == (0, "no problems\n")
    assert light("info", model)[0] == 0
    assert light("corpora")[0] == 0
    assert light("runs")[0] == 0
    assert light("completion", "bash")[0] == 0
    assert light("--version")[0] == 0


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_predict_shows_no_progress_on_a_terminal(model, tmp_path):
    write_csv(tmp_path / "rows.csv")
    program = [sys.executable, "-c", LIGHT + "from textclf.cli import main\nmain(sys.argv[1:])"]
    ours, terminal = os.openpty()
    output = subprocess.check_output(
        [*program, "predict", "--run", model, "--input", tmp_path / "rows.csv"], stderr=terminal, text=True
    )
    os.close(terminal)
    os.close(ours)
    assert len(output.splitlines()) == len(ROWS)


def test_every_help_is_shown(light):
    from textclf.cli import main

    for name in main.commands:
        assert light(name, "--help")[0] == 0
    assert light("--help")[0] == 0


def refused(answer, *words):
    """Assert that a command says what to install in one line, with exit code 2."""
    code, out, err = answer
    assert (code, out, err.count("\n")) == (2, "", 1), answer
    assert all(word in err for word in words), err


def write_parquet(path):
    pq.write_table(pa.table({"text": ["rain"]}), path)


def write_workbook(path):
    book = openpyxl.Workbook()
    book.active.append(["text"])
    book.active.append(["rain"])
    book.save(path)


def write_zstd(path):
    with pa.CompressedOutputStream(str(path), "zstd") as file:
        file.write(b"text\nrain\n")


LACKING = {
    "rows.parquet": (write_parquet, "pip install pyarrow"),
    "rows.xlsx": (write_workbook, "pip install openpyxl"),
    "rows.csv.zst": (write_zstd, "pip install pyarrow"),
}


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize("name", LACKING)
def test_a_file_that_needs_a_package_says_which(name, light, model, tmp_path):
    write, command = LACKING[name]
    write(tmp_path / name)
    refused(light("predict", "--run", model, "--input", tmp_path / name), command)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize("command", ["compare", "evaluate", "export", "report", "serve", "verify"])
def test_a_command_that_needs_packages_says_which(command, light, run_dir, tmp_path):
    commands = {
        "compare": ([run_dir, run_dir], "pip install pyarrow scipy"),
        "evaluate": (["--run", run_dir], "pip install pyarrow"),
        "export": (["--run", run_dir, "--output", tmp_path / "small"], "pip install pyarrow"),
        "report": (["--run", run_dir], "pip install jinja2 matplotlib pyarrow"),
        "serve": (["--run", run_dir], "pip install fastapi httptools uvicorn"),
        "verify": ([run_dir], "pip install textclf"),
    }
    arguments, install = commands[command]
    refused(light(command, *arguments), install)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_making_data_and_models_says_what_it_needs(light, run_dir, data_dir, model, tmp_path):
    write_csv(tmp_path / "rows.csv")
    refused(light("preprocess", tmp_path / "rows.csv"), "pip install pyarrow tqdm")
    refused(light("check", data_dir), "pip install pyarrow tqdm")
    refused(light("train", "--data", data_dir), "pip install textclf")
    refused(light("learning-curve", "--data", data_dir), "pip install textclf")
    refused(light("suspects", data_dir), "pip install textclf")
    refused(light("tune", "--data", data_dir), "pip install textclf")
    onnx = ["--output", tmp_path / "onnx", "--format", "onnx"]
    refused(light("export", "--run", run_dir, *onnx), "pip install onnx onnxruntime")
    table = ["--format", "parquet", "--output", tmp_path / "out.parquet"]
    refused(light("predict", "--run", model, "rain", *table), "pip install pyarrow")
    assert not (tmp_path / "out.parquet").exists()
