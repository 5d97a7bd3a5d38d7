import json
import os
import random
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from tests.conftest import assemble, small_config
from textclf.artefacts import runs
from textclf.dataset.directory import DataDirectory
from textclf.errors import ArtefactError, ResourceError, UsageError
from textclf.training import checkpoint
from textclf.training.checkpoint import Progress
from textclf.training.learner import AVERAGE_EVERY
from textclf.training.loop import EarlyStopping, Epoch, StepOptions, train_epoch
from textclf.training.meters import Score
from textclf.training.objective import Softmax


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
    batches = fresh().batches["train"]
    assert len(batches) > AVERAGE_EVERY  # the mean of the weights moves more than once

    def train(session):
        train_epoch(session.learner, batches, 5, options=StepOptions(torch.device("cpu"), Softmax()))

    return train


def same(one, other):
    weights, others = one.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


def equal(one, other):
    """Whether two sessions have the same weights and the same mean of them."""
    ours, theirs = one.learner, other.learner
    return same(ours.model, theirs.model) and same(ours.average, theirs.average)


@pytest.fixture
def trained(fresh, step):
    session = fresh()
    step(session)
    return session


@pytest.fixture
def last(trained, tmp_path):
    checkpoint.save_last(tmp_path / "last.pt", trained.learner, EarlyStopping(3, 4, 0.5), Progress(7, 2.5))
    return tmp_path / "last.pt"


def load_last(path, session):
    return checkpoint.load_last(path, session.learner, session.stopping)[0]


def test_last_restores_everything_that_training_needs(last, fresh, step, trained):
    restored = fresh(seed=1, patience=9)
    assert not equal(restored, trained)
    assert load_last(last, restored) == Progress(7, 2.5)
    assert restored.stopping == EarlyStopping(
        patience=9, best_epoch=4, best_loss=0.5, min_gain=restored.setup.config.min_gain
    )
    assert equal(restored, trained)
    step(restored)
    step(trained)
    assert equal(restored, trained)


def test_without_the_optimizer_s_state_the_next_step_is_another(last, fresh, step, trained):
    restored = fresh(seed=1)
    checkpoint.load_best(last, restored.learner.model)
    assert same(restored.learner.model, trained.learner.model)
    step(restored)
    step(trained)
    assert not same(restored.learner.model, trained.learner.model)


def test_the_restored_mean_of_the_weights_continues(last, fresh, step, trained):
    restored = fresh(seed=1)
    load_last(last, restored)
    assert not same(restored.learner.average.module, restored.learner.model)
    assert restored.learner.average.n_averaged > 1
    restored.learner.average.n_averaged.zero_()  # as if it had been forgotten
    step(restored)
    step(trained)
    assert same(restored.learner.model, trained.learner.model)
    assert not same(restored.learner.average.module, trained.learner.average.module)


