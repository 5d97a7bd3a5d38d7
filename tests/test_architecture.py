"""The plan of the house, held against the code: who may import whom, what stays unloaded, which calls nobody makes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import textclf

ROOT = Path(textclf.__file__).parent

# Each room and the rooms it may import; what is in OPEN_TO_ALL is open to all.
ALLOWED = {
    "errors": set(),
    "settings": set(),
    "system": set(),
    "text": set(),
    "sources": set(),
    "encoders": {"sources", "text"},
    "word_vectors": {"sources"},
    "models": {"text"},
    "config": {"models"},
    "dataset": {"config", "encoders", "sources", "text"},
    "artefacts": {"dataset", "encoders", "models", "sources", "text"},
    "inference": {"artefacts", "models", "sources", "text"},
    "serve": {"inference", "models", "sources", "text"},
    "standalone": {"artefacts", "inference", "serve"},
    "evaluation": {"artefacts", "config", "dataset", "inference", "models", "text"},
    "training": {
        "artefacts",
        "config",
        "dataset",
        "encoders",
        "evaluation",
        "models",
        "progress",
        "text",
        "word_vectors",
    },
    "experiments": {
        "artefacts",
        "config",
        "dataset",
        "evaluation",
        "export",
        "inference",
        "models",
        "sources",
        "training",
    },
    "export": {"artefacts", "dataset", "evaluation", "inference", "models", "text"},
    "estimator": {
        "artefacts",
        "config",
        "dataset",
        "encoders",
        "evaluation",
        "inference",
        "progress",
        "sources",
        "training",
    },
    "results": {"artefacts", "dataset", "evaluation", "inference"},
    "progress": set(),
    "api": {"artefacts", "config", "dataset", "experiments", "progress", "results", "sources", "training"},
    "cli": {
        "artefacts",
        "config",
        "dataset",
        "encoders",
        "evaluation",
        "experiments",
        "export",
        "inference",
        "models",
        "serve",
        "sources",
        "training",
        "word_vectors",
    },
    "__main__": {"cli"},
}
OPEN_TO_ALL = {"errors", "settings", "system"}
TORCH_FREE = (
    "textclf",
    "textclf.cli",
    "textclf.inference.classifier",
    "textclf.inference.explain",
    "textclf.evaluation.evaluate",
    "textclf.dataset.build",
    "textclf.training",
    "textclf.training.setup",
)

FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    """The room a file is in: its folder below textclf/, or its own name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0]


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a file imports, wherever in the file it does."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "textclf":
            names = [f"textclf.{alias.name}" for alias in node.names if alias.name != "__version__"]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("textclf.")}
    return rooms


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downhill(path: Path) -> None:
    if path == ROOT / "__init__.py":  # the public API, which imports what it needs when it is called
        return
    here = room(path)
    assert imported_rooms(path) - {here} - OPEN_TO_ALL <= ALLOWED[here]


def test_the_table_has_no_circle_and_no_room_that_is_gone() -> None:
    assert set(ALLOWED) == {room(path) for path in FILES} - {"__init__"}
    order: list[str] = []
    while len(order) < len(ALLOWED):
        ready = [name for name, needs in ALLOWED.items() if name not in order and needs <= set(order)]
        assert ready, f"a circle among {set(ALLOWED) - set(order)}"
        order += ready


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_executed_that_was_read(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not imported & {"pickle", "joblib", "dill", "shelve", "marshal"}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        runs_what_the_user_names = path == ROOT / "models" / "user" / "code.py" and name in {"exec", "compile"}
        assert name not in {"eval", "exec", "compile", "__import__"} or runs_what_the_user_names
        assert keywords.get("allow_pickle", "False") == "False"
        assert "trust_remote_code" not in keywords
        if name == "torch.load":
            assert keywords.get("weights_only") == "True"
        if name == "np.load":
            assert keywords.get("allow_pickle") == "False"


PRINTS = {"click.echo", "click.secho", "print", "sys.stdout.write", "sys.stderr.write", "tqdm.write"}


@pytest.mark.parametrize("path", sorted((ROOT / "cli").glob("*.py")), ids=lambda path: path.name)
def test_only_one_file_of_the_command_line_prints(path: Path) -> None:
    """It escapes what it prints: labels, texts and paths may hold characters that rewrite a terminal."""
    if path.name == "terminal.py":
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    assert {ast.unparse(call.func) for call in calls} & PRINTS == set()


@pytest.mark.parametrize("module", TORCH_FREE)
def test_what_must_start_fast_does_not_import_torch(module: str) -> None:
    heavy = "{'torch', 'datasets', 'sklearn', 'pandas', 'tensorboard'}"
    done = run_python(
        f"import sys, {module}; sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    )
    assert (done.returncode, done.stderr) == (0, "")


LOADED = """
import sys
from textclf.cli import main
try:
    main({arguments!r})
except SystemExit as end:
    assert end.code in (None, 0) or {may_fail}, end.code
print(*sys.modules, file=sys.stderr)
"""


def loaded(arguments: list[str], *, may_fail: bool = False) -> set[str]:
    """Modules that a command has imported when it ends; may_fail: an argument error is a good end, too."""
    done = run_python(LOADED.format(arguments=arguments, may_fail=may_fail))
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["serve", "--help"],
        ["serve", "--run", "nowhere"],
        ["explain", "--run", "nowhere"],
        ["corpora"],
        ["runs"],
        ["train", "--tier", "huge"],
        ["tune", "--help"],
        ["tune", "--time", "soon"],
        ["predict"],
        ["predict", "--run", "nowhere", "rain"],
        ["tran"],
        ["check", "nowhere", "--colour"],
    ],
)
def test_help_and_usage_errors_do_not_wait_for_torch_or_numpy(arguments: list[str]) -> None:
    heavy = {"torch", "numpy", "datasets", "pyarrow", "sklearn", "scipy", "matplotlib", "tqdm", "email", "subprocess"}
    assert loaded(arguments, may_fail=True) & heavy == set()


