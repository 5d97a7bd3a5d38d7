"""One process, which is alone: training is as if there were no ranks."""

import subprocess
import sys

import torch

from tests.conftest import assemble, small_config
from textclf.dataset.directory import DataDirectory
from textclf.training.loop import StepOptions
from textclf.training.objective import Softmax
from textclf.training.ranks import ALONE


def test_one_process_has_the_whole_of_every_batch(data_dir, tmp_path):
    config = small_config("mlp", data_dir, tmp_path, dropout=0.0)
    made = assemble(config, DataDirectory.open(data_dir))
    batch = next(iter(made.batches["train"]))
    options = StepOptions(torch.device("cpu"), Softmax())
    assert options.ranks is made.setup.ranks is ALONE
    assert options.logits(made.learner.model, batch).shape[1] == len(batch.labels) == 8
    options.ranks.sum_gradients(made.learner.model)
    assert all(parameter.grad is None for parameter in made.learner.model.parameters())
    assert (ALONE.agree(15), ALONE.rank, ALONE.count) == (15, 0, 1)


def test_one_process_neither_connects_nor_imports_what_could():
    code = "import sys, textclf.training.run as run; print([*sys.modules], run.torch.distributed.is_initialized())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "textclf.training.distributed" not in done.stdout
    assert "textclf.training.parallel" not in done.stdout
    assert done.stdout.endswith("False\n")
