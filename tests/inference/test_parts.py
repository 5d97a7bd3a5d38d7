"""A part of answers for each file: the bytes of one prediction at a time, whole or absent, and not made twice."""

import csv
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import TEXTS, invoke
from textclf.artefacts import loading
from textclf.errors import UsageError
from textclf.inference import job, parts
from textclf.inference.job import Job
from textclf.system import checksums

FILES = 4
DOCUMENTS = [(label, text) for label, texts in TEXTS.items() for text in texts]

pytestmark = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)


@pytest.fixture
def rows():
    """Files of ten rows; the last one has a row that cannot be read."""
    Path("rows").mkdir()
    for number in range(FILES):
        with Path(f"rows/part-{number}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for label, text in DOCUMENTS[number : number + 9]:
                writer.writerow([f"{text} number{number}", label])
            writer.writerow(["" if number == FILES - 1 else "rain", "weather"])
    return "rows/*.csv"


def predict(run, *options):
    return invoke(CliRunner(), "predict", "--run", run, "--num-workers", "1", *options)


def made(folder="out"):
    """SHA-256 of each part."""
    return {path.name: checksums.sha256(path) for path in Path(folder).iterdir() if path.is_file()}


def times(folder="out"):
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).iterdir() if path.is_file()}


@pytest.mark.parametrize("layout", ["csv", "parquet", "text", "jsonl"])
def test_a_part_has_the_bytes_of_its_file_predicted_alone(run_dir, rows, layout):
    ending = parts.ENDINGS.get(layout, layout)
    together = predict(run_dir, "--input", rows, "--format", layout, "--output", "out/")
    for number in range(FILES):
        name = f"part-{number}.{ending}"
        predict(run_dir, "--input", f"rows/part-{number}.csv", "--format", layout, "--output", name)
        assert Path(name).read_bytes() == Path("out", name).read_bytes()
    streamed = predict(run_dir, "--input", rows, "--format", "csv")
    assert together.stderr == streamed.stderr
    assert "1 of 40 rows could not be read" in together.stderr
    assert set(made()) == {f"part-{number}.{ending}" for number in range(FILES)}


def test_parts_that_are_there_are_not_made_again(run_dir, rows):
    first = predict(run_dir, "--input", rows, "--format", "csv", "--output", "out/")
    whole, before = made(), times()
    again = predict(run_dir, "--input", rows, "--format", "csv", "--output", "out")
    assert times() == before
    assert again.stderr.splitlines() == ["textclf: 4 of 4 parts were there already", *first.stderr.splitlines()]
    Path("out/part-0.csv").unlink()
    Path("out/part-1.csv").write_text("cut off")
    Path("out/.textclf/part-2.csv.json").write_text("{}")
    last = predict(run_dir, "--input", rows, "--format", "csv", "--output", "out")
    assert made() == whole
    assert {name for name, stamp in times().items() if before[name] == stamp} == {"part-3.csv"}
    assert last.stderr.splitlines() == ["textclf: 1 of 4 parts was there already", *first.stderr.splitlines()]


@pytest.mark.parametrize("change", ["input", "model", "options", "record"])
def test_parts_of_something_else_are_replaced(run_dir, rows, change, tmp_path):
    predict(run_dir, "--input", rows, "--format", "csv", "--output", "out/")
    model, options = run_dir / "model", []
    if change == "input":
        Path("rows/part-1.csv").write_text("text,label\nsnow,weather\n")
    if change == "model":
        invoke(CliRunner(), "export", "--run", run_dir, "--output", "small", "--precision", "int8", "--max-drop", "100")
        model = Path("small")
    if change == "options":
        options = ["--top-k", "2"]
    if change == "record":
        record = Path("out/.textclf/part-1.csv.json")
        record.write_text(record.read_text().replace('"rows": 10', '"rows": 11'))
    told = predict(model, "--input", rows, "--format", "csv", "--output", "out", *options).stderr
    kept = {"input": 3, "record": 3}.get(change, 0)
    assert (f"{kept} of 4 parts were there already" in told) == bool(kept)
    predict(model, "--input", rows, "--format", "csv", "--output", "new/", *options)
    assert made() == made("new")


def test_parts_of_other_files_are_counted(run_dir, rows):
    predict(run_dir, "--input", rows, "--format", "csv", "--output", "out/")
    told = predict(run_dir, "--input", "rows/part-1.csv", "--format", "csv", "--output", "out").stderr
    assert "textclf: out also has 3 parts of other files" in told


