"""Nothing that was read is run: no call in the code could, and no command does when a file of ours is a pickle."""

import ast
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import sys
import warnings
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import textclf
from tests.conftest import MY_MODEL, small_config
from textclf import training
from textclf.artefacts import model_folder, runs
from textclf.cli import main
from textclf.config import PreprocessConfig, TrainConfig
from textclf.dataset import manifest
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.errors import ArtefactError, UsageError
from textclf.system import checksums, files
from textclf.training.setup import set_up

ROOT = Path(textclf.__file__).parent
SCRIPTS = ROOT.parent / "scripts"
CODE = sorted(
    path
    for path in [*ROOT.rglob("*.py"), *SCRIPTS.rglob("*.py")]
    if path.parent != SCRIPTS / "peers"  # who we are compared with, as their own documentation says
)

MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml", "runpy", "imp"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput", "torch.jit.load"}
CALLS |= {"importlib.import_module", "importlib.util.spec_from_file_location", "np.fromfile", "torch.hub.load"}
RUNS_WHAT_THE_USER_NAMES = "textclf/models/user/code.py"
"""The one module that runs a file, and it must: that of a class that the user names. What it runs is tested below."""
NAMED_BY_TEXTCLF = {"textclf/__init__.py", "textclf/cli/__init__.py"}
"""Modules that import others by names that stand in the code, each in a table."""


