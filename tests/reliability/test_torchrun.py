"""Training under torchrun itself: the same weights as one process, and what comes of a killed or stopped rank."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.conftest import small_config
from tests.encoders import tiny
from tests.training.helpers import history, only_run, same
from tests.training.helpers import train as train_alone
from tests.training.many import train as train_together
from tests.training.test_parallel import assert_alike
from textclf.artefacts import runs
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to find a rank")

SECONDS = 200


class Torchrun:
    """`textclf train` in several processes."""

    def __init__(self, count, *arguments, restarts=0):
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(count), "--max-restarts", str(restarts)]
        self.process = subprocess.Popen(
            [sys.executable, *launcher, "-m", "textclf", "train", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def pid(self, rank):
        """The process of a rank."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                status = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                environment = (folder / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if int(status[1]) == self.process.pid and f"RANK={rank}".encode() in environment:
                return int(folder.name)
        raise AssertionError(f"no rank {rank}")

    def wait_for(self, condition):
        end = time.monotonic() + SECONDS
        while not condition():
            assert self.process.poll() is None, self.end()
            assert time.monotonic() < end
            time.sleep(0.02)

    def end(self):
        """Exit code, results, and what our processes said, without torchrun's own report."""
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, err


@pytest.fixture
def torchrun():
    """Starts torchruns, and ends those that are left."""
    started = []

    def start(*given, **more):
        started.append(Torchrun(*given, **more))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.terminate()
            each.process.communicate(timeout=60)


def arguments(config):
    """The options of a small run."""
    names = ("epochs", "batch_size", "hidden_size", "tier", "device", "data", "run_dir", "model", "lr", "dropout")
    given = {name.replace("_", "-"): getattr(config, name) for name in names}
    return [*(f"--{name}={value}" for name, value in given.items() if value is not None), "--no-refit"]


def has_epochs(folder, count):
    def condition():
        found = list(folder.glob("*/history.jsonl"))
        return bool(found) and len(found[0].read_text().splitlines()) >= count

    return condition


@pytest.mark.long
def test_a_rank_is_killed_and_torchrun_starts_all_again(torchrun, data_dir, tmp_path):
    config = small_config("mlp", data_dir, tmp_path / "killed", epochs=60, patience=60, refit=False)
    killed = torchrun(2, *arguments(config), "--patience=60", restarts=1)
    killed.wait_for(has_epochs(tmp_path / "killed", 2))
    os.kill(killed.pid(1), signal.SIGKILL)
    code, out, err = killed.end()
    run = only_run(tmp_path / "killed")
    assert (code, out) == (0, f"{run.root}\n"), err
    assert err.count("textclf: 2 processes over gloo, each on its share of every batch") == 2
    assert err.count("textclf: one of the 2 processes of torchrun has ended") <= 1
    assert len(history(run)) == 60
    torch.set_num_threads(1)
    straight = small_config("mlp", data_dir, tmp_path / "straight", epochs=60, patience=60, refit=False)
    assert same(run, train_together(straight, 2))


@pytest.mark.long
def test_an_encoder_reads_once_and_the_model_is_that_of_one_process(torchrun, corpus_csv, tmp_path):
    data = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1))[0]
    small = tiny.write(tmp_path / "published" / "small")
    given = {"epochs": 3, "dropout": 0.0, "refit": False}
    config = small_config("mlp", data, tmp_path / "together", **given)
    code, out, err = torchrun(2, *arguments(config), f"--encoder={small}").end()
    assert code == 0, err
    assert err.count("textclf: encoder small: ") == 1
    torch.set_num_threads(1)
    alone = train_alone(small_config("mlp", data, tmp_path / "alone", encoder=str(small), **given))
    assert_alike(alone, runs.RunLayout(Path(out.strip())))


