"""Every command where the machine refuses something: it works, or ends with one line and its documented exit code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import small_config
from textclf import training
from textclf.cli import NAMES
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")]

COMMANDS = {
    "preprocess": "preprocess corpus.csv --name again --num-workers 2",
    "check": "check data/corpus",
    "check run": "check runs/latest",
    "suspects": "suspects data/corpus --folds 2 --device cpu",
    "train": "train --tier full --epochs 1 --hidden-size 8 --device cpu",
    "train with processes": "train --tier full --epochs 1 --model lstm --store files --num-workers 2 --device cpu",
    "tune": "tune --tier full --trials 2 --device cpu",
    "predict": "predict rain",
    "predict file": "predict --input corpus.csv --format csv --output out.csv",
    "select": "select --input corpus.csv --n 3",
    "explain": "explain --top-k 2",
    "evaluate": "evaluate",
    "compare": "compare runs/latest runs/other",
    "report": "report",
    "export": "export --output small --max-drop 100",
    "verify": "verify",
    "serve": "serve --port 0",
    "learning-curve": "learning-curve --device cpu",
    "corpora": "corpora",
    "info": "info",
    "info data": "info data/corpus",
    "runs": "runs",
    "data": "data",
    "encoder": "encoder list --format json",
    "vectors": "vectors list --format json",
    "init": "init",
    "completion": "completion bash",
    "help": "--help",
}
ALL = frozenset(COMMANDS)
WRITING = frozenset(
    {
        "preprocess",
        "train",
        "train with processes",
        "predict file",
        "report",
        "export",
        "learning-curve",
        "init",
        "tune",
    }
)
READING = ALL - {
    "corpora",
    "help",
    "runs",
    "data",
    "encoder",
    "vectors",
    "completion",
    "init",
}  # runs and data list what they may not read
PRINTING = ALL - {"predict file", "serve"}
WITHOUT_RIGHTS = "" if os.getuid() else "setpriv --bounding-set=-dac_override,-dac_read_search,-fowner"
"""Root may read and write everything, unless it gives up these rights."""
USER = 40_000 + os.getpid() % 20_000
"""Of this process of the tests alone: the limit counts all processes of a user."""
AS_ANOTHER = (
    f"setpriv --reuid {USER} --clear-groups --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search "
    "--bounding-set=-all,+dac_read_search"
)
"""A user without a name and a home, who may still read Python, wherever that is installed."""


class Situation(NamedTuple):
    """What the machine refuses."""

    script: str
    """For a shell in the folder of the test, with the command in "$@"."""
    code: int
    failing: frozenset[str] | None = frozenset()
    """Commands that end with the code, while others work; None: each may do either."""
    says: str = ""
    """A part of the line."""
    needs: str = "sh"
    """A program that must be installed."""
    is_root: bool = False


SITUATIONS = {
    "a folder that may not be written to": Situation(
        f'chmod -R a-w .; {WITHOUT_RIGHTS} "$@"', 2, WRITING, "no permission to read or write ", needs="setpriv"
    ),
    "files that may not be read": Situation(
        f'chmod -R a-rwx data/* runs/* *.csv; {WITHOUT_RIGHTS} "$@"', 2, READING, needs="setpriv"
    ),
    "a folder that may not be entered": Situation(
        f'chmod a-rwx .; {WITHOUT_RIGHTS} "$@"', 2, READING | {"runs", "data", "init"}, needs="setpriv"
    ),
    "a disk that is read-only": Situation(
        'mount --bind . . && mount -o remount,ro,bind . . || exit 77; cd "$PWD"; "$@"',
        2,
        WRITING,
        "is on a disk that is read-only",
        needs="unshare",
        is_root=True,
    ),
    "a full disk": Situation(
        "mkdir disk; mount -t tmpfs -o size=4m none disk || exit 77; cp -r corpus.csv data runs disk; cd disk; "
        'head -c 5m /dev/zero > fill 2> /dev/null; "$@"',
        5,
        WRITING,
        " space ",
        needs="unshare",
        is_root=True,
    ),
    "a disk that gets full": Situation(
        "mkdir disk; mount -t tmpfs -o size=4m none disk || exit 77; cp -r corpus.csv data runs disk; cd disk; "
        'head -c 5m /dev/zero > fill 2> /dev/null; truncate -s -200K fill; "$@"',
        5,
        None,
        needs="unshare",
        is_root=True,
    ),
    "files of at most a kilobyte": Situation(
        'ulimit -f 1; "$@"', 5, WRITING | {"verify"}, "(the limit is 1,024 bytes: ulimit -f)"
    ),
    "few open files": Situation('ulimit -n 16; "$@"', 5, None),
    "one process and no thread": Situation(
        f'chown -R {USER} . && prlimit --nproc=1 {AS_ANOTHER} "$@"', 5, None, needs="setpriv", is_root=True
    ),
    "few threads": Situation(
        f'chown -R {USER} . && prlimit --nproc=5 {AS_ANOTHER} "$@"', 5, None, needs="setpriv", is_root=True
    ),
    "little memory": Situation('ulimit -v 300000; "$@"', 5, None),
    "hardly any memory": Situation('ulimit -v 100000; "$@"', 5, None),
    "no home": Situation(
        f'chown -R {USER} .; exec env -i PATH="$PATH" PYTHONPATH="$PYTHONPATH" {AS_ANOTHER} "$@"',
        0,
        needs="setpriv",
        is_root=True,
    ),
    "a closed stdin": Situation('"$@" <&-', 0),
    "a closed stdout": Situation('"$@" >&-', 2, ALL, "stdout is closed"),
    "a closed stderr": Situation('"$@" 2>&-', 0),
    "three closed streams": Situation('"$@" <&- >&- 2>&-', 2, ALL),
    "a full stdout": Situation('"$@" > /dev/full', 5, PRINTING, "no space left to write stdout"),
    "a full stderr": Situation('"$@" 2> /dev/full', 5, None),
    "a stdout that nobody reads": Situation(
        'mkfifo pipe; (exec 3< pipe) & exec 4> pipe; wait; "$@" >&4', 141, PRINTING
    ),
    "a current folder that was removed": Situation('mkdir gone; cd gone; rmdir ../gone; "$@"', 2, READING | {"init"}),
}


@pytest.fixture(scope="module")
def workshop(corpus_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, its data directory and two runs."""
    folder = tmp_path_factory.mktemp("workshop")
    shutil.copy(corpus_csv, folder / "corpus.csv")
    data = preprocess(PreprocessConfig(source=str(folder / "corpus.csv"), data_dir=folder / "data", num_workers=1))[0]
    run = training.train(small_config("mlp", data, folder / "runs", epochs=1)).root
    shutil.copytree(run, run.with_name("other"))
    return folder


