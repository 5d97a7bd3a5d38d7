"""The peers of textclf: installs them into their own environment, and builds the commands that run them."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import click

SCRIPTS: Final = Path(__file__).resolve().parent.parent
PINNED: Final = SCRIPTS / "peers.txt"
ENVIRONMENT: Final = SCRIPTS.parent / ".venv-peers"
PYTHON: Final = ENVIRONMENT / "bin" / "python"
NAMED: Final = ("scikit-learn", "fasttext", "vowpalwabbit", "libmultilabel")

SVM: Final = "TF-IDF + LinearSVC"
FASTTEXT: Final = "fastText"
VW: Final = "Vowpal Wabbit"
LIBMULTILABEL: Final = "LibMultiLabel"

BEST_EPOCHS: Final = 50  # of fastText on 20 Newsgroups, with this dimension; fewer or more were less accurate
BEST_DIM: Final = 50
DEFAULT_DIM: Final = 100  # fastText's own

Command = list[str | Path]


def install() -> None:
    """Create the environment unless it has these versions; takes a minute or two and needs the package index."""
    stamp, wanted = ENVIRONMENT / "made-from", PINNED.read_text(encoding="utf-8") + sys.version
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    click.echo("Installing the peers into .venv-peers (once) ...", err=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
    pip: Command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", PINNED]
    subprocess.run(pip, check=True, stdout=sys.stderr)
    stamp.write_text(wanted, encoding="utf-8")


def versions() -> dict[str, str]:
    """Versions of the peers; empty if they are not installed."""
    if not PYTHON.exists():
        return {}
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    done = subprocess.run([PYTHON, "-c", code, *NAMED], check=True, stdout=subprocess.PIPE, text=True)
    return dict(zip(NAMED, done.stdout.split(), strict=True))


def script(name: str, *arguments: str | Path) -> Command:
    """The command that runs a script of ``scripts/peers/`` with the peers' Python."""
    return [PYTHON, SCRIPTS / "peers" / f"{name}.py", *arguments]


def vw_train(train: Path, model: Path, *, classes: int) -> Command:
    """The command that trains Vowpal Wabbit: five passes over words and pairs of words, one class against all."""
    options = f"--oaa {classes} --ngram 2 -b 22 --passes 5 -c -k --loss_function logistic --holdout_off --quiet"
    return [PYTHON, "-m", "vowpalwabbit", "-d", train, "-f", model, *options.split()]


def vw_predict(model: Path, texts: Path, answers: Path) -> Command:
    """The command that writes a class number for each line of a file in the format of Vowpal Wabbit."""
    return [PYTHON, "-m", "vowpalwabbit", "-t", "-i", model, "-d", texts, "-p", answers, "--quiet"]