@pytest.fixture(scope="session")
def made_up(tmp_path_factory):
    """1,200 training documents of 3,000 made-up words: 25 steps of 48 documents an epoch."""
    folder, chance = tmp_path_factory.mktemp("made_up"), random.Random(0)
    words = [f"w{number}" for number in range(3_000)]
    with (folder / "made_up.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for _ in range(1_500):
            label = chance.randrange(4)
            own = words[label * 300 : label * 300 + 800]
            text = [chance.choice(own if chance.random() < 0.5 else words) for _ in range(chance.randrange(5, 60))]
            writer.writerow((" ".join(text), f"L{label}"))
    config = PreprocessConfig(source=(str(folder / "made_up.csv"),), data_dir=folder / "data", num_workers=1)
    return preprocess(config)[0]


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("model", ["mlp", "lstm", "cnn"])
def test_fifty_steps_give_the_weights_of_one_process(torchrun, made_up, tmp_path, model, count):
    """An lstm and a cnn amplify rounding, the more the larger their steps; tests/training has double precision.

    At a learning rate of 0.002 one process that reads each batch backwards ends with a cnn's weights 7e-3 away from its
    own, since which word a filter answers to most is decided by the last bit; at 0.0005 they are 3e-7 away.
    """
    sizes = {"epochs": 2, "patience": 2, "batch_size": 48, "dropout": 0.0, "refit": False}
    if model != "mlp":
        sizes |= {"hidden_size": 32, "word_dropout": 0.0}
    sizes["lr"] = {"mlp": 0.002, "cnn": 0.0005, "lstm": 0.0002}[model]
    torch.set_num_threads(1)
    alone = train_alone(small_config(model, made_up, tmp_path / "alone", **sizes))
    config = small_config(model, made_up, tmp_path / "together", **sizes)
    word_dropout = [] if model == "mlp" else ["--word-dropout=0"]
    code, out, err = torchrun(count, *arguments(config), "--patience=2", *word_dropout).end()
    assert code == 0, err
    together = runs.RunLayout(Path(out.strip()))
    assert_alike(alone, together)
    if count == 1:
        assert same(alone, together)


MOMENTS = {
    "settings": lambda run_dir: lambda: bool(list(run_dir.glob("*/config.json"))),
    "second epoch": lambda run_dir: has_epochs(run_dir, 1),
    "later": lambda run_dir: has_epochs(run_dir, 9),
    "end": lambda run_dir: lambda: bool(list(run_dir.glob("*/model/config.json"))),
}


@pytest.mark.long
@pytest.mark.parametrize("restarts", [0, 2])
@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_rank_that_is_killed_at_any_moment_costs_no_bit(torchrun, made_up, tmp_path, moment, victim, restarts):
    def config(folder):
        return small_config(
            "mlp", made_up, tmp_path / folder, epochs=12, patience=12, batch_size=48, hidden_size=32, refit=False
        )

    killed = torchrun(2, *arguments(config("killed")), "--patience=12", restarts=restarts)
    killed.wait_for(MOMENTS[moment](tmp_path / "killed"))
    os.kill(killed.pid(victim), signal.SIGKILL)
    code, _, err = killed.end()
    run = only_run(tmp_path / "killed")
    if restarts:
        assert code == 0, err
    else:
        assert code == 1
        assert err.count("\ntextclf: one of the 2 processes of torchrun has ended") == 1, err
        code, _, err = torchrun(2, "--resume", run.root).end()
        assert code == 0, err
    torch.set_num_threads(1)
    assert same(run, train_together(config("straight"), 2))


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_torchrun_passes_a_signal_on_and_all_stop_after_a_save(torchrun, made_up, tmp_path, number):
    def config(folder):
        return small_config(
            "mlp", made_up, tmp_path / folder, epochs=12, patience=12, batch_size=48, hidden_size=32, refit=False
        )

    stopped = torchrun(2, *arguments(config("stopped")), "--patience=12")
    stopped.wait_for(has_epochs(tmp_path / "stopped", 1))
    stopped.process.send_signal(number)
    code, _, err = stopped.end()
    run = only_run(tmp_path / "stopped")
    assert code == 1
    assert err.count(f"\ntextclf: stopped; resume it: textclf train --resume {run.root}\n") == 1, err
    assert run.last.exists()
    assert torchrun(2, "--resume", run.root).end()[0] == 0
    torch.set_num_threads(1)
    assert same(run, train_together(config("straight"), 2))