def forbidden(code, where=""):
    """What a piece of code does that could run what it has read."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ({alias.name.split(".")[0] for alias in node.names} & MODULES)
        elif isinstance(node, ast.ImportFrom):
            yield from ({(node.module or "").split(".")[0]} & MODULES)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if name in CALLS and not (where == RUNS_WHAT_THE_USER_NAMES and name in ("exec", "compile")):
                yield name
            if name == "import_module" and where not in NAMED_BY_TEXTCLF and not isinstance(node.args[0], ast.Constant):
                yield name
            if keywords.get("shell", "False") != "False" or "trust_remote_code" in keywords:
                yield name
            if keywords.get("allow_pickle", "False") != "False" or keywords.get("weights_only", "True") != "True":
                yield name
            if name.endswith("torch.load") and "weights_only" not in keywords:
                yield name
            if name in ("np.load", "numpy.load") and "allow_pickle" not in keywords:
                yield name


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT.parent)))
def test_no_code_could_run_what_it_reads(path):
    assert list(forbidden(path.read_text(encoding="utf-8"), path.relative_to(ROOT.parent).as_posix())) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from joblib import load", "import yaml", "import a, dill", "eval(text)", "exec(text)",
        "compile(text, '', 'exec')", "os.system(x)", "run(x, shell=True)", "np.load(p)", "load(p, allow_pickle=True)",
        "torch.load(p)", "torch.load(p, weights_only=False)", "torch.load(p, weights_only=flag)", "import_module(name)",
        "load_dataset(x, trust_remote_code=False)", "load(p, weights_only=False)", "__import__(x)",
    ],
)  # fmt: skip
def test_what_could_is_found(code):
    assert list(forbidden(code)) != []


class Payload:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("sentinel",)


def as_torch_saves(path):
    torch.save(Payload(), path)


def as_pickle_dumps(path):
    path.write_bytes(pickle.dumps(Payload()))


PAYLOADS = pytest.mark.parametrize("plant", [as_torch_saves, as_pickle_dumps])


@pytest.fixture(autouse=True)
def _with_torch_told_to_unpickle(monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")


def test_the_payload_would_run(tmp_path):
    as_torch_saves(tmp_path / "x.pt")
    with warnings.catch_warnings(action="ignore"):
        torch.load(tmp_path / "x.pt")
    assert Path("sentinel").is_dir()


@pytest.fixture
def copy(run_dir, data_dir, tmp_path):
    """A data directory, and a run that was trained on it, to be tampered with: in data/ and runs/ of this folder."""
    data = Path(shutil.copytree(data_dir, tmp_path / "data" / "d"))
    run = runs.RunLayout(Path(shutil.copytree(run_dir, tmp_path / "runs" / "r")))
    config = json.loads(run.config.read_text())
    config["data"]["path"] = str(data)
    run.config.write_text(json.dumps(config))
    runs.seal(run)
    runs.set_latest(run)
    return tmp_path


TRAIN = ["train", "--data", "data/d", "--epochs", "1", "--hidden-size", "8", "--device", "cpu"]
FILES = [*TRAIN, "--store", "files", "--num-workers", "0"]
CURVE = ["learning-curve", "--data", "data/d", "--device", "cpu"]
READ_DATA = [TRAIN, ["check", "data/d"], ["info", "data/d"], CURVE, ["evaluate"], ["report"]]
READ_A_MODEL = [["predict", "rain"], ["evaluate"], ["report"], ["compare", "runs/r", "runs/r"], ["check", "runs/r"]]
READ_A_MODEL += [["predict", "rain", "--run", "runs/r/model"], ["check", "runs/r/model"]]
CASES = [
    *(
        (place, command, 4)
        for place in ("manifest.json", "tokenizer.json", "documents/part-00000.parquet")
        for command in READ_DATA
    ),
    ("report.json", TRAIN, 4),
    ("report.json", ["check", "data/d"], 4),
    ("tensors", FILES, 4),
    ("tensors", TRAIN, 0),
    ("tensors", ["check", "data/d"], 4),
    ("packed/part-00000.bin", TRAIN, 0),
    ("packed/part-00000.bin", ["check", "data/d"], 4),
    *(
        (f"model/{name}", command, 4)
        for name in ("config.json", "labels.json", "tokenizer.json", "model.safetensors")
        for command in READ_A_MODEL
    ),
    ("config.json", ["evaluate"], 4),
    ("config.json", ["train", "--resume", "runs/r"], 4),
    ("config.json", ["check", "runs/r"], 4),
    ("metrics.json", ["info"], 4),
    ("metrics.json", ["report"], 4),
    ("history.jsonl", ["report"], 4),
    ("checksums.json", ["check", "runs/r"], 4),
    ("checkpoints/best.pt", ["check", "runs/r"], 4),
    ("checkpoints/last.pt", ["check", "runs/r"], 4),
    ("checkpoints/last.pt", ["train", "--resume", "runs/r"], 4),
    ("../latest", ["predict", "rain"], 4),
]


@pytest.mark.slow
@pytest.mark.parametrize("plant", [as_torch_saves, pytest.param(as_pickle_dumps, marks=pytest.mark.long)])
def test_no_command_runs_a_file_of_ours_that_is_a_pickle(plant, copy, monkeypatch):
    """Each case in turn, on files that are put back after it."""
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    wrong = []
    for place, command, code in CASES:
        in_data = (copy / "data/d" / place).exists() and place != "config.json" and not place.startswith("model/")
        path = (copy / "data/d" if in_data else copy / "runs/r") / place
        if place == "tensors":
            path = next(path.glob("*/train-*.pt"))
        plant(path)
        if command[:2] == ["train", "--resume"] and place.startswith("checkpoints"):
            (copy / "runs/r/metrics.json").unlink()
        result = CliRunner().invoke(main, command)
        lines = [line for line in result.stderr.splitlines() if line.startswith("textclf: ")]
        is_right = result.exit_code == code and (len(lines) == 1 or code == 0) and "Traceback" not in result.stderr
        if not is_right or Path("sentinel").exists():
            wrong.append((place, command, result.exit_code, result.stderr[-300:], repr(result.exception)))
        for root in (copy / "data", copy / "runs"):
            for left in (path for path in root.rglob("*") if path.is_file() and path not in before):
                left.unlink()
        for file, content in before.items():
            if not file.is_file() or file.read_bytes() != content:
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(content)
    print(f"{len(CASES) - len(wrong)} of {len(CASES)}")
    assert wrong == []


EVIL = f"import os\n\nos.mkdir('sentinel')\n{MY_MODEL}"
"""Code that shows that it was run, and that a model could have been trained with."""

USE_A_RUN = [["predict", "rain"], ["predict", "rain", "--run", "runs/r/model"], ["explain"], ["evaluate"], ["report"]]
USE_A_RUN += [["compare", "runs/r", "runs/r"], ["export", "--output", "out"], ["verify"], ["serve", "--port", "0"]]
USE_A_RUN += [["train", "--resume", "runs/r"], ["check", "runs/r"], ["check", "runs/r/model"], ["info"]]


@pytest.fixture
def copy_of_user(user_run, tmp_path):
    """A run of a user's model to be tampered with, in runs/ of this folder, and its class in no file."""
    run = runs.RunLayout(Path(shutil.copytree(user_run, tmp_path / "runs" / "r")))
    runs.set_latest(run)
    return run


