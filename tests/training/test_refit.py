import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import small_config
from tests.training.helpers import (
    ONLY_IN_A_FINISHED_RUN,
    Kept,
    Shown,
    Stopped,
    files,
    history,
    only_run,
    read,
    resume,
    same,
    train,
    weights,
    without_seconds,
)
from textclf.config import REFIT_EPOCHS, REFIT_FROM, PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory, together
from textclf.errors import DivergedError, InterruptedRunError
from textclf.evaluation.calibration import fit_temperature
from textclf.evaluation.metrics import measure
from textclf.training import loop
from textclf.training.loop import StepOptions
from textclf.training.objective import Softmax


def test_a_refit_trains_on_train_and_validation(settings, model, without_companion):
    given = {"epochs": 30, "lr": 0.3, "patience": 2, "dropout": 0.0}
    display, plain = Shown(), Kept()
    layout = train(settings(model, refit=True, **given), display=display)
    metrics = read(layout.metrics)
    assert metrics["refit"] == display.refit == {"documents": 54, "epochs": REFIT_EPOCHS}
    assert display.steps == metrics["epochs"] * 6 + REFIT_EPOCHS * 7
    train(settings(model, refit=False, **given), display=plain)
    options = StepOptions(torch.device("cpu"), Softmax(plain.setup.config.label_smoothing), seed=0, clip_norm=1.0)
    learner, epochs = plain.copy, range(metrics["epochs"] + 1, metrics["epochs"] + 1 + REFIT_EPOCHS)
    scores = list(
        loop.refit(learner, display.setup.loader("refit", torch.device("cpu")), epochs=epochs, options=options)
    )
    assert {score.documents for score in scores} == {54}
    for name, weight in learner.average.module.state_dict().items():
        assert np.array_equal(weights(layout)[name], weight.numpy())


@pytest.mark.parametrize("epochs", [1, REFIT_FROM])
def test_a_run_is_refitted_by_itself_only_if_the_validation_loss_fell_for_long(epochs, settings, without_companion):
    layout = train(settings(epochs=epochs, refit=None, lr=1e-3, min_gain=0.0))
    metrics = read(layout.metrics)
    assert metrics["best_epoch"] == epochs  # at a low rate it falls in each
    assert (metrics["refit"] is not None) == (epochs == REFIT_FROM)


def test_what_calibrates_a_refit_is_each_validation_document_just_before_it_is_learned(
    settings, model, without_companion
):
    given, display = {"epochs": 2, "lr": 0.05}, Kept()
    metrics = read(train(settings(model, refit=True, **given)).metrics)
    train(settings(model, refit=False, **given), display=display)
    setup, learner, labels = display.setup, display.copy, display.setup.parts["validation"].labels
    cpu = StepOptions(torch.device("cpu"), Softmax(setup.config.label_smoothing), clip_norm=1.0)
    one_by_one = setup.loader("validation", cpu.device)
    batches = replace(setup, parts=setup.parts | {"refit": together(*map(setup.parts.get, ("train", "validation")))})
    batches = batches.loader("refit", cpu.device)
    found = {}

    def watch(loaded, meter):
        for places, batch in zip(batches.batch_sampler.batches(), loaded, strict=True):
            for document in (places[places >= len(setup.parts["train"])] - len(setup.parts["train"])).tolist():
                alone = one_by_one.collate_fn(one_by_one.dataset.__getitems__([document]))
                found.setdefault(document, loop.predict(learner.average, [alone], options=cpu)[0][0])
            yield batch

    list(loop.refit(learner, batches, epochs=range(3, 5), options=replace(cpu, watch=watch)))
    logits = np.stack([found[document] for document in range(len(labels))])
    assert metrics["temperature"] == pytest.approx(fit_temperature(labels, logits), rel=1e-3)
    expected = measure(labels, logits / np.float32(metrics["temperature"]))
    assert metrics["validation"] == pytest.approx(expected._asdict(), abs=1e-5)


def test_a_refit_changes_nothing_before_it(settings, model, without_companion):
    plain, refitted = (train(settings(model, epochs=3, refit=refit)) for refit in (False, True))
    one, other = read(plain.metrics), read(refitted.metrics)
    for name in ("train", "epochs", "best_epoch", "parameters"):
        assert one[name] == other[name]
    assert one["refit"] is None
    assert list(map(without_seconds, history(plain))) == list(map(without_seconds, history(refitted)))
    assert not same(plain, refitted)
    best = torch.load(refitted.best, weights_only=True)["model"]
    assert all(np.array_equal(weights(plain)[name], weight.numpy()) for name, weight in best.items())


def test_a_refit_excludes_documents_with_unseen_labels(corpus_csv, tmp_path):
    validation = tmp_path / "validation.csv"
    validation.write_text("text,label\nthe cat,?\nrain and wind,weather\n")
    made, _ = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1, validation=validation))
    trained = DataDirectory.open(made).manifest.splits["train"]
    metrics = read(train(small_config("mlp", made, tmp_path / "runs", epochs=1, refit=True)).metrics)
    assert metrics["refit"] == {"documents": trained + 1, "epochs": 2}
    assert metrics["validation"]["documents"] == 2


def test_a_diverging_refit_suggests_no_refit(settings):
    class Poisons(Shown):
        def begin_refit(self, *, documents, epochs):
            with torch.no_grad():
                list(self.learner.model.parameters())[-1].fill_(float("nan"))

    with pytest.raises(DivergedError, match=r"not a number in epoch 2, step 1, on .*, or --no-refit$"):
        train(settings(refit=True, epochs=1), display=Poisons())
    assert not files(only_run(settings().run_dir).root) & ONLY_IN_A_FINISHED_RUN


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param({"stop_in_refit": 4}, marks=pytest.mark.long),
        {"stop_in_refit": 5, "after_steps": 3},
        {"stop_after_epoch": 2},
    ],
    ids=str,
)
def test_a_run_stopped_in_the_refit_repeats_the_refit_and_ends_the_same(stop, model, settings):
    given = {"epochs": 3, "refit": True, "lr": 0.02}
    straight = train(settings(model, **given))
    assert read(straight.metrics)["refit"]["epochs"] > 1
    display = Shown(**stop)
    with pytest.raises(Stopped):
        train(settings(model, **given), display=display)
    stopped = display.run
    assert not files(stopped.root) & ONLY_IN_A_FINISHED_RUN
    torch.manual_seed(77)
    again = Shown()
    resume(stopped, display=again)
    assert again.refit == read(straight.metrics)["refit"]
    assert len(again.epochs) == 3 - len(display.epochs)
    for path in straight.model.iterdir():
        assert (stopped.model / path.name).read_bytes() == path.read_bytes()
    assert without_seconds(read(stopped.metrics)) == without_seconds(read(straight.metrics))
    assert list(map(without_seconds, history(stopped))) == list(map(without_seconds, history(straight)))


def test_a_signal_stops_the_refit_and_the_message_says_how_to_resume(settings):
    class Signalled(Shown):
        def watch(self, batches, meter):
            for batch in super().watch(batches, meter):
                if self.refit:
                    signal.raise_signal(signal.SIGINT)
                yield batch

    display = Signalled()
    with pytest.raises(InterruptedRunError) as caught:
        train(settings(refit=True, epochs=2), display=display)
    assert str(caught.value) == f"stopped; resume it: textclf train --resume {display.run.root}"
    assert same(resume(display.run), train(settings(refit=True, epochs=2)))