def run(situation: Situation, command: str, workshop: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a copy of the workshop, with what the machine refuses there."""
    shutil.copytree(workshop, folder)
    cache = folder.with_name(f"{folder.name}-cache")  # that of root is not for another user
    cache.mkdir()
    cache.chmod(0o777)
    alone = ["unshare", "-m"] if situation.needs == "unshare" else []
    own = ["timeout", "5"] if command.startswith("serve") else []  # which ends only when it is told to
    words = [sys.executable, "-m", "textclf", *command.split()]
    try:
        return subprocess.run(
            [*own, *alone, "bash", "-c", situation.script, "bash", *words],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "1",  # or all later commands would find it cut off
                "XDG_CACHE_HOME": str(cache),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", folder], check=False, capture_output=True)


def check(situation: Situation, name: str, done: subprocess.CompletedProcess[str]) -> None:
    """Assert that a command worked, or ended with one line and the exit code of the situation."""
    if done.returncode == 77:
        pytest.skip("mounting is not allowed here")
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("textclf: ")]
    worked = done.returncode in ((124,) if name == "serve" else (0,))
    if situation.failing is None:
        assert worked or done.returncode == situation.code, done.stderr
    else:
        assert worked == (name not in situation.failing), done.stderr
        assert worked or done.returncode == situation.code, done.stderr
    if worked or not done.stderr or done.returncode == 141:  # which says nothing
        return
    assert "damaged" not in done.stderr
    assert done.stderr.splitlines()[-1:] == lines[-1:]
    assert situation.says in lines[-1]


QUICK = {
    ("a folder that may not be written to", "predict file"),
    ("files that may not be read", "predict"),
    ("files that may not be read", "info"),
    ("a disk that is read-only", "predict file"),
    ("a full disk", "predict file"),
    ("files of at most a kilobyte", "predict file"),
    ("few open files", "predict"),
    ("few threads", "check"),
    ("one process and no thread", "predict"),
    ("little memory", "check run"),
    ("no home", "predict"),
    ("a closed stdin", "info"),
    ("a closed stdout", "predict"),
    ("a closed stderr", "corpora"),
    ("a full stdout", "corpora"),
    ("a stdout that nobody reads", "info"),
    ("a current folder that was removed", "predict"),
}
"""Situations and commands that take a fraction of a second, for every run of the tests."""


@pytest.mark.parametrize(
    ("where", "name"),
    [
        pytest.param(where, name, marks=[] if (where, name) in QUICK else [pytest.mark.long])
        for where in SITUATIONS
        for name in COMMANDS
    ],
)
def test_a_command_works_or_ends_with_one_line(where: str, name: str, workshop: Path, tmp_path: Path) -> None:
    situation = SITUATIONS[where]
    if not shutil.which(situation.needs) or (situation.is_root and os.getuid()):
        pytest.skip("this is for root")
    check(situation, name, run(situation, COMMANDS[name], workshop, tmp_path / "copy"))


def test_every_command_is_tried() -> None:
    assert {command.split()[0] for command in COMMANDS.values()} == {*NAMES, "--help"}
    assert {where for where, _ in QUICK} <= set(SITUATIONS)
    assert {name for _, name in QUICK} <= set(COMMANDS)
