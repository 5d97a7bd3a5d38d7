"""A run exported into one file: what is inside, how large it is, and when it is refused."""

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import MY_MODEL, invoke
from textclf.artefacts import containers, loading
from textclf.config import TrainConfig
from textclf.export import pyz

mlp = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)


def export(runner, run_dir, output, *more):
    given = ["--run", run_dir, "--output", output, "--format", "pyz", "--max-drop", 100, *more]
    return invoke(runner, "export", *given)


@pytest.mark.slow
def test_an_export_is_one_file_that_predicts_as_the_same_export_in_a_folder(runner, run_dir):
    done = export(runner, run_dir, "tickets.pyz", "--precision", "float16")
    assert done.exit_code == 0, done.stderr
    assert f"{Path('tickets.pyz').stat().st_size:,}" in done.stdout
    assert os.access("tickets.pyz", os.X_OK)
    given = ["--run", run_dir, "--output", "folder", "--precision", "float16", "--max-drop", 100]
    assert invoke(runner, "export", *given).exit_code == 0
    asked = ["--format", "json", "--top-k", 3, "the cat sat", "", "rain"]
    answers = [invoke(runner, "predict", "--run", path, *asked).stdout for path in ("tickets.pyz", "folder")]
    assert answers[0] == answers[1] != ""
    assert set(map(str, Path().iterdir())) == {"tickets.pyz", "folder"}


@mlp
@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes_in_another_process_and_folder(runner, run_dir, tmp_path):
    assert export(runner, run_dir, "one.pyz").exit_code == 0
    command = ["export", "--run", str(run_dir), "--output", "other.pyz", "--format", "pyz", "--max-drop", "100"]
    subprocess.run(
        [sys.executable, "-m", "textclf", *command],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "7", "TMPDIR": str(tmp_path)},
    )
    assert Path("one.pyz").read_bytes() == Path("other.pyz").read_bytes()


def test_the_size_is_known_before_the_file_is_made(pyz_file, run_dir):
    files = {path.name: path.read_bytes() for path in sorted((run_dir / "model").iterdir())}
    size = pyz_file.stat().st_size
    assert size <= pyz.most_bytes(files) < size + 500


@mlp
@pytest.mark.slow
def test_the_largest_size_holds_for_the_file(runner, run_dir):
    export(runner, run_dir, "whole.pyz", "--precision", "float16")
    most = Path("whole.pyz").stat().st_size - 2000
    made = export(runner, run_dir, "small.pyz", "--precision", "float16", "--max-size", most)
    assert made.exit_code == 0, made.stderr
    size = Path("small.pyz").stat().st_size
    exported = loading.load(Path("small.pyz")).trained["exported"]
    assert f"{size:,}" in made.stdout
    assert size <= most
    assert exported["after"]["precision"] == "float16"
    assert exported["after"]["features"] < exported["before"]["features"]
    refused = export(runner, run_dir, "tiny.pyz", "--max-size", "1kB")
    assert (refused.exit_code, refused.stderr.count("\n"), Path("tiny.pyz").exists()) == (1, 1, False)
    lossy = invoke(runner, "export", "--run", run_dir, "--output", "x.pyz", "--format", "pyz", "--max-drop", 0)
    assert (lossy.exit_code, Path("x.pyz").exists()) in {(0, True), (1, False)}


@mlp
def test_what_exists_is_not_replaced(runner, run_dir):
    Path("there.pyz").write_text("mine")
    Path("folder.pyz").mkdir()
    for name in ("there.pyz", "folder.pyz"):
        refused = export(runner, run_dir, name)
        assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
        assert "exists" in refused.stderr
    assert Path("there.pyz").read_text() == "mine"


@pytest.mark.slow
def test_a_model_of_the_user_is_refused_in_one_line(runner, data_dir, tmp_path):
    from textclf.training import train

    Path("my_model.py").write_text(MY_MODEL)
    given = {"model": "my_model.py:MyModel", "data": str(data_dir), "run_dir": tmp_path / "runs", "epochs": 1}
    run = train(TrainConfig.create(**given, tier="full", batch_size=8, device="cpu")).root
    refused = export(runner, run, "x.pyz", "--code", "my_model.py")
    assert (refused.exit_code, refused.stderr.count("\n"), Path("x.pyz").exists()) == (2, 1, False)
    assert "MyModel predicts through torch" in refused.stderr


def module_of(name):
    """The file of a module or package of textclf; None if the name is something in a module."""
    path = pyz.ROOT.parent / name.replace(".", "/")
    found = [each for each in (path.with_suffix(".py"), path / "__init__.py") if each.exists()]
    return found[0] if found else None


def imports(path):
    """The files of textclf that a module imports, at its top or in a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {found for name in names if name.startswith("textclf.") and (found := module_of(name))}


def test_every_module_that_predicting_can_import_is_inside():
    inside = {path for path in pyz.inside() if path.suffix == ".py"}
    outside = {path for pattern in pyz.OUTSIDE for path in pyz.ROOT.glob(pattern)}
    only_types = {pyz.ROOT / "models/onnx_graph.py"}
    assert outside
    assert not inside & outside
    for path in inside - {pyz.ROOT / "__init__.py"}:
        assert imports(path) <= inside | outside | only_types, path


@mlp
def test_the_modules_are_those_of_textclf_unchanged(pyz_file):
    with zipfile.ZipFile(pyz_file) as archive:
        for path in pyz.inside():
            name = f"textclf/{path.relative_to(pyz.ROOT).as_posix()}"
            assert archive.read(name) == path.read_bytes()
            assert path.suffix != ".py" or f"{name}c" in archive.namelist()


@mlp
@pytest.mark.slow
def test_another_version_of_python_compiles_the_modules_itself(pyz_file, numpy_alone, run_dir):
    """Here, its compiled modules have the mark of another version."""
    files = {path.name: path.read_bytes() for path in sorted((run_dir / "model").iterdir())}
    foreign = {
        name: b"\0\0\r\n" + content[4:] if name.endswith(".pyc") else content for name, content in pyz.code().items()
    }
    Path("foreign.pyz").write_bytes(containers.pack(foreign, files, mapped=pyz.MAPPED))
    shutil.copy(pyz_file, "ours.pyz")
    environment = {**os.environ, "PYTHONPATH": str(numpy_alone)}
    answers = [
        subprocess.check_output([sys.executable, "-S", name, "--top-k", "3", "the cat"], env=environment)
        for name in ("ours.pyz", "foreign.pyz")
    ]
    assert answers[0] == answers[1] != b""
