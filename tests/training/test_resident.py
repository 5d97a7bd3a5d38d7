"""Documents on the device: the same batches, the same weights, and no step that waits for the device."""

from contextlib import closing

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.conftest import assemble
from tests.training.helpers import Shown, Stopped, history, resume, same, train, without_seconds
from textclf.dataset.directory import DataDirectory
from textclf.models import MODELS
from textclf.training import device, loop, resident
from textclf.training.batches import BatchLoader
from textclf.training.learner import clip_gradients
from textclf.training.loop import StepOptions
from textclf.training.objective import Softmax

WAITING = {
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::masked_select",
    "aten::_unique2",
    "aten::unique_dim",
    "aten::unique_consecutive",
    "aten::bincount",
    "aten::equal",
}
"""Operators whose result, or its shape, the host must wait for on a GPU."""


class NoWaiting(TorchDispatchMode):
    """Fails at an operator that would wait for a GPU, and at an index of truth values."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function._schema.name
        assert name not in WAITING, name
        if name in ("aten::index", "aten::index_put_"):
            assert not any(index is not None and index.dtype == torch.bool for index in args[1]), name
        return function(*args, **(kwargs or {}))


@pytest.fixture(params=list(MODELS))
def model(request):
    return request.param


def batches_of(data_dir, config, part="train"):
    return assemble(config, DataDirectory.open(data_dir)).batches[part]


@pytest.mark.parametrize("part", ["train", "validation", "refit"])
def test_batches_are_those_of_the_loader_to_the_bit(settings, model, data_dir, part):
    ours, expected = (
        batches_of(data_dir, settings(model, refit=True, resident=held, batch_size=7), part) for held in (True, False)
    )
    assert (type(ours), type(expected)) == (resident.ResidentLoader, BatchLoader)
    for epoch, first in ((1, 0), (2, 3)) if part != "validation" else ((0, 0),):
        for each in (ours, expected):
            each.batch_sampler.epoch, each.batch_sampler.first = epoch, first
        pairs = list(zip(ours, expected, strict=True))
        assert len(pairs) == len(ours) > 0
        for one, other in pairs:
            assert type(one) is type(other)
            for name, here, there in zip(one._fields, one, other, strict=True):
                assert torch.equal(here, there), name
        assert ours.names(0) == expected.names(0)
    assert ours.is_resident
    assert ours.seconds().making > 0
    ours.close()
    assert not ours.is_resident


def test_a_run_ends_with_the_weights_of_a_run_with_the_loader(settings, model):
    runs = [train(settings(model, epochs=3, refit=True, resident=held)) for held in (True, False)]
    assert same(*runs)
    assert without_seconds(history(runs[0])[0]) == without_seconds(history(runs[1])[0])


def test_a_run_stopped_in_an_epoch_continues_to_the_same_bits(settings, model):
    display = Shown(stop_in_epoch=2, after_steps=1)
    with pytest.raises(Stopped):
        train(settings(model, epochs=3, batch_size=7, resident=True), display=display)
    assert same(resume(display.run), train(settings(model, epochs=3, batch_size=7, resident=False)))


@pytest.mark.slow
def test_documents_are_read_by_loader_processes_where_there_are_some(settings, data_dir):
    ours = batches_of(data_dir, settings("mlp", resident=True, batch_size=7, num_workers=1, store="files"))
    with closing(ours):
        assert sum(len(batch.labels) for batch in ours) == len(ours.dataset)
        assert ours.is_resident
        assert ours._source._iterator is None


def test_documents_that_do_not_fit_are_loaded_batch_by_batch(settings, model, data_dir):
    config = settings(model, resident=True, batch_size=7)
    ours = batches_of(data_dir, config)
    ours.close()
    ours._limit = 100
    expected = batches_of(data_dir, settings(model, resident=False, batch_size=7))
    for one, other in zip(ours, expected, strict=True):
        assert all(torch.equal(here, there) for here, there in zip(one, other, strict=True))
    assert not ours.is_resident


def test_a_device_that_is_full_is_not_waited_for(settings, data_dir, monkeypatch):
    ours = batches_of(data_dir, settings("lstm", resident=True))

    def full(*_, **__):
        raise torch.OutOfMemoryError

    ours._hold = full
    assert sum(len(batch.labels) for batch in ours) == len(ours.dataset)
    assert not ours.is_resident


@pytest.mark.parametrize(("kind", "expected"), [("cpu", BatchLoader), ("cuda", resident.ResidentLoader)])
def test_the_default_is_the_device_on_cuda_alone(settings, data_dir, kind, expected):
    from textclf.training.setup import set_up

    setup = set_up(settings("mlp"), DataDirectory.open(data_dir))
    made = {part: setup.loader(part, torch.device(kind)) for part in setup.parts}
    assert type(made["train"]) is type(made["validation"]) is expected
    assert type(made["test"]) is BatchLoader  # which is read once


def test_memory_that_is_shared_with_the_machine_has_no_limit():
    assert device.free_memory(torch.device("cpu")) == float("inf")


# Waiting


@pytest.mark.parametrize("sparse", [False, True])
def test_the_test_for_waiting_notices_it(sparse):
    with NoWaiting(), pytest.raises(AssertionError, match="aten::"):
        torch.ones(3)[torch.ones(3, dtype=torch.bool)] if sparse else torch.ones(1).item()


def test_making_a_batch_and_learning_from_it_waits_for_nothing(settings, model, data_dir, monkeypatch):
    """The step of `loop.train_epoch` without the lines that ask, on a CPU, what costs nothing there."""
    config = settings(model, resident=True, batch_size=7)
    assembled = assemble(config, DataDirectory.open(data_dir))
    batches, learner, objective = assembled.batches["train"], assembled.learner, Softmax(0.05)
    options = StepOptions(torch.device("cpu"), objective)
    batches.batch_sampler.epoch, batches.batch_sampler.first = 1, 0
    next(iter(batches))  # reads the documents
    reads = []
    monkeypatch.setattr("textclf.models.bag_mlp.resident.Awaited", lambda numbers: Asked(numbers, reads))
    monkeypatch.setattr(torch.Tensor, "__bool__", lambda _: True)  # `scale < 1`, which is asked on a CPU alone
    learner.model.train()
    meter = loop.Meter(objective, options.device)
    with NoWaiting():
        for batch in batches:
            logits = options.logits(learner.model, batch)
            loss = objective.loss(logits, batch.labels)
            learner.optimizer.zero_grad()
            loss.backward()
            norm = clip_gradients(learner.model, 1.0)
            meter.add(logits.detach().mean(dim=0), batch.labels, loss.detach() * len(batch.labels), norm)
            learner.optimizer.step(unless=meter.has_diverged)
    assert meter.steps == len(batches)
    assert len(reads) == (1 if model == "mlp" else 0)


class Asked:
    """An `Awaited` outside the watch: on a GPU an event is waited for, which has passed long ago."""

    def __init__(self, numbers, reads):
        self.numbers, self.reads = numbers, reads

    def read(self):
        self.reads.append(self.numbers)
        return self.numbers.numpy().tolist()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_no_step_waits_for_the_device(settings, model, data_dir):
    assembled = assemble(settings(model, device="cuda", batch_size=7), DataDirectory.open(data_dir))
    batches, learner, processor = assembled.batches["train"], assembled.learner, torch.device("cuda")
    options = StepOptions(processor, Softmax(0.05), autocast=torch.bfloat16, clip_norm=1.0, check_every=10**9)
    loop.train_epoch(learner, batches, 1, options=options)  # reads the documents, and chooses kernels
    assert batches.is_resident

    batches._documents._window = 1  # of the mlp: several windows in an epoch

    def watched(loaded, _meter):
        loaded = iter(loaded)
        yield next(loaded)  # after the first step, it is asked whether all is still a number
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield from loaded
        finally:
            torch.cuda.set_sync_debug_mode("default")

    steps = StepOptions(processor, options.objective, autocast=torch.bfloat16, check_every=10**9, watch=watched)
    meter, _ = loop.train_epoch(learner, batches, 2, options=steps)
    assert meter.steps == len(batches)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_batches_are_those_of_the_loader_to_the_bit(settings, model, data_dir):
    ours, expected = (
        batches_of(data_dir, settings(model, device="cuda", resident=held, batch_size=7)) for held in (True, False)
    )
    for each in (ours, expected):
        each.batch_sampler.epoch, each.batch_sampler.first = 1, 0
    for one, other in zip(ours, expected, strict=True):
        for name, here, there in zip(one._fields, one, other, strict=True):
            assert here.is_cuda, name
            assert torch.equal(here.cpu(), there), name


def test_the_limit_is_a_share_of_the_free_memory(settings, data_dir, monkeypatch):
    limits = []
    ours = batches_of(data_dir, settings("lstm", resident=True))
    ours._hold = lambda batches, order, *, device, limit: limits.append(limit)
    monkeypatch.setattr(device, "free_memory", lambda _device: 1000.0)
    assert [len(batch.labels) for batch in ours]
    assert limits == [resident.SHARE * 1000.0]