def change_network(run, changed):
    """Let a run and its model say something else of their code, with checksums that are right."""
    layout = model_folder.Layout(run.model)
    for path in (run.config, layout.config):
        config = json.loads(path.read_text())
        config["network"] |= changed
        if path == layout.config:
            config["crc32"][model_folder.CONFIG] = model_folder.own_checksum(config)
        path.write_bytes(files.to_json(config))
    runs.seal(run)


def works(command):
    """Whether a command ends well; else it must end in one line, and never may it have run a file."""
    result = CliRunner().invoke(main, command)
    assert not Path("sentinel").exists(), command
    lines = [line for line in result.stderr.splitlines() if line.startswith("textclf: ")]
    assert result.exit_code == 0 or (result.exit_code in (2, 4) and len(lines) == 1), (command, result.output)
    return result.exit_code == 0


@pytest.mark.slow
def test_the_code_in_a_folder_is_never_run(copy_of_user):
    """Wherever it lies, and though the model says that it was trained with just this file."""
    for folder in (Path(), Path("runs"), copy_of_user.root, copy_of_user.model):
        for name in ("my_model.py", "__init__.py", "sitecustomize.py"):
            (folder / name).write_text(EVIL)
    change_network(copy_of_user, {"sha256": hashlib.sha256(EVIL.encode()).hexdigest()})
    assert {command[0] for command in USE_A_RUN if works(command)} == {"check", "info"}
    with pytest.raises(UsageError, match=r"add --code my_model\.py$"):
        textclf.load_model("runs/r")


@pytest.mark.parametrize("folder", ["", "runs/r/", "/", "../"])
@pytest.mark.slow
def test_a_path_in_a_folder_is_never_run(folder, copy_of_user):
    Path("evil.py").write_text(EVIL)
    Path("runs/r/evil.py").write_text(EVIL)
    path = str(Path("evil.py").resolve()) if folder == "/" else f"{folder}evil.py"
    change_network(copy_of_user, {"file": path, "sha256": hashlib.sha256(EVIL.encode()).hexdigest()})
    assert {command[0] for command in USE_A_RUN if works(command)} <= {"check", "info"}


@pytest.mark.parametrize("entry_point", ["evil", "evil.py:MyModel", "evil:MyModel"])
@pytest.mark.slow
def test_an_entry_point_in_a_folder_is_run_only_if_it_is_installed(entry_point, copy_of_user, monkeypatch):
    Path("evil.py").write_text(EVIL)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    change_network(copy_of_user, {"entry_point": entry_point})
    assert {command[0] for command in USE_A_RUN if works(command)} <= {"check", "info"}


@pytest.mark.slow
def test_a_built_in_model_cannot_be_turned_into_a_file(copy):
    Path("evil.py").write_text(EVIL)
    run = runs.RunLayout(copy / "runs/r")
    layout = model_folder.Layout(run.model)
    config = json.loads(layout.config.read_text())
    config["model"] = "evil.py:MyModel"
    config["crc32"][model_folder.CONFIG] = model_folder.own_checksum(config)
    layout.config.write_bytes(files.to_json(config))
    config = json.loads(run.config.read_text())
    config["settings"]["model"] = "evil.py:MyModel"
    run.config.write_bytes(files.to_json(config))
    runs.seal(run)
    assert {command[0] for command in USE_A_RUN if works(command)} <= {"check", "info", "train"}
    run.metrics.unlink()
    assert not works(["train", "--resume", "runs/r"])


def test_the_file_that_the_user_names_is_run():
    """Or the tests above would show nothing."""
    Path("evil.py").write_text(EVIL)
    TrainConfig.create(model="evil.py:MyModel")
    assert Path("sentinel").is_dir()


