"""A model in one file answers like its folder, with Python and numpy alone, and says in one line what is wrong."""

import json
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import invoke, small_config
from tests.encoders import tiny
from tests.odd_texts import odd_texts
from textclf.cli import main, predict
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.encoders import adding
from textclf.inference.classifier import load_model
from textclf.inference.explain import explain
from textclf.inference.parallel import LARGE_FILE
from textclf.standalone import program
from textclf.training import train

TEXTS = ["the cat sat", "bread and butter", "rain, wind", "", "quux \x1b[31m", "-1 dog"]
TABLE = "id,text,label\n" + "".join(f'k{n},"{text}",food\n' for n, text in enumerate(TEXTS))

COMPARED = """
import json, sys
sys.path.insert(0, sys.argv[1])
import textclf
from textclf.inference.explain import explain

model = textclf.load_model(sys.argv[1])
texts = json.load(open("texts.json"))
answers = [prediction._asdict() for prediction in model.predict(texts, top_k=3)]
explained = [explain(model.trained, text, model.labels[0])._asdict() for text in texts[:30]]
others = {"torch", "click", "safetensors", "pyarrow", "tqdm", "sklearn"} & set(sys.modules)
print(json.dumps([answers, explained, textclf.__file__, sorted(others)]))
"""


def compare(run, pyz_file, folder, texts):
    """Check that an import of the file gives the answers and explanations of the folder, to the bit."""
    Path("texts.json").write_text(json.dumps(texts))
    texts = json.loads(Path("texts.json").read_text())  # where two halves of a pair meet, they are one character
    done = run("-c", COMPARED, pyz_file)
    assert done.stderr == ""
    answers, explained, file, others = json.loads(done.stdout)
    model = load_model(folder)
    expected = [prediction._asdict() for prediction in model.predict(texts, top_k=3)]
    assert answers == json.loads(json.dumps(expected))
    expected = [explain(model.trained, text, model.labels[0])._asdict() for text in texts[:30]]
    assert explained == json.loads(json.dumps(expected))
    assert (file.startswith(str(pyz_file)), others) == (True, [])


@pytest.mark.slow
def test_an_import_gives_the_answers_of_the_folder_to_the_bit(run, pyz_file, run_dir):
    words = list(load_model(run_dir).trained.tokenizer.words[2:])
    compare(run, pyz_file, run_dir, odd_texts(200, words=words))


@pytest.mark.slow
@pytest.mark.parametrize("bundle", [True, False])
def test_a_model_with_an_encoder_carries_it(bundle, run, runner, corpus_csv, tmp_path):
    """Also where the run has only the name of its encoder: nobody else has that."""
    adding.add(str(tiny.write(tmp_path / "published" / "small")), name="tiny")
    data = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1))[0]
    given = {"epochs": 2, "encoder": "tiny", "bundle": bundle}
    trained = train(small_config("mlp", data, tmp_path / "runs", **given)).root
    for output, form in (("folder", "safetensors"), ("tickets.pyz", "pyz")):
        done = invoke(runner, "export", "--run", trained, "--output", output, "--format", form, "--max-drop", 100)
        assert done.exit_code == 0, done.stderr
    folder = Path("folder").resolve()
    with zipfile.ZipFile("tickets.pyz") as archive:
        stored = {entry.filename for entry in archive.infolist() if not entry.compress_type}
        assert "model/encoder/LICENSE" in archive.namelist()
    assert stored == {"__main__.py", "model/model.safetensors", "model/encoder/weights.safetensors"}
    compare(run, Path("tickets.pyz").resolve(), folder, [*TEXTS, *odd_texts(50, words=["the", "cat", "rain"])])
    done = run("tickets.pyz", "--format", "jsonl", *TEXTS[:3])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == invoke(runner, "predict", "--run", folder, "--format", "jsonl", *TEXTS[:3]).stdout


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_many_texts_get_the_answers_of_the_folder_to_the_bit(seed, run, pyz_file, run_dir):
    words = list(load_model(run_dir).trained.tokenizer.words[2:])
    compare(run, pyz_file, run_dir, odd_texts(2000, words=words, seed=seed))


OPTIONS = (
    TEXTS[:2],
    ["--top-k", "2", "--format", "json", *TEXTS[:4]],
    ["--explain", "--top-k", "2", *TEXTS[:3]],
    ["--explain", "--format", "jsonl", "-"],
    ["--reject-below", "0.9", "--input", "rows.csv", "--format", "csv", "--id-column", "id", "--top-k", "3"],
    ["--input", "rows.csv", "--label-column", "label", "--format", "fasttext", "--num-workers", "1"],
)


@pytest.mark.slow
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_the_command_line_prints_what_textclf_predict_prints(run, runner, pyz_file, run_dir):
    Path("rows.csv").write_text(TABLE)
    given = "the cat\n\nrain\n"
    for options in OPTIONS:
        done = run(pyz_file, *options, given=given)
        expected = runner.invoke(main, ["predict", "--run", str(run_dir), *options], given)
        said = expected.stderr.replace("textclf: ", "tickets.pyz: ")
        assert (done.returncode, done.stdout, done.stderr) == (expected.exit_code, expected.stdout, said), options


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_it_writes_the_parts_that_textclf_predict_writes(run, runner, pyz_file, run_dir):
    Path("rows.csv").write_text(TABLE)
    done = run(pyz_file, "--input", "rows.csv", "--output", "parts/", "--format", "csv")
    assert (done.returncode, done.stdout) == (0, "")
    options = ["--input", "rows.csv", "--output", "parts/", "--format", "csv"]
    again = runner.invoke(main, ["predict", "--run", str(run_dir), *options])
    assert again.stderr.splitlines()[0] == "textclf: 1 of 1 part was there already"
    runner.invoke(main, ["predict", "--run", str(run_dir), *options[:3], "alone.csv", *options[4:]])
    assert Path("parts/rows.csv").read_bytes() == Path("alone.csv").read_bytes()


