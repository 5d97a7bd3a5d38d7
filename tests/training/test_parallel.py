"""Ranks that train one model together: the same steps as one process, the same end, whatever ends them."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import small_config
from tests.encoders import tiny
from tests.training.helpers import ONLY_IN_A_FINISHED_RUN, Shown, Stopped, files, history, only_run, read, same, weights
from tests.training.helpers import resume as resume_alone
from tests.training.helpers import train as train_alone
from tests.training.many import EVERY_STEP, Outcome, make_store, ranks, train
from textclf.artefacts import loading, runs
from textclf.config import PreprocessConfig
from textclf.dataset import vectors
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.system.torchrun import Process
from textclf.training import loop, parallel
from textclf.training.display import Display
from textclf.training.distributed import joined
from textclf.training.learner import Adam, Learner
from textclf.training.loop import StepOptions
from textclf.training.ranks import ALONE
from textclf.training.setup import read_tokenizer, set_up

ON_GPU = (pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"))

NO_DROPOUT = {"mlp": {"dropout": 0.0}, "lstm": {"dropout": 0.0, "word_dropout": 0.0}}
NO_DROPOUT["cnn"] = NO_DROPOUT["lstm"]


@pytest.fixture(autouse=True)
def _one_thread():
    """As the ranks have, and so that this process can be forked."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def at(tmp_path, data_dir):
    """Makes the settings of a small run in a folder of that name."""

    def make(folder, model="mlp", data=data_dir, **given):
        return small_config(model, data, tmp_path / folder, **{"epochs": 3, "refit": False, **given})

    return make


def assert_alike(one, other, *, atol=1e-5):
    """Both runs ended with about the same weights, and with the same figures."""
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        np.testing.assert_allclose(weight, theirs[name], rtol=0, atol=atol, err_msg=name)
    for before, after in zip(history(one), history(other), strict=True):
        for split in ("train", "validation"):
            assert before[split] == pytest.approx(after[split], abs=1e-5)
        assert before["gradient_norm"] == pytest.approx(after["gradient_norm"], abs=1e-5)
    before, after = read(one.metrics), read(other.metrics)
    for split in ("validation", "test"):
        assert before[split]["accuracy"] == after[split]["accuracy"]
        assert before[split]["loss"] == pytest.approx(after[split]["loss"], abs=1e-4)
    assert [before[name] for name in ("best_epoch", "epochs")] == [after[name] for name in ("best_epoch", "epochs")]


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_ranks_with_the_documents_on_their_devices_end_with_the_same_bits(at, model):
    given = {"batch_size": 5, "epochs": 2, "refit": True}
    one, other = (train(at(folder, model, resident=folder == "held", **given), 2) for folder in ("held", "loaded"))
    assert same(one, other)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_two_ranks_take_the_steps_of_one_process(at, model):
    """The last batch of an epoch has one document, which leaves the second rank without a share.

    In larger steps a cnn amplifies rounding, since which word a filter answers to most is decided by the last bit.
    """
    lr = {"mlp": 0.002, "cnn": 0.0005}[model]
    settings = {**NO_DROPOUT[model], "batch_size": 47, "lr": lr, "refit": True}
    alone, together = (at(folder, model, **settings) for folder in ("alone", "together"))
    run = train(together, 2)
    assert_alike(train_alone(alone), run)
    assert files(run.root) >= ONLY_IN_A_FINISHED_RUN
    assert read(run.config)["machine"]["ranks"] == 2
    assert runs.sealed(run) is not None
    assert only_run(run.root.parent) == run


@pytest.mark.parametrize("model", ["lstm", "cnn"])
def test_in_double_precision_nothing_but_rounding_differs(at, model):
    """In single precision an lstm amplifies it: one process that reads each batch backwards differs as much."""
    setup, cpu = set_up(at("none", model, **NO_DROPOUT[model], batch_size=47)), torch.device("cpu")

    def train_two_epochs(rank):
        own = replace(setup, ranks=rank)
        batches = own.loader("train", cpu)
        network = own.learner(None, cpu).model.double()
        learner = Learner.of(network, Adam(network, lr=0.005, fused=True))
        options = StepOptions(cpu, own.objective(cpu), clip_norm=1.0, ranks=rank)
        meters = [loop.train_epoch(learner, batches, number, options=options)[0] for number in (1, 2)]
        weights = {name: weight.numpy() for name, weight in learner.average.module.state_dict().items()}
        return weights, [meter.score() for meter in meters]

    alone, scores = train_two_epochs(ALONE)
    for outcome in ranks(3, train_two_epochs):
        together, measured = outcome.value
        assert measured == scores
        for name, weight in alone.items():
            np.testing.assert_allclose(together[name], weight, rtol=0, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("given", [{"class_weights": '{"food": 5}', "label_smoothing": 0.1}, {"clip_norm": 0.01}])
def test_losses_and_clipping_are_those_of_the_whole_batch(at, given):
    alone, together = (at(folder, dropout=0.0, **given) for folder in ("alone", "together"))
    assert_alike(train_alone(alone), train(together, 3))


def test_documents_of_several_labels(at, several_data):
    alone, together = (at(folder, data=several_data, dropout=0.0, lr=0.02) for folder in ("alone", "together"))
    assert_alike(train_alone(alone), train(together, 2))


@pytest.fixture
def csv_data(corpus_csv):
    """Whose texts can be read again."""
    return preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1))[0]


