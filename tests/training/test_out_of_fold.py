"""Predictions for documents that a model has not seen, by a training that keeps nothing."""

from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from tests.training.helpers import train
from textclf.training import checkpoint
from textclf.training.finish import logits_of
from textclf.training.loop import StepOptions
from textclf.training.objective import Softmax
from textclf.training.out_of_fold import predict_unseen
from textclf.training.setup import set_up


def passing(batches, _meter):
    return batches


def test_they_are_those_of_the_best_epoch_of_a_run(settings):
    config = settings(epochs=3, refit=False)
    setup = set_up(config)
    cpu = StepOptions(torch.device("cpu"), Softmax())
    with closing(setup.loader("train", cpu.device)) as batches:
        best = setup.learner(batches, cpu.device).average.module
    checkpoint.load_best(train(config).best, best)
    expected = logits_of(best, setup.loader("test", cpu.device), options=cpu)
    np.testing.assert_array_equal(predict_unseen(set_up(config), watch=passing), expected)


def test_nothing_is_written(settings, tmp_path):
    predict_unseen(set_up(settings(epochs=1)), watch=passing)
    assert not list(Path(tmp_path).rglob("*"))


def test_every_batch_is_watched(settings):
    seen = []

    def watch(batches, _meter):
        for batch in batches:
            seen.append(len(batch.labels))
            yield batch

    setup = set_up(settings(epochs=2, patience=9))
    predict_unseen(setup, watch=watch)
    assert sum(seen) == 2 * len(setup.parts["train"])
