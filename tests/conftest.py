"""What the tests share: a small corpus, a data directory and a run made from it once, and no network."""

import csv
import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from click.testing import CliRunner, Result

from textclf.config import PreprocessConfig, TrainConfig
from textclf.models import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ray_nodes import Nodes
    from textclf.artefacts.artefact import Artefact
    from textclf.dataset.directory import DataDirectory
    from textclf.inference.classifier import Classifier
    from textclf.training.batches import BatchLoader
    from textclf.training.learner import Learner
    from textclf.training.loop import EarlyStopping
    from textclf.training.setup import Setup

TEXTS = {
    "animals": [
        "the cat sat on the mat",
        "a dog barks at the cat",
        "the horse and the dog run",
        "birds sing, fish swim",
    ],
    "food": [
        "bread with butter and jam",
        "soup, salad and bread",
        "she bakes a cake with butter",
        "rice and beans for dinner",
    ],
    "weather": [
        "rain and wind all day",
        "the sun shines; no rain",
        "snow fell in the night",
        "a storm with wind and hail",
    ],
}


MY_MODEL = """\
import torch
from torch import nn


class MyModel(nn.Module):
    def __init__(self, *, vocabulary, classes, embedding_size=8, dropout=0.1):
        super().__init__()
        self.words = nn.Embedding(vocabulary, embedding_size, padding_idx=0)
        self.inputs = nn.Linear(embedding_size, embedding_size)  # a name that artefacts use themselves
        self.norm = nn.BatchNorm1d(embedding_size)  # which counts batches in a whole number
        self.dropout = nn.Dropout(dropout)
        self.outputs = nn.ModuleList(nn.Linear(embedding_size, classes) for _ in range(2))

    def forward(self, batch):
        inside = (batch.tokens != 0)[:, :, None]
        words = torch.relu(self.inputs(self.words(batch.tokens)))
        mean = (words * inside).sum(dim=1) / batch.lengths[:, None]
        largest = words.masked_fill(~inside, -torch.inf).amax(dim=1)
        views = [self.outputs[0](self.dropout(self.norm(mean))), self.outputs[1](self.dropout(largest))]
        return torch.stack(views)
"""
"""A model of a user: two views, a name that clashes with ours, and a buffer that is no float32."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach this machine alone: a forgotten download fails at once."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise ConnectionRefusedError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each test in an empty folder, so that data, runs, encoders and vectors never meet those of another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEXTCLF_ENCODERS", str(tmp_path / "encoders"))
    monkeypatch.setenv("TEXTCLF_VECTORS", str(tmp_path / "vectors"))


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


@pytest.fixture(scope="session")
def corpus_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty documents of three classes: the twelve texts above, each five times with a word of its own."""
    path = tmp_path_factory.mktemp("corpus") / "tiny_corpus.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for copy in range(5):
            for label, texts in TEXTS.items():
                writer.writerows((f"{text} number{copy}", label) for text in texts)
    return path