def test_a_command_imports_no_other_command(run_dir: Path) -> None:
    names = loaded(["predict", "--run", str(run_dir), "rain"])
    ours = {name for name in names if name.startswith("textclf.cli.")}
    shared = {f"textclf.cli.{name}" for name in ("commands", "options", "settings_file", "terminal", "values")}
    assert ours == {"textclf.cli.predict", *shared}


def test_predict_runs_on_numpy_alone(run_dir: Path) -> None:
    heavy = {"torch", "sklearn", "scipy", "pandas", "pyarrow", "matplotlib", "datasets", "tensorboard", "tqdm"}
    Path("rows.csv").write_text("text,label\nrain,weather\n")
    of_file = ["--input", "rows.csv", "--format", "csv", "--output", "out.csv"]
    for arguments in (["rain"], ["rain", "--format", "jsonl", "--top-k", "2"], of_file):
        assert loaded(["predict", "--run", str(run_dir), *arguments]) & heavy == set()


def test_explaining_runs_on_numpy_alone(run_dir: Path) -> None:
    heavy = {"torch", "sklearn", "scipy", "pandas", "pyarrow", "matplotlib", "datasets", "tensorboard", "tqdm"}
    for arguments in (["predict", "--explain", "rain"], ["explain", "--top-words", "food"]):
        assert loaded([arguments[0], "--run", str(run_dir), *arguments[1:]]) & heavy == set()


def test_evaluate_and_info_run_without_torch(run_dir: Path, data_dir: Path) -> None:
    heavy = {"torch", "datasets", "matplotlib", "tensorboard", "pandas"}
    assert loaded(["evaluate", "--run", str(run_dir)]) & heavy == set()
    for path in (run_dir, data_dir):
        assert loaded(["info", str(path)]) & (heavy | {"sklearn", "scipy", "pandas"}) == set()
    assert "numpy" not in loaded(["info", str(run_dir)])


def test_training_imports_nothing_for_tables(data_dir: Path) -> None:
    names = loaded(["train", "--data", str(data_dir), "--epochs", "1", "--hidden-size", "8", "--device", "cpu"])
    assert names & {"datasets", "pandas", "sklearn"} == set()
    assert "pyarrow" not in names or sys.platform != "linux"  # another process reads the table of documents


def test_export_runs_without_torch(run_dir: Path, tmp_path: Path) -> None:
    heavy = {"torch", "datasets", "matplotlib", "tensorboard", "onnx", "onnxruntime"}
    given = ["export", "--run", str(run_dir), "--output", str(tmp_path / "out"), "--max-drop", "100"]
    assert loaded(given) & heavy == set()


def test_public_names_are_those_that_can_be_imported() -> None:
    for name in textclf.__all__:
        assert getattr(textclf, name).__doc__
    assert list(textclf.__all__) == sorted(textclf.__all__)
    assert set(dir(textclf)) == {*textclf.__all__, "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = textclf.nothing


def test_every_module_has_its_tests() -> None:
    tests = Path(__file__).parent
    shown_by_others = {"__init__.py", "__main__.py", "card.py", "model.py"}
    of_every_model = {"predict.py", "onnx.py"}  # tests/models/test_runtime.py and tests/export/test_onnx.py try each
    missing = [
        str(path.relative_to(ROOT))
        for path in FILES
        if path.name not in shown_by_others
        and not (path.parent.parent.name == "models" and path.name in of_every_model)
        and path.parent.name != "cli"  # each command is tested through the command line
        and not list((tests / path.relative_to(ROOT).parent).glob(f"test_{path.stem}*.py"))
    ]
    assert missing == []