def watched(function, opened):
    """A function that opens files, and keeps which."""

    def opening(name, *given, **named):
        opened.append(Path(name) if isinstance(name, str | Path) else name)
        return function(name, *given, **named)

    return opening


@PAYLOADS
@pytest.mark.parametrize("ending", ["pkl", "pickle", "pt", "pth", "h5", "joblib", "npy", "npz"])
@pytest.mark.parametrize("option", [None, "--test", "--validation"])
def test_a_source_of_another_kind_is_refused_unopened(plant, ending, option, corpus_csv, monkeypatch):
    path = Path(f"x.{ending}")
    plant(path)
    given = [str(path)] if option is None else [str(corpus_csv), option, str(path)]
    opened = []
    monkeypatch.setattr(io, "open", watched(io.open, opened))
    monkeypatch.setattr("builtins.open", watched(open, opened))
    result = CliRunner().invoke(main, ["preprocess", *given])
    monkeypatch.undo()
    assert path not in opened
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr
    assert str(path) in result.stderr
    assert not Path("sentinel").exists()


@PAYLOADS
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet", "txt"])
def test_a_source_that_is_a_pickle_is_no_data(plant, ending):
    path = Path(f"x.{ending}")
    plant(path)
    result = CliRunner().invoke(main, ["preprocess", str(path)])
    assert (result.exit_code in (2, 3), result.stderr.count("\n")) == (True, 1), result.output
    assert not Path("sentinel").exists()


@PAYLOADS
@pytest.mark.parametrize(
    ("command", "code"), [(["train", "--config", "x"], 2), (["predict", "--strict", "--input", "x"], 2)]
)
def test_settings_and_texts_that_are_a_pickle_are_refused(plant, command, code, copy):
    plant(Path("x"))
    result = CliRunner().invoke(main, command)
    assert (result.exit_code, result.stderr.count("textclf: ")) == (code, 1), result.output
    assert not Path("sentinel").exists()


NAMES = [
    "../../x",
    "..",
    ".",
    "/etc/passwd",
    "CON",
    "a/b",
    "a\\b",
    "x" * 300,
    "👍🏽",
    "\0",
    "",
    " ",
    "C:x",
    "é",
    "-rf",
    "~",
]


