import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import textclf

PACKAGE = Path(textclf.__file__).parent
SHOW = "import sys; print(sys.path[0], sys.path[-1], sep='\\n')"


@pytest.fixture
def checkout(tmp_path):
    """A folder with a copy of the package that shows the search path instead of running a command."""
    for name in ("__init__.py", "system/__init__.py", "system/search_path.py"):
        place = tmp_path / "checkout" / "textclf" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / name, place)
    (tmp_path / "checkout" / "textclf" / "__main__.py").write_text(SHOW)
    return tmp_path / "checkout"


def ends_of_search_path(command, folder, **environment):
    """First and last entry of the search path of a program that is started in a folder, without installed packages."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-S", *command],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("options", ["-m", "-B -W error -m", "-P -m", "-Bm"])
def test_the_current_folder_is_not_searched(options, checkout, tmp_path):
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "pathlib.py").write_text("raise SystemExit('code of the current folder was run')")
    first, _ = ends_of_search_path([*options.split(), "textclf"], folder, PYTHONPATH=str(checkout))
    assert first == str(checkout)


def test_a_checkout_that_is_not_installed_is_searched_last(checkout):
    first, last = ends_of_search_path(["-m", "textclf"], checkout)
    assert first != str(checkout)
    assert last == str(checkout)


def test_the_folder_of_another_program_is_still_searched(checkout, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "__init__.py").write_text("import textclf")
    (tmp_path / "other" / "__main__.py").write_text(SHOW)
    first, _ = ends_of_search_path(["-m", "other", "-m", "textclf"], tmp_path, PYTHONPATH=str(checkout))
    assert first == str(tmp_path)