@pytest.fixture
def small(tmp_path):
    """An encoder."""
    return str(tiny.write(tmp_path / "published" / "small"))


def test_only_the_first_rank_reads_with_an_encoder_and_the_model_is_that_of_one_process(
    at, csv_data, small, monkeypatch
):
    monkeypatch.setattr(vectors, "PIECE_TOKENS", 100)
    monkeypatch.setattr(vectors, "FIRST_TOKENS", 100)
    given = {"data": csv_data, "dropout": 0.0, "batch_size": 7, "encoder": small, "refit": True, "lr": 0.002}
    together = train(at("together", **given), 2)
    shutil.rmtree(DataDirectory.open(csv_data).layout.vectors)
    alone = train_alone(at("alone", **given))
    assert_alike(alone, together)
    one, other = (loading.load(run.model).view for run in (alone, together))
    assert one.share == pytest.approx(other.share, abs=1e-5)
    assert all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)
    assert same(together, train(at("again", **given), 2))  # whose vectors are there


@pytest.mark.parametrize("freeze", [False, True])
def test_embeddings_begin_with_the_vectors_that_the_first_rank_has_read(at, data_dir, freeze):
    words = read_tokenizer(DataDirectory.open(data_dir)).words[2:]
    numbers = np.random.default_rng(0).normal(size=(len(words), 5)).round(3).tolist()
    lines = [f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words, numbers, strict=True)]
    Path("v.txt").write_text("".join(lines))
    given = {**NO_DROPOUT["cnn"], "vectors": "v.txt", "freeze_vectors": freeze, "batch_size": 7, "lr": 0.0005}
    alone, together = (at(folder, "cnn", **given) for folder in ("alone", "together"))
    assert_alike(train_alone(alone), train(together, 2))


def test_where_the_first_rank_cannot_read_the_others_end_without_words(at, csv_data, small):
    outcomes = train(at("x", data=csv_data, encoder=small, encoder_limit=9), 2)
    assert [outcome.code for outcome in outcomes] == [2, 5]
    assert "--encoder-limit" in outcomes[0].value
    assert outcomes[1].value is None


def test_all_ranks_end_where_a_run_with_an_encoder_is_finished(at, csv_data, small):
    config = at("x", data=csv_data, encoder=small)
    run = train(config, 2)
    before = files(run.root)
    assert train(config, 2, layout=run) == run
    assert files(run.root) == before


def test_a_model_of_the_users_with_a_running_mean(at, my_model):
    """The running mean and variance are those of the first rank, on all: each rank's predictions are the same."""
    run = train(at("together", f"{my_model}:MyModel", hidden_size=None, epochs=4), 2)
    assert read(run.metrics)["epochs"] == 4
    assert all(epoch["validation"]["loss"] < 2 for epoch in history(run))


def test_one_rank_has_the_bits_of_one_process_with_dropout(at):
    assert same(train(at("together", refit=True), 1), train_alone(at("alone", refit=True)))


def test_a_run_that_was_stopped_within_an_epoch_resumes_to_the_same_bits(at):
    """Dropout differs from rank to rank, and repeats."""

    class StopsInTheSecondEpoch(Shown):
        def __init__(self):
            super().__init__(stop_in_epoch=2, after_steps=3)

    straight = train(at("straight"), 2, pace=EVERY_STEP)
    stopped, lost = train(at("stopped"), 2, displays={0: StopsInTheSecondEpoch}, pace=EVERY_STEP)
    assert (stopped.code, lost.code) == (1, 5)
    assert Stopped.__name__ in stopped.value
    run = only_run(straight.root.parent.parent / "stopped")
    assert [epoch["number"] for epoch in history(run)] == [1]
    assert same(train(None, 2, layout=run, pace=EVERY_STEP), straight)
    assert train(None, 2, layout=run) == run  # it has ended