@pytest.fixture(scope="session")
def data_dir(corpus_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data directory of the small corpus; not to be changed by a test."""
    from textclf.dataset.build import preprocess

    config = PreprocessConfig(source=str(corpus_csv), data_dir=tmp_path_factory.mktemp("data"), num_workers=1)
    return preprocess(config)[0]


@pytest.fixture(scope="session", params=list(MODELS))
def run_dir(request: pytest.FixtureRequest, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of each model, two epochs and eight wide; not to be changed by a test."""
    from textclf.training import train

    config = small_config(request.param, data_dir, tmp_path_factory.mktemp("runs"), epochs=2)
    return train(config).root


@pytest.fixture(scope="session")
def pyz_file(run_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of `run_dir` and the code that predicts, in one file; not to be changed by a test."""
    from textclf.export import pyz

    path = tmp_path_factory.mktemp("pyz") / "tickets.pyz"
    path.write_bytes(pyz.pack({each.name: each.read_bytes() for each in sorted((run_dir / "model").iterdir())}))
    return path


@pytest.fixture(scope="session")
def numpy_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with numpy and no other package."""
    import numpy as np

    folder, packages = tmp_path_factory.mktemp("packages"), Path(np.__file__).parent.parent
    for name in ("numpy", "numpy.libs"):
        if (packages / name).exists():
            (folder / name).symlink_to(packages / name)
    return folder


NEUTRAL = ["one more line", "nothing to say"]
"""Texts of no label."""


@pytest.fixture(scope="session")
def several_jsonl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents of several labels: each text with that of another label after it, alone, and texts of no label.

    Some have labels that nothing in the text tells, so that a model errs.
    """
    path = tmp_path_factory.mktemp("corpus") / "several.jsonl"
    labels, texts = list(TEXTS), list(TEXTS.values())
    with path.open("w", encoding="utf-8") as file:
        for copy in range(5):
            for one, text in ((label, text) for label in range(3) for text in range(4)):
                other = (one + 1 + text % 2) % 3
                both = f"{texts[one][text]}, {texts[other][copy % 4]} number{copy}"
                some = {"text": both, "labels": [labels[one], labels[other]]} if text else {}
                alone = {"text": f"{texts[one][text]} number{copy}", "labels": [labels[one]]}
                file.writelines(f"{json.dumps(record)}\n" for record in (some, alone) if record)
            file.writelines(f"{json.dumps({'text': f'{text} {copy}', 'labels': []})}\n" for text in NEUTRAL)
        for copy in range(6):
            record = {"text": f"{TEXTS[labels[0]][0]} again{copy}", "labels": labels[copy % 3 : copy % 3 + 1]}
            file.write(f"{json.dumps(record)}\n")
    return path


@pytest.fixture(scope="session")
def several_data(several_jsonl: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data directory of documents of several labels; not to be changed by a test."""
    from textclf.dataset.build import preprocess

    config = PreprocessConfig(source=str(several_jsonl), data_dir=tmp_path_factory.mktemp("data"), num_workers=1)
    return preprocess(config)[0]


@pytest.fixture(scope="session", params=list(MODELS))
def several_run(request: pytest.FixtureRequest, several_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of each model on documents of several labels; not to be changed by a test."""
    from textclf.training import train

    config = small_config(request.param, several_data, tmp_path_factory.mktemp("runs"), epochs=3, lr=0.02)
    return train(config).root


@pytest.fixture(scope="session")
def wordless_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the mlp that knows no word: no two of its documents share one. Parts tell the two labels."""
    from textclf.dataset.build import preprocess
    from textclf.training import train

    folder = tmp_path_factory.mktemp("wordless")
    lines = [f"{'kkq'[place % 2 :] * 2}{place}zz{place * 7919},{'ab'[place % 2]}" for place in range(60)]
    (folder / "unique.csv").write_text("\n".join(["text,label", *lines]))
    config = PreprocessConfig(source=str(folder / "unique.csv"), data_dir=folder / "data", num_workers=1)
    return train(small_config("mlp", preprocess(config)[0], folder / "runs", epochs=4, test=False)).root


@pytest.fixture
def trained(run_dir: Path) -> "Artefact":
    """The model of `run_dir`."""
    from textclf.artefacts import loading

    return loading.load(run_dir / "model")


@pytest.fixture
def classifier(trained: "Artefact") -> "Classifier":
    """The classifier of `run_dir`."""
    from textclf.inference.classifier import Classifier

    return Classifier(trained)


@pytest.fixture(scope="session")
def ray_nodes() -> "Iterator[Nodes]":
    """A Ray cluster of one node with two processors, in processes of its own."""
    from tests.ray_nodes import Nodes

    nodes = Nodes()
    yield nodes
    nodes.close()


def invoke(runner: CliRunner, *arguments: object) -> Result:
    """Run a command; any exception but an exit fails the test."""
    from textclf.cli import main

    result = runner.invoke(main, list(map(str, arguments)))
    assert not result.exception or isinstance(result.exception, SystemExit), result.exception
    return result


def one_line(result: Result) -> str:
    """The one line that a command printed to stderr."""
    (line,) = result.stderr.splitlines()
    return line


@pytest.fixture
def my_model() -> Path:
    """The user's file, in the folder of the test."""
    Path("my_model.py").write_text(MY_MODEL)
    return Path("my_model.py")


@pytest.fixture(scope="session")
def user_run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the user's model, from a file elsewhere; not to be changed by a test."""
    from textclf.training import train

    file = tmp_path_factory.mktemp("code") / "my_model.py"
    file.write_text(MY_MODEL)
    config = small_config(f"{file}:MyModel", data_dir, tmp_path_factory.mktemp("runs"), epochs=8, hidden_size=None)
    return train(config).root


def small_config(model: str, data: Path, runs_dir: Path, **given: object) -> TrainConfig:
    """Settings of a run that takes a fraction of a second."""
    sizes = {"hidden_size": 8, "batch_size": 8, "device": "cpu", "tier": "full"}
    return TrainConfig.create(model=model, data=str(data), run_dir=runs_dir, **{**sizes, **given})


class Assembled(NamedTuple):
    """A run before its first step."""

    setup: "Setup"
    batches: "dict[str, BatchLoader]"
    """Of each part."""
    learner: "Learner"
    stopping: "EarlyStopping"


def assemble(config: TrainConfig, data: "DataDirectory") -> Assembled:
    """Set a run up, with its model and all its batches."""
    from textclf.training import device
    from textclf.training.loop import EarlyStopping
    from textclf.training.setup import required, set_up

    setup = set_up(config, data)
    processor = device.pick(config.device)
    batches = {part: setup.loader(part, processor) for part in setup.parts}
    stopping = EarlyStopping(required(setup.config.patience), min_gain=setup.config.min_gain)
    return Assembled(setup, batches, setup.learner(batches["train"], processor), stopping)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every write fail as on a full disk."""
    import errno
    import io

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full(io.BytesIO):
        write = refuse  # type: ignore[assignment]

        def fileno(self) -> int:
            raise OSError

    opened = Path.open

    def open_full(path: Path, mode: str = "r", *more: object, **given: object) -> object:
        if mode[0] in "wx":
            path.touch()
            return Full()
        return opened(path, mode, *more, **given)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(Path, "open", open_full)
