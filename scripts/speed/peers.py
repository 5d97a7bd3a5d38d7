"""What textclf is measured against: an environment of its own for the peers, and the commands that run them."""

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

BEST_EPOCHS: Final = 50  # of fastText on 20 Newsgroups, with this width; fewer or more were less accurate
BEST_DIM: Final = 50
DEFAULT_DIM: Final = 100  # fastText's own

Command = list[str | Path]


def install() -> None:
    """Make the environment, unless it is there at these versions; takes a minute or two and the package index."""
    stamp, wanted = ENVIRONMENT / "made-from", PINNED.read_text(encoding="utf-8") + sys.version
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    click.echo("Installing what textclf is measured against into .venv-peers (once) ...", err=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
    pip: Command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", PINNED]
    subprocess.run(pip, check=True, stdout=sys.stderr)
    stamp.write_text(wanted, encoding="utf-8")


def versions() -> dict[str, str]:
    """Versions of the peers; none where no section has asked for them yet."""
    if not PYTHON.exists():
        return {}
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    done = subprocess.run([PYTHON, "-c", code, *NAMED], check=True, stdout=subprocess.PIPE, text=True)
    return dict(zip(NAMED, done.stdout.split(), strict=True))


def script(name: str, *arguments: str | Path) -> Command:
    """A script of ``scripts/peers/``, run by the peers' Python."""
    return [PYTHON, SCRIPTS / "peers" / f"{name}.py", *arguments]


def vw_train(train: Path, model: Path, *, classes: int) -> Command:
    """Vowpal Wabbit, five passes over words and pairs, one class against all."""
    options = f"--oaa {classes} --ngram 2 -b 22 --passes 5 -c -k --loss_function logistic --holdout_off --quiet"
    return [PYTHON, "-m", "vowpalwabbit", "-d", train, "-f", model, *options.split()]


def vw_predict(model: Path, texts: Path, answers: Path) -> Command:
    """The number of a class for each line of a file in Vowpal Wabbit's format."""
    return [PYTHON, "-m", "vowpalwabbit", "-t", "-i", model, "-d", texts, "-p", answers, "--quiet"]