def test_a_run_of_two_ranks_resumes_in_one_process(at):
    class Stops(Shown):
        def __init__(self):
            super().__init__(stop_in_epoch=2, after_steps=3)

    train(at("stopped", dropout=0.0), 2, displays={0: Stops}, pace=EVERY_STEP)
    run = only_run(at("stopped").run_dir)
    assert_alike(resume_alone(run), train_alone(at("alone", dropout=0.0)))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.long)]
)
def test_a_signal_to_any_rank_stops_all_before_the_same_step_after_a_save(at, number, code):
    class Signalled(Display):
        def watch(self, batches, meter):
            for batch in batches:
                if meter.steps == 2:
                    signal.raise_signal(number)
                yield batch

    straight = train(at("straight"), 2)
    outcomes = train(at("stopped"), 2, displays={0: Signalled})
    run = only_run(at("stopped").run_dir)
    assert outcomes == [Outcome(code, f"stopped; resume it: textclf train --resume {run.root}"), Outcome(code)] or (
        outcomes == [Outcome(code), Outcome(code, f"stopped; resume it: textclf train --resume {run.root}")]
    )
    assert read(run.config)
    assert torch.load(run.last, weights_only=True)["mid_epoch"]["meter"]["steps"] == 3  # all know it a step later
    assert same(train(None, 2, layout=run), straight)


def test_all_stop_when_the_loss_is_not_a_number(at):
    outcomes = train(at("diverged", lr=1e30, clip_norm=1e30), 2)
    assert [outcome.code for outcome in outcomes] == [6, 6]
    (said,) = (outcome.value for outcome in outcomes if outcome.value)
    assert "is not a number in epoch 1" in said


@pytest.mark.parametrize("killed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_who_is_left_by_a_killed_rank_ends_with_one_line(at, killed):
    def die(rank):
        if rank.rank == killed:
            gather = rank.gather
            rank.gather = lambda *given, **more: os.kill(os.getpid(), 9) if step() == 5 else gather(*given, **more)
        steps = iter(range(1000))
        step = lambda: next(steps)  # noqa: E731
        return parallel.train(at("killed"), rank, display=Display(), pace=EVERY_STEP)

    outcomes = ranks(2, die)
    run = only_run(at("killed").run_dir)
    assert outcomes[killed] == Outcome(-9)
    assert outcomes[1 - killed] == Outcome(
        5, f"one of the 2 processes of torchrun has ended; resume it: textclf train --resume {run.root}"
    )
    assert same(train(None, 2, layout=run), train(at("straight"), 2))


def test_processes_that_are_started_again_go_on_with_their_run(at):
    class DiesInTheSecondEpoch(Display):
        epoch = lambda self, epoch: setattr(self, "number", epoch.number)  # noqa: E731
        number = 0

        def watch(self, batches, meter):
            for batch in batches:
                if self.number == 1 and meter.steps == 3:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield batch

    straight, store = train(at("straight"), 2), make_store()
    killed = train(at("killed"), 2, displays={0: DiesInTheSecondEpoch}, pace=EVERY_STEP, store=store)
    assert [outcome.code for outcome in killed] == [-9, 5]
    (run,) = (runs.RunLayout(path) for path in at("killed").run_dir.iterdir())
    assert torch.load(run.last, weights_only=True)["mid_epoch"]["meter"]["steps"] == 2
    assert train(at("killed"), 2, store=store, attempt=1) == run
    assert same(run, straight)
    assert train(at("killed"), 2, store=store, attempt=2) == run  # it had ended


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=ON_GPU)])
def test_one_rank_in_this_process_has_the_bits_of_one_process(at, device):
    """On CUDA over NCCL."""
    store = make_store()
    with joined(Process(0, 1, 0, 1, 0, "127.0.0.1", store.port, 0, has_store=True)) as rank:
        run = parallel.train(at("together", device=device), rank, display=Display())
    assert same(run, train_alone(at("alone", device=device)))


def test_ranks_with_other_settings_or_data_are_named(at, several_data):
    first, second = train(lambda rank: at("differing", seed=rank), 2)
    assert [first.code, second.code] == [2, 2]
    assert "process 1 of torchrun has not what process 0 has: seed is 1 and not 0" in (first.value, second.value)
    outcomes = train(lambda rank: at("differing", **({"data": several_data} if rank else {})), 2)
    assert any("the data's fingerprint is" in (outcome.value or "") for outcome in outcomes)
    assert not at("differing").run_dir.exists()


def test_a_mistake_of_one_rank_is_said_by_it_alone(at, tmp_path):
    outcomes = train(lambda rank: at("missing", **({"data": tmp_path / "none"} if rank else {})), 2)
    assert [outcome.code for outcome in outcomes] == [5, 2] or [outcome.code for outcome in outcomes] == [2, 2]
    assert "none" in outcomes[1].value
    assert outcomes[0].value is None