def test_last_does_not_share_memory_with_the_model(last, fresh, step, trained):
    learner = trained.learner
    before = [tensor.clone() for part in (learner.model, learner.average) for tensor in part.state_dict().values()]
    step(trained)
    restored = fresh(seed=1)
    load_last(last, restored)
    learner = restored.learner
    after = [tensor for part in (learner.model, learner.average) for tensor in part.state_dict().values()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_best_restores_the_weights(fresh, trained, tmp_path):
    best, restored = trained.learner.average.module, fresh(seed=1).learner.average.module
    checkpoint.save_best(tmp_path / "best.pt", best)
    checkpoint.load_best(tmp_path / "best.pt", restored)
    batch = next(iter(trained.batches["test"]))
    assert torch.equal(best.eval()(batch), restored.eval()(batch))


def an_epoch(number, *, is_best):
    score = Score(1.0, 0.5, 48)
    return Epoch(number, score, score, is_best, learning_rate=0.1, gradient_norm=1.0, seconds=1.0, profile={})


def test_each_epoch_is_a_line_of_the_history(fresh, tmp_path):
    run, checkpointer = keeping(fresh(), tmp_path)
    for number in (1, 2):
        checkpointer.epoch(an_epoch(number, is_best=number == 1))
    lines = [json.loads(line) for line in run.history.read_text(encoding="utf-8").splitlines()]
    assert [(line["number"], line["is_best"], line["validation"]["loss"]) for line in lines] == [
        (1, True, 1.0),
        (2, False, 1.0),
    ]
    assert checkpointer.progress.epoch == 2


def keeping(session, folder):
    """A new run of a session in a folder, and its checkpointer."""
    run = runs.create(folder, corpus="tiny", tier="tiny", model=session.setup.config.model)
    checkpointer = checkpoint.Checkpointer(
        run, session.learner, session.stopping, settings=session.setup.config.shaping_steps()
    )
    checkpointer.resume()
    return run, checkpointer


def test_best_is_whole_and_durable_at_any_moment(fresh, step, tmp_path, monkeypatch):
    """A power cut takes what was written since, and the run goes on from a last.pt that knows nothing of it."""
    session, synced = fresh(), []
    run, checkpointer = keeping(session, tmp_path)
    monkeypatch.setattr(checkpoint.files, "sync", lambda path: synced.append(path.name))
    contents = [b""]
    for epoch in (1, 2, 3, 4):
        step(session)
        is_best = epoch != 3 and session.stopping.is_best(epoch, 1 / epoch)
        checkpointer.epoch(an_epoch(epoch, is_best=is_best))
        assert (run.best.read_bytes() if run.best.exists() else b"") == contents[-1]
        assert synced.count(".newest.pt.tmp") == len(contents) - 1
        if epoch == 1:
            continue  # 2 is better before 1 was needed
        checkpointer.save(Progress(epoch, 1.0))
        assert (run.best.read_bytes() != contents[-1]) is (epoch != 3)
        if epoch != 3:
            assert same(checkpointer.best(), session.learner.average.module)
            contents.append(run.best.read_bytes())
    assert sorted(path.name for path in run.best.parent.iterdir()) == ["best.pt", "last.pt"]


def test_weights_newer_than_last_are_removed_with_other_temporary_files(fresh, tmp_path):
    session = fresh()
    run, checkpointer = keeping(session, tmp_path)
    session.stopping.is_best(1, 1.0)
    checkpointer.epoch(an_epoch(1, is_best=True))
    assert [path.name for path in run.best.parent.iterdir()] == [".newest.pt.tmp"]
    runs.clear_temporaries(run)
    assert not list(run.best.parent.iterdir())
    checkpointer.keep_best()
    assert not list(run.best.parent.iterdir())


def test_the_best_weights_are_memory_mapped(fresh, step, tmp_path):
    session = fresh()
    run, checkpointer = keeping(session, tmp_path)
    session.stopping.is_best(1, 1.0)
    checkpointer.epoch(an_epoch(1, is_best=True))
    checkpointer.keep_best()
    before = {name: value.clone() for name, value in session.learner.average.module.state_dict().items()}
    step(session)
    best, average = checkpointer.best(), session.learner.average.module
    assert all(torch.equal(value, before[name]) for name, value in best.state_dict().items())
    if (maps := Path("/proc/self/maps")).exists():
        lines = maps.read_text(encoding="utf-8").splitlines()
        mapped = [line.split()[0].split("-") for line in lines if str(run.best) in line]
        for weight in best.parameters():
            assert any(int(start, 16) <= weight.data_ptr() < int(end, 16) for start, end in mapped)
    assert not any(weight.is_meta for weight in average.parameters())
    assert not same(best, average)


def test_a_missing_checkpoint_is_a_usage_error(fresh, tmp_path):
    with pytest.raises(UsageError, match=r"no checkpoint .*last\.pt; start a new run: textclf train"):
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
    with pytest.raises(
        ArtefactError, match=r"last\.pt is damaged, or of another model or version; start a new run: textclf train"
    ):
        load_last(last, fresh())


def test_any_flipped_bit_of_a_checkpoint_is_found_or_without_effect(last, fresh, trained):
    content, rng = last.read_bytes(), random.Random(0)
    found = 0
    for _ in range(60):
        place, bit = rng.randrange(len(content)), 1 << rng.randrange(8)
        last.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        restored = fresh(seed=1)
        try:
            load_last(last, restored)
        except ArtefactError:
            found += 1
        else:
            assert equal(restored, trained)
    assert found > 20


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
    checkpoint.save_best(best, trained.learner.model)
    shutil.copy(best, last)  # has no optimizer
    with pytest.raises(ArtefactError, match=r"last\.pt"):
        load_last(last, fresh())


def test_a_checkpoint_of_other_sizes_is_refused(last, fresh):
    with pytest.raises(ArtefactError, match=r"last\.pt"):
        load_last(last, fresh(hidden_size=16))
    with pytest.raises(ArtefactError, match=r"last\.pt"):
        checkpoint.load_best(last, fresh(hidden_size=16).learner.model)


def test_a_full_disk_leaves_the_older_checkpoint(last, trained, request):
    before = last.read_bytes()
    request.getfixturevalue("full_disk")
    with pytest.raises(
        ResourceError, match=r"no space left to write .*last\.pt; free some \([\d,]+ bytes are needed\)"
    ):
        checkpoint.save_last(last, trained.learner, trained.stopping, Progress(8, 3.0))
    assert last.read_bytes() == before
    assert [path.name for path in last.parent.iterdir()] == ["last.pt"]


def test_other_settings_are_refused_and_listed(trained, fresh, tmp_path):
    path, restored = tmp_path / "last.pt", fresh(seed=1)
    before = {"lr": 0.1, "seed": 1, "model": "mlp"}
    checkpoint.save_last(path, trained.learner, trained.stopping, Progress(7, 2.5), settings=before)
    with pytest.raises(UsageError) as caught:
        checkpoint.load_last(path, restored.learner, restored.stopping, settings=before | {"lr": 0.2, "seed": 2})
    assert str(caught.value) == (
        f"{path} was written with other settings (lr was 0.1 and is 0.2, seed was 1 and is 2); "
        "start a new run: textclf train"
    )
    assert not equal(restored, trained)  # nothing was put in place
    checkpoint.load_last(path, restored.learner, restored.stopping, settings=before)
    assert equal(restored, trained)
