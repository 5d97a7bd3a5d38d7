"""A model of the user's own through the real command line: trained, kept, used, and refused where it must be."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import MY_MODEL, small_config
from textclf import load_model, training
from textclf.artefacts import model_folder, runs
from textclf.cli import main
from textclf.system import files
from textclf.training.checkpoint import Pace

NOTE = "textclf: MyModel has no forward pass in numpy: it predicts through torch\n"


@pytest.fixture
def invoke(runner):
    """Calls the program; gives its exit code, stdout and stderr."""

    def call(*arguments):
        result = runner.invoke(main, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture
def train(invoke, data_dir):
    def call(*arguments):
        return invoke("train", "--data", data_dir, "--tier", "full", "--device", "cpu", "--epochs", 2, *arguments)

    return call


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_class_is_trained_and_its_code_is_recorded_and_not_kept(train, my_model):
    code, out, err = train("--model", "my_model.py:MyModel", "--embedding-size", 6, "--num-workers", 2)
    assert (code, "Traceback" in err) == (0, False), err
    run = Path(out.strip())
    assert re.fullmatch(r"tiny_corpus-full-MyModel-\d{8}T\d{6}Z", run.name)
    assert {path.name for path in Path().iterdir()} == {"my_model.py", "runs"}  # no bytecode beside it
    assert not [name for name in names(run) if name.endswith(".py")]
    network = json.loads((run / "config.json").read_text())["network"]
    assert (network["class"], network["file"], len(network["sha256"])) == ("MyModel", "my_model.py", 64)
    assert network["arguments"] == {"vocabulary": 51, "classes": 3, "embedding_size": 6, "dropout": 0.1}
    assert json.loads((run / "model/config.json").read_text())["network"] == network
    assert str(Path.cwd()) not in json.dumps(network)


def test_every_command_takes_it_with_its_code(invoke, user_run, my_model, data_dir):
    code = ("--code", my_model)
    run = ("--run", user_run)
    assert invoke("predict", *run, *code, "rain and wind") == (0, "weather\n", NOTE)
    assert invoke("predict", "--run", user_run / "model", *code, "rain and wind") == (0, "weather\n", NOTE)
    status, out, err = invoke("predict", *run, *code, "--explain", "--format", "jsonl", "rain and wind")
    assert (status, err) == (0, NOTE)
    explained = json.loads(out)
    assert explained["rest"] + sum(t["contribution"] for t in explained["tokens"]) == pytest.approx(explained["margin"])
    status, out, err = invoke("explain", *run, *code, "--top-words", "food", "--top-k", 2)
    assert (status, out.split()[0], err) == (0, "food", NOTE)
    status, out, err = invoke("evaluate", *run, *code, "--format", "json")
    figures = json.loads((user_run / "metrics.json").read_text())
    assert (status, err) == (0, NOTE)
    assert json.loads(out)["metrics"]["accuracy"] == figures["test"]["accuracy"]
    assert json.loads(out)["metrics"]["loss"] == pytest.approx(figures["test"]["loss"], abs=1e-6)
    assert invoke("report", *run, *code, "--output", "report.html")[0] == 0
    assert invoke("compare", user_run, user_run, *code)[0] == 0
    assert invoke("check", user_run)[:2] == (0, "no problems\n")
    assert invoke("check", user_run / "model")[:2] == (0, "no problems\n")
    shown = json.loads(invoke("info", user_run, "--format", "json")[1])
    assert (shown["model"], shown["network"]["file"]) == ("MyModel", "my_model.py")
    assert "--code my_model.py" in (user_run / "model/README.md").read_text()


@pytest.mark.slow
def test_it_repeats_to_the_bit(invoke, user_run, my_model):
    status, out, err = invoke("verify", user_run, "--code", my_model)
    assert (status, "repeats to the bit" in out) == (0, True), err


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_it_is_exported(precision, invoke, user_run, my_model):
    given = ("--run", user_run, "--code", my_model, "--max-drop", 100)
    assert invoke("export", *given, "--output", "out", "--precision", precision)[0] == 0
    assert invoke("predict", "--run", "out", "--code", my_model, "rain and wind") == (0, "weather\n", NOTE)
    whole, exported = (load_model(path, code=my_model).logits(["rain", "the cat"]) for path in (user_run, "out"))
    assert whole == pytest.approx(exported, abs=0 if precision == "float32" else 0.02)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--precision", "int8"], 2, "MyModel can be exported in float32 and float16 only, not int8"),
        (["--max-size", "1kB"], 1, "MyModel does not fit into 1,000 bytes in float16"),
        (["--format", "onnx"], 2, "the model MyModel has no ONNX graph; export it with --format safetensors"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_nothing_is_left(options, code, said, invoke, user_run, my_model):
    status, _, err = invoke("export", "--run", user_run, "--code", my_model, "--output", "out", *options)
    assert (status, err.startswith(f"textclf: {said}"), err.count("\n")) == (code, True, 1), err
    assert not Path("out").exists()


COMMANDS = [
    ["predict", "--run", "RUN", "rain"],
    ["predict", "--run", "RUN", "--explain", "rain"],
    ["explain", "--run", "RUN"],
    ["evaluate", "--run", "RUN"],
    ["report", "--run", "RUN", "--output", "x.html"],
    ["compare", "RUN", "RUN"],
    ["export", "--run", "RUN", "--output", "out"],
    ["verify", "RUN"],
    ["serve", "--run", "RUN", "--port", "0"],
    ["train", "--resume", "RUN"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_its_code_one_line_says_what_is_needed(command, invoke, user_run, my_model):
    given = [str(user_run) if word == "RUN" else word for word in command]
    status, out, err = invoke(*given)
    where = rf"{re.escape(str(user_run))}(/model)?"
    assert (status, out) == (2, "")
    assert re.fullmatch(rf"textclf: {where} was trained with MyModel from my_model\.py: add --code my_model\.py\n", err)
    my_model.write_text(MY_MODEL + "\n# changed\n")
    status, out, err = invoke(*given, "--code", my_model)
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert "and my_model.py is not that file: its SHA-256 begins with" in err


def test_in_python_too(user_run, my_model):
    assert load_model(user_run, code="my_model.py").predict("rain and wind")[0].label == "weather"
    assert load_model(user_run / "model", code=[my_model]).predict("rain and wind")[0].label == "weather"


def test_many_texts_are_answered_in_order(invoke, user_run, my_model, monkeypatch):
    from textclf.inference import parallel

    monkeypatch.setattr(parallel, "LARGE_FILE", 0)  # other processes would be started at once
    texts = ["rain and wind", "bread with butter", "the cat sat on the mat", "qqq"] * 300
    Path("texts.txt").write_text("\n".join(texts) + "\n")
    status, out, _ = invoke(
        "predict", "--run", user_run, "--code", my_model, "--input", "texts.txt", "--num-workers", 2
    )
    expected = [answer.label for answer in load_model(user_run, code=my_model).predict(texts)]
    assert (status, out.split()) == (0, expected)


class Stopping(training.Display):
    """Stops the program after the first epoch."""

    def begin(self, run, setup, learner, *, first_epoch):
        self.run = run

    def epoch(self, epoch):
        raise RuntimeError("stopped")


def test_a_run_that_was_stopped_is_resumed_to_the_same_bits(invoke, my_model, data_dir):
    config = small_config("my_model.py:MyModel", data_dir, Path("runs"), epochs=3, hidden_size=None)
    straight = training.train(config)
    display = Stopping()
    with pytest.raises(RuntimeError, match="stopped"):
        training.train(config, display=display, pace=Pace(0.0, 1e9))
    assert display.run.last.exists()
    status, out, err = invoke("train", "--resume", display.run.root, "--code", my_model)
    assert (status, out) == (0, f"{display.run.root}\n"), err
    weights = [(run.model / "model.safetensors").read_bytes() for run in (straight, display.run)]
    assert weights[0] == weights[1]


def test_code_goes_with_resume_alone(train, my_model):
    status, _, err = train("--code", my_model)
    assert (status, err) == (
        2,
        "textclf: --code goes with --resume; to train, name the class: --model my_model.py:CLASS\n",
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("class MyModel(nn.Module):", "class MyModel(nn.Module:", "my_model.py:5: SyntaxError"),
        ("import torch\n", "import nowhere\n", "my_model.py:1: ModuleNotFoundError: No module named 'nowhere'"),
        ("super().__init__()", "super().__init__(nothing)", "my_model.py:7: NameError"),
        ("return torch.stack(views)", "return views[2]", "my_model.py:20: IndexError: list index out of range"),
        (
            "return torch.stack(views)",
            "return views[0].T",
            "my_model.py:14: forward must return logits of shape (2, 3)",
        ),
    ],
)
def test_a_mistake_is_one_line_before_training(old, new, said, train, my_model):
    assert old in MY_MODEL
    my_model.write_text(MY_MODEL.replace(old, new))
    status, out, err = train("--model", "my_model.py:MyModel")
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith(f"textclf: {said}"), err
    assert not Path("runs").exists()


def test_a_mistake_that_shows_later_is_one_line_too(train, my_model):
    late = "        if len(batch.lengths) == 8:\n            raise ValueError('eight')\n        inside ="
    my_model.write_text(MY_MODEL.replace("        inside =", late))
    status, _, err = train("--model", "my_model.py:MyModel", "--batch-size", 8)
    assert (status, err.splitlines()[-1]) == (2, "textclf: my_model.py:16: ValueError: eight")
    assert "Traceback" not in err


def test_a_mistake_that_shows_when_predicting_is_one_line_too(invoke, train, my_model):
    my_model.write_text(
        MY_MODEL.replace("        inside =", "        assert len(batch.lengths) != 5\n        inside =")
    )
    assert train("--model", "my_model.py:MyModel", "--batch-size", 8)[0] == 0
    status, _, err = invoke("predict", "--code", my_model, *"abcde")
    assert (status, err) == (2, f"{NOTE}textclf: my_model.py:15: AssertionError\n")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--model", "none.py:MyModel"], "no file none.py; a model of your own is named as FILE.py:CLASS"),
        (["--model", "my_model.py:Other"], "my_model.py has no class 'Other'; it has MyModel"),
        (["--model", "my_model.py:torch"], "my_model.py: torch is not a class of torch.nn.Module"),
        (["--model", "my_model.py"], "my_model.py is a file: name the class in it, too, as my_model.py:CLASS"),
        (["--model", "lstn"], "Invalid value for '--model': no model named 'lstn'; did you mean lstm? there are mlp"),
        (
            ["--model", "my_model.py:MyModel", "--hidden-size", "3"],
            "--hidden-size is not a setting of MyModel; add",
        ),
    ],
)
def test_what_cannot_be_trained_is_one_line(given, said, train, my_model):
    status, out, err = train(*given)
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith(f"textclf: {said}"), err


def test_the_help_names_the_models(invoke):
    for command in ("train", "tune", "learning-curve"):
        assert "|FILE.py:CLASS]" in invoke(command, "--help")[1]


def test_a_class_of_an_installed_package_is_trained_by_its_name(invoke, train, monkeypatch):
    package = Path("site/my_package")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(MY_MODEL)
    metadata = Path("site/my_package-1.0.dist-info")
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[textclf.models]\nmine = my_package:MyModel\n")
    assert "mine" not in train("--model", "lstn")[2]
    monkeypatch.syspath_prepend(str(Path("site").resolve()))
    try:
        assert "there are mlp, lstm, cnn, mine, and" in train("--model", "lstn")[2]
        status, out, err = train("--model", "mine", "--batch-size", 8)
        assert status == 0, err
        assert json.loads((Path(out.strip()) / "config.json").read_text())["network"]["entry_point"] == "mine"
        assert invoke("predict", "rain")[::2] == (0, NOTE)
        (package / "__init__.py").write_text(MY_MODEL + "\n# changed\n")
        status, _, err = invoke("predict", "rain")
        assert (status, "__init__.py is not that file: its SHA-256 begins with" in err) == (2, True)
        shutil.rmtree(metadata)
        status, _, err = invoke("predict", "rain")
        assert (status, "was trained with MyModel from __init__.py: add --code __init__.py" in err) == (2, True)
    finally:
        sys.modules.pop("my_package", None)


@pytest.mark.parametrize("size", [7, 10**7])
def test_arguments_of_another_network_are_damage_before_they_take_memory(size, invoke, user_run, my_model):
    from resource import RUSAGE_SELF, getrusage

    layout = model_folder.Layout(Path(shutil.copytree(user_run / "model", "copy")))
    config = json.loads(layout.config.read_text())
    config["network"]["arguments"]["embedding_size"] = size
    config["crc32"][model_folder.CONFIG] = model_folder.own_checksum(config)
    layout.config.write_bytes(files.to_json(config))
    before = getrusage(RUSAGE_SELF).ru_maxrss
    status, _, err = invoke("predict", "--run", "copy", "--code", my_model, "rain")
    assert (status, "the weights are not those of MyModel" in err) == (4, True), err
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 200_000  # kB; the embeddings alone would take 2 GB


def test_a_damaged_model_is_damaged_before_its_code_is_asked_for(invoke, user_run, my_model):
    copy = Path(shutil.copytree(user_run, "copy"))
    weights = runs.RunLayout(copy).model / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    for given in ((), ("--code", my_model)):
        assert invoke("predict", "--run", copy, *given, "rain")[0] == 4
    assert invoke("check", copy / "model")[0] == 4