def test_it_has_the_options_of_textclf_predict():
    """Except those that name a model, a file of settings or a cluster, and say how much is said."""
    there = {name for each in predict.command.params for name in (*each.opts, *each.secondary_opts) if name[:2] == "--"}
    here = {name for each in program.parser("x.pyz")._actions for name in each.option_strings if name[:2] == "--"}
    others = {"--run", "--code", "--engine", "--ray-address", "--config", "--quiet", "--verbose", "--debug", "--help"}
    assert there - others == here - {"--serve", "--host", "--port", "--card", "--version", "--help"}


MISTAKES = (
    ([], 2, "nothing to predict"),
    (["--top-k", "0", "x"], 2, "'0' is not a whole number at least 1"),
    (["--reject-below", "2", "x"], 2, "is not a number at least 0 and at most 1"),
    (["--format", "yaml", "x"], 2, "invalid choice: 'yaml'"),
    (["--formatt", "csv", "x"], 2, "unrecognized arguments: --formatt"),
    (["--input", "nowhere.csv"], 2, "no such file: nowhere.csv"),
    (["--explain", "--format", "csv", "x"], 2, "use --format jsonl"),
    (["rows.csv"], 2, "add --input before it"),
    (["--serve", "rain"], 2, "--serve takes no texts"),
    (["--port", "80", "rain"], 2, "go with --serve"),
)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_a_mistake_is_one_line(pyz_file, run_dir, monkeypatch, capsys):
    Path("rows.csv").write_text(TABLE)
    monkeypatch.setattr(program.startup, "configure_program", lambda: None)
    for options, code, part in MISTAKES:
        monkeypatch.setattr(sys, "argv", [str(pyz_file), *options])
        assert program.run(str(pyz_file)) == code
        out, err = capsys.readouterr()
        assert (out, err.count("\n"), err.startswith("tickets.pyz: ")) == ("", 1, True), err
        assert part in err


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_without_numpy_help_and_version_are_printed_and_predicting_names_the_command(run, pyz_file, tmp_path):
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    done = run(pyz_file, "--help", packages=nothing)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "python tickets.pyz --input rows.csv" in done.stdout
    done = run(pyz_file, "--version", packages=nothing)
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "textclf", "")
    done = run(pyz_file, "rain", packages=nothing)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "-m pip install numpy" in done.stderr
    done = run(pyz_file, "--serve", "--port", "0")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "pip install fastapi" in done.stderr


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_an_old_numpy_is_named(run, pyz_file, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "numpy.py").write_text("__version__ = '1.26.4'\n")
    done = run(pyz_file, "rain", packages=tmp_path / "old")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "numpy is 1.26.4, and 2.0 or newer is needed" in done.stderr


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_it_works_renamed_read_only_and_by_a_path(run, pyz_file):
    folder = Path("some folder")
    folder.mkdir()
    path = folder / "an other\u00e9 name"
    shutil.copy(pyz_file, path)
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        for argument, where in ((path, None), (path.name, folder)):
            done = run(argument, "the cat", folder=where)
            assert (done.returncode, done.stderr) == (0, "")
    finally:
        folder.chmod(0o755)


TWO = """
import sys
for path in sys.argv[1:]:
    sys.path.insert(0, path)
import textclf
models = [textclf.load_model(path) for path in sys.argv[1:]]
print([model.trained.model for model in models], [len(model.predict(["rain"])) for model in models])
"""


@pytest.mark.slow
@pytest.mark.parametrize("run_dir", ["lstm"], indirect=True)
def test_two_files_are_loaded_in_one_process(run, pyz_file, run_dir, data_dir, tmp_path):
    from tests.conftest import small_config
    from textclf.export import pyz
    from textclf.training import train

    other = train(small_config("mlp", data_dir, tmp_path / "runs", epochs=1)).model
    Path("other.pyz").write_bytes(pyz.pack({path.name: path.read_bytes() for path in sorted(other.iterdir())}))
    done = run("-c", TWO, pyz_file, "other.pyz")
    assert (done.stdout, done.stderr) == ("['lstm', 'mlp'] [1, 1]\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_many_rows_are_answered_in_order_by_several_processes(run, runner, pyz_file, run_dir):
    lines = (f"{TEXTS[number % 3]} number{number % 7} {'rain ' * (number % 200)}\n" for number in range(8_200))
    Path("many.txt").write_text("".join(lines))
    assert Path("many.txt").stat().st_size > LARGE_FILE
    done = run(pyz_file, "--input", "many.txt", "--num-workers", "2")
    alone = runner.invoke(main, ["predict", "--run", str(run_dir), "--input", "many.txt", "--num-workers", "1"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == alone.stdout


@pytest.mark.slow
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_ctrl_c_is_one_line_and_a_closed_pipe_says_nothing(pyz_file):
    command = [sys.executable, str(pyz_file), "--input", "-"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        process.stdin.write("rain\n" * 200)  # more than a batch
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr.read() == "tickets.pyz: stopped\n"
    with subprocess.Popen(command, **pipes) as process:
        process.stdout.close()
        process.stdin.write("rain\n" * 200)
        process.stdin.close()
        assert process.wait(timeout=30) == 141
        assert process.stderr.read() == ""
