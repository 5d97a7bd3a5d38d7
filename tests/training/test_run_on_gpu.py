import numpy as np
import pytest
import torch

from tests.conftest import assemble
from tests.training.helpers import Shown, Stopped, history, read, resume, train
from textclf.artefacts import loading
from textclf.dataset.directory import DataDirectory
from textclf.training import checkpoint, loop
from textclf.training.loop import StepOptions
from textclf.training.objective import Softmax


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_training_runs_in_bfloat16_and_the_model_predicts_on_any_machine(
    settings, model, data_dir, monkeypatch
):
    types = set()
    logits = StepOptions.logits

    def noting(options, network, batch):
        types.add((options.autocast, batch.labels.device.type))
        return logits(options, network, batch)

    with monkeypatch.context() as patched:
        patched.setattr(StepOptions, "logits", noting)
        layout = train(settings(model, device="cuda", epochs=15, lr=0.02))
    assert types == {(torch.bfloat16, "cuda"), (None, "cuda")}  # training, and the figures of the finished model
    metrics = read(layout.metrics)
    assert metrics["device"].startswith("cuda")
    assert metrics["test"]["accuracy"] >= 0.8

    session = assemble(settings(model, device="cuda"), DataDirectory.open(data_dir))
    checkpoint.load_best(layout.best, session.learner.model)
    on_gpu, _ = loop.predict(
        session.learner.model, session.batches["test"], options=StepOptions(torch.device("cuda"), Softmax())
    )
    trained = loading.load(layout.model)
    rows = session.setup.data.rows("test")[session.batches["test"].batch_sampler.order]
    in_numpy = trained.raw_logits(*session.setup.data.packed().gather(rows))
    np.testing.assert_allclose(in_numpy, on_gpu, rtol=0, atol=1e-2)  # cuDNN rounds to TF32
    assert (in_numpy.argmax(axis=1) == on_gpu.argmax(axis=1)).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_resumes_on_a_gpu(settings, model):
    display = Shown(stop_after_epoch=1)
    with pytest.raises(Stopped):
        train(settings(model, device="cuda", epochs=3), display=display)
    resume(display.run)
    assert [epoch["number"] for epoch in history(display.run)] == [1, 2, 3]