@pytest.mark.parametrize("model", ["mlp", "lstm"])
@pytest.mark.slow
def test_no_path_is_made_from_an_id_or_a_label(model, tmp_path):
    """Whatever they are: a data directory and a run have files of the names that textclf gives, and nothing else."""
    drawn = []

    def keep(found):
        drawn.extend(found)

    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    how = settings(max_examples=60, derandomize=True, deadline=None, database=None)
    how(given(st.lists(text, min_size=5, max_size=5))(keep))()
    names = [*NAMES, *dict.fromkeys(name for name in drawn if name.strip())][:80]
    labels = [name for name in dict.fromkeys(name.strip() for name in names) if name and "\0" not in name][:25]
    folder = tmp_path / "in" / "side"
    folder.mkdir(parents=True)
    with (folder / "odd.jsonl").open("w", encoding="utf-8") as file:
        for number in range(8 * len(labels)):
            row = {"text": f"word{number} and word{number % 7}", "label": labels[number % len(labels)]}
            file.write(json.dumps({**row, "name": f"{names[number % len(names)]}{number // len(names) or ''}"}) + "\n")
    config = PreprocessConfig(
        source=str(folder / "odd.jsonl"), id_column="name", data_dir=folder / "data", num_workers=1
    )
    data, _ = preprocess(config)
    run = training.train(small_config(model, data, folder / "runs", epochs=1))
    assert set(DataDirectory.open(data).documents.labels) == set(labels)
    assert {path.name for path in folder.iterdir()} == {"odd.jsonl", "data", "runs"}
    assert {path.name for path in tmp_path.rglob("*")} >= {"odd.jsonl"}
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and folder not in path.parents]
    assert outside == []
    for root in (data, run.root):
        assert CliRunner().invoke(main, ["check", str(root)]).exit_code == 0
    ours = r"[a-z0-9._-]+|model\.safetensors|tokenizer\.json|README\.md|[0-9a-f]{2}|\d{5}"
    for path in (*data.rglob("*"), *run.root.rglob("*")):
        assert re.fullmatch(ours, path.name) or path.name.startswith("events.out."), path


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "train-0000001/../../x", "train-0000001", "", "x" * 300])
def test_an_id_in_the_table_opens_no_file(name, data_dir, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    layout = manifest.DataLayout(Path(shutil.copytree(data_dir, tmp_path / "data")))
    table = pq.read_table(layout.table(0))
    ids = pa.array([name, *table["id"].to_pylist()[1:]])
    pq.write_table(table.set_column(0, "id", ids), layout.table(0))
    vouch(layout)
    data = DataDirectory.open(layout.root)
    assert data.documents.id_of(0) == "train-0000000"
    assert data.files().path_of(0) == layout.tensor("train-0000000")


def vouch(layout):
    """Make the checksums of a data directory right again."""
    values = json.loads(layout.manifest.read_bytes())
    values.pop(checksums.OWN)
    for name in values["checksums"]:
        values["checksums"][name] = checksums.sha256(layout.root / name)
    layout.manifest.write_bytes(checksums.seal(values))


@pytest.mark.parametrize("more", [{"Regex": "(a+)+$"}, {"type": "Split", "pattern": {"Regex": "(a+)+$"}}, {"words": 7}])
def test_a_vocabulary_that_brings_a_pattern_is_refused(more, data_dir, tmp_path):
    layout = manifest.DataLayout(Path(shutil.copytree(data_dir, tmp_path / "data")))
    words = json.loads(layout.tokenizer.read_text(encoding="utf-8"))
    layout.tokenizer.write_text(json.dumps({**words, **more}), encoding="utf-8")
    vouch(layout)
    with pytest.raises(ArtefactError, match=r"tokenizer\.json"):
        set_up(small_config("mlp", layout.root, tmp_path), DataDirectory.open(layout.root))


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_nothing_is_written_through_a_link(copy, tmp_path):
    outside = tmp_path / "outside"
    for name in ("packed", "checkpoints", "model"):
        (outside / name).mkdir(parents=True)
    shutil.rmtree(copy / "data/d/packed")
    (copy / "data/d/packed").symlink_to(outside / "packed")
    assert CliRunner().invoke(main, TRAIN).exit_code == 0
    assert not (copy / "data/d/packed").is_symlink()
    for name in ("checkpoints", "model"):
        (copy / "runs/r/metrics.json").unlink(missing_ok=True)
        shutil.move(copy / "runs/r" / name, copy / "aside")
        (copy / "runs/r" / name).symlink_to(outside / name)
        result = CliRunner().invoke(main, ["train", "--resume", "runs/r"])
        assert (result.exit_code, f"runs/r/{name} is a link" in result.stderr) == (4, True), result.output
        (copy / "runs/r" / name).unlink()
        shutil.move(copy / "aside", copy / "runs/r" / name)
    assert [path for path in outside.rglob("*") if path.is_file()] == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_in_data_is_named_and_what_it_leads_to_stays(corpus_csv, tmp_path):
    made = ["preprocess", str(corpus_csv), "--name", "d", "--num-workers", "1"]
    assert CliRunner().invoke(main, made).exit_code == 0
    folder = next(path for path in sorted(Path("data/d/tensors").iterdir()))
    outside = tmp_path / "outside"
    shutil.move(folder, outside)
    (outside / "mine.txt").write_text("mine")
    kept = {path: path.read_bytes() for path in outside.iterdir()}
    folder.symlink_to(outside)
    result = CliRunner().invoke(main, ["check", "data/d"])
    assert (result.exit_code, f"unexpected: {folder}\n" in result.stdout) == (4, True)
    assert CliRunner().invoke(main, [*made, "--overwrite"]).exit_code == 0
    assert {path: path.read_bytes() for path in outside.iterdir()} == kept
    assert not folder.is_symlink()


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", "a/b", "..", ".", "\0", "", "x\ny"])
def test_the_name_of_the_newest_run_leads_nowhere_else(name, copy):
    (copy / "runs/latest").write_text(name)
    result = CliRunner().invoke(main, ["predict", "rain"])
    assert (result.exit_code, result.stderr.count("\n")) == (4, 1), result.output