def test_a_file_that_cannot_be_read_leaves_the_parts_before_it(run_dir, rows):
    Path("rows/part-2.csv").write_bytes(b"\x00\xff" * 100)
    told = predict(run_dir, "--input", rows, "--format", "csv", "--output", "out/")
    assert (told.exit_code, set(made())) == (3, {"part-0.csv", "part-1.csv"})
    assert "rows/part-2.csv" in told.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"texts": ("rain",)}, "out is a folder of answers to files: name them with --input FILE"),
        ({"inputs": ("-",)}, "- is not a file but a pipe or a device"),
        ({"inputs": ("a/x.csv", "b/x.csv")}, "a/x.csv and b/x.csv would both become out/x.csv"),
        ({"inputs": ("a/x.csv", "a/x.tsv")}, "a/x.csv and a/x.tsv would both become out/x.csv"),
        ({"inputs": ("a/x.csv",), "output": Path("a")}, "a/x.csv is also the input"),
        ({"inputs": ("a/x.csv",), "output": Path("a/x.csv")}, "a/x.csv is a file, not a folder"),
        ({"inputs": ("a/x.csv",), "output": Path("no/out")}, "no such folder: no"),
        ({"inputs": ("a/x.csv",), "explain": True, "layout": "json"}, "leave out --output"),
    ],
    ids=str,
)
def test_what_has_no_parts_is_refused(run_dir, given, words):
    for name in ("a/x.csv", "a/x.tsv", "b/x.csv"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("text\nrain\n")
    with pytest.raises(UsageError) as refused:
        job.check(Job(**{"output": Path("out"), "layout": "csv", "has_parts": True, **given}))
    assert words in str(refused.value)


def test_a_name_that_ends_in_a_slash_or_is_a_folder_gets_parts(run_dir):
    Path("there").mkdir()
    has_parts = [job.Job.create(**OPTIONS, output=name).has_parts for name in ("new/", "there", "new", Path("there"))]
    assert has_parts == [True, True, False, True]


OPTIONS = {
    **dict.fromkeys(("label_column", "label_separator", "id_column", "delimiter", "quote", "encoding", "label_prefix")),
    **dict.fromkeys(("label_columns", "text_column", "columns"), ()),
}


def test_ray_needs_a_folder(run_dir, rows):
    refused = predict(run_dir, "--input", rows, "--engine", "ray")
    assert (refused.exit_code, refused.stderr) == (
        2,
        "textclf: answers of a cluster go to a folder: add --output FOLDER/, which ends in a slash\n",
    )
    alone = predict(run_dir, "--input", rows, "--ray-address", "auto")
    assert (alone.exit_code, alone.stderr) == (2, "textclf: --ray-address goes with --engine ray: add it\n")


# On Ray


def test_a_node_needs_only_what_it_is_sent(run_dir, rows):
    """Not the folder of the run: the model comes from memory, and its weights may be read-only."""
    predict(run_dir, "--input", rows, "--format", "csv", "--output", "here/")
    shutil.copytree(run_dir / "model", "gone")
    model = loading.hold(Path("gone"))
    for content in model.files.values():
        content.flags.writeable = False
    shutil.rmtree("gone")
    Path("out").mkdir()
    asked = Job(inputs=(rows,), layout="csv", num_workers=1, output=Path("out"), has_parts=True)
    work = parts.Work(asked, model, model.sha256, ())
    for number in range(FILES):
        answered = parts.answer(work, parts.Part(Path(f"rows/part-{number}.csv"), Path(f"out/part-{number}.csv")))
        assert (answered.is_new, answered.tally.rows) == (True, 10)
    assert made() == made("here")


def start(run, rows, address, *options):
    of_ray = ["--engine", "ray", "--ray-address", address]
    command = [sys.executable, "-m", "textclf", "predict", "--run", str(run), "--input", rows, *of_ray, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.long
def test_ray_makes_the_same_parts_and_stops_when_asked(run_dir, rows, ray_nodes):
    expected = predict(run_dir, "--input", rows, "--format", "csv", "--output", "here/").stderr
    model = run_dir / "model"
    process = start(model, rows, ray_nodes.address, "--format", "csv", "--output", "out/")
    assert process.communicate(timeout=60) == ("", expected)
    assert made() == made("here")
    Path("rows/part-2.csv").write_bytes(b"\x00\xff" * 100)
    process = start(model, rows, ray_nodes.address, "--format", "csv", "--output", "out/")
    told = process.communicate(timeout=60)[1]
    alone = predict(model, "--input", "rows/part-2.csv", "--format", "csv", "--output", "x.csv")
    assert (process.returncode, told) == (alone.exit_code, alone.stderr)
    Path("rows/part-2.csv").write_text("text,label\n" + "rain and wind,weather\n" * 2_000_000)
    process = start(model, rows, ray_nodes.address, "--format", "csv", "--output", "out/")
    while not list(Path("out").glob(".part-2*.tmp")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60) == ("", "textclf: stopped; the same command resumes\n")
    assert process.returncode == 143
    assert list(Path("out").glob(".*.tmp")) == []
