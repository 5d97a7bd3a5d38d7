import os
import shutil
import zipfile

import pytest
import torch

from tests.conftest import small_config
from textclf.errors import ArtefactError, ResourceError, UsageError
from textclf.store.directory import DataDirectory
from textclf.training import checkpoint
from textclf.training.checkpoint import Progress
from textclf.training.loop import EarlyStopping, Pass, train_epoch
from textclf.training.session import assemble


@pytest.fixture(params=["mlp", "lstm"])
def model(request):
    return request.param


@pytest.fixture
def fresh(model, data_dir, tmp_path):
    """Makes sessions that nobody has trained."""

    def make(**settings):
        return assemble(small_config(model, data_dir, tmp_path, **settings), DataDirectory.open(data_dir))

    return make


@pytest.fixture
def step(fresh):
    """Trains a session for an epoch that is the same each time."""
    batches = list(fresh().batches["train"])

    def train(session):
        torch.manual_seed(5)
        train_epoch(session.model, session.optimizer, batches, how=Pass(torch.device("cpu")))

    return train


def equal(one, other):
    weights, others = one.model.state_dict(), other.model.state_dict()
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


@pytest.fixture
def trained(fresh, step):
    session = fresh()
    step(session)
    return session


@pytest.fixture
def last(trained, tmp_path):
    checkpoint.save_last(
        tmp_path / "last.pt", trained.model, trained.optimizer, EarlyStopping(3, 4, 0.5), Progress(7, 2.5)
    )
    return tmp_path / "last.pt"


def load_last(path, session):
    return checkpoint.load_last(path, session.model, session.optimizer, session.stopping)


def test_last_restores_all_that_training_needs(last, fresh, step, trained):
    restored = fresh(seed=1, patience=9)
    assert not equal(restored, trained)
    assert load_last(last, restored) == Progress(7, 2.5)
    assert restored.stopping == EarlyStopping(patience=9, best_epoch=4, best_loss=0.5)
    assert equal(restored, trained)
    step(restored)
    step(trained)
    assert equal(restored, trained)


def test_without_the_optimizer_s_state_the_next_step_is_another(last, fresh, step, trained):
    restored = fresh(seed=1)
    checkpoint.load_best(last, restored.model)
    assert equal(restored, trained)
    step(restored)
    step(trained)
    assert not equal(restored, trained)


def test_last_does_not_share_memory_with_the_model(last, fresh, step, trained):
    before = {name: tensor.clone() for name, tensor in trained.model.state_dict().items()}
    step(trained)
    restored = fresh(seed=1)
    load_last(last, restored)
    assert all(torch.equal(before[name], tensor) for name, tensor in restored.model.state_dict().items())


def test_best_restores_the_weights(fresh, trained, tmp_path):
    checkpoint.save_best(tmp_path / "best.pt", trained.model)
    restored = fresh(seed=1)
    checkpoint.load_best(tmp_path / "best.pt", restored.model)
    batch = next(iter(trained.batches["test"]))
    assert torch.equal(trained.model.eval()(batch), restored.model.eval()(batch))


def test_no_checkpoint_is_the_user_s_mistake(fresh, tmp_path):
    with pytest.raises(UsageError, match=r"no checkpoint .*last\.pt; begin a new run: textclf train"):
        load_last(tmp_path / "last.pt", fresh())


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: bytes(range(256)) * 40,
        lambda content: b"\x80\x04N.",
    ],
    ids=["empty", "half", "a byte short", "random", "a pickle of nothing"],
)
def test_a_damaged_checkpoint_is_named(damage, last, fresh):
    last.write_bytes(damage(last.read_bytes()))
    with pytest.raises(ArtefactError, match=r"last\.pt is damaged or of another model; begin a new run: textclf train"):
        load_last(last, fresh())


class Payload:
    """Creates a file when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("sentinel",)


@pytest.fixture(params=["pickle", "zip"])
def poisoned(request, last):
    """A checkpoint that carries the payload, as torch writes it today and as it once did."""
    torch.save({"model": Payload()}, last, _use_new_zipfile_serialization=request.param == "zip")
    assert zipfile.is_zipfile(last) is (request.param == "zip")
    return last


def test_the_payload_works(poisoned, tmp_path):
    torch.load(poisoned, weights_only=False)
    assert (tmp_path / "sentinel").is_dir()


@pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
@pytest.mark.parametrize("forced", [False, True])
def test_a_checkpoint_runs_no_code(poisoned, forced, fresh, monkeypatch, tmp_path):
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(ArtefactError, match=r"last\.pt is damaged"):
        load_last(poisoned, fresh())
    assert not (tmp_path / "sentinel").exists()


def test_a_checkpoint_of_something_else_is_refused(last, fresh, trained, tmp_path):
    best = tmp_path / "best.pt"
    checkpoint.save_best(best, trained.model)
    shutil.copy(best, last)  # has no optimizer
    with pytest.raises(ArtefactError, match=r"last\.pt"):
        load_last(last, fresh())


def test_a_checkpoint_of_other_sizes_is_refused(last, fresh):
    with pytest.raises(ArtefactError, match=r"last\.pt"):
        load_last(last, fresh(hidden_size=16))
    with pytest.raises(ArtefactError, match=r"last\.pt"):
        checkpoint.load_best(last, fresh(hidden_size=16).model)


def test_a_full_disk_leaves_the_older_checkpoint(last, trained, request):
    before = last.read_bytes()
    request.getfixturevalue("full_disk")
    with pytest.raises(ResourceError, match=r"no space left to write .*last\.pt"):
        checkpoint.save_last(last, trained.model, trained.optimizer, trained.stopping, Progress(8, 3.0))
    assert last.read_bytes() == before
    assert [path.name for path in last.parent.iterdir()] == ["last.pt"]
