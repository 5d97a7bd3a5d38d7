from math import inf, log
from pathlib import Path

import numpy as np
import pytest

import textclf
from tests.conftest import invoke
from textclf.artefacts import runs
from textclf.evaluation.calibration import learn_from
from textclf.training.doubts import doubts, rests_on_few, still_falling


def found(train=0.5, validation=0.5, *, classes=3, accuracy=0.9, share=0.5, documents=100):
    epoch = {"train": {"loss": train}, "validation": {"loss": validation}}
    majority = np.arange(documents) < share * documents
    return doubts(epoch, classes=classes, lr=1000, accuracy=accuracy, majority=majority)


@pytest.mark.parametrize("losses", [(0.0, 0.0), (1.9 * log(3), 9 * log(3)), (0.1, 5.0)])
def test_an_ordinary_loss_is_no_reason_for_doubt(losses):
    assert found(*losses) == []


@pytest.mark.parametrize(
    ("best_epoch", "epochs", "advised"), [(6, 6, 30), (30, 30, 60), (5, 6, None), (1, 1, None), (2, 2, 30)]
)
def test_a_run_whose_last_epoch_is_its_best_is_advised_more(best_epoch, epochs, advised):
    found = still_falling(best_epoch, epochs=epochs)
    assert found is None if advised is None else found.endswith(f"try --epochs {advised}")


@pytest.mark.parametrize("losses", [(2.1 * log(3), 0.1), (0.1, 11 * log(3)), (1e30, 1e30), (inf, 0.1)])
def test_a_loss_far_above_that_of_a_guess_is_named_with_the_learning_rate(losses):
    (line,) = found(*losses)
    assert line.startswith("training diverged: the ")
    assert line.endswith("train again with --lr lower than 1000")


@pytest.mark.parametrize(
    ("accuracy", "share", "documents", "expected"),
    [
        (0.5, 0.5, 10_000, 0),
        (0.46, 0.5, 10_000, 1),
        (0.21, 0.5, 100, 0),
        (0.19, 0.5, 100, 1),
        (0.0, 0.6, 5, 0),
        (0.0, 1.0, 9, 0),
        (0.0, 1.0, 10, 1),
        (0.0, 0.0, 50, 0),
    ],
)
def test_a_model_that_is_worse_than_one_label_beyond_chance_is_named(accuracy, share, documents, expected):
    assert len(found(accuracy=accuracy, share=share, documents=documents)) == expected


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_run_that_diverged_says_so_on_the_terminal_in_the_metrics_and_on_the_card(model, data_dir, runner):
    given = ["--data", data_dir, "--model", model, "--tier", "full", "--device", "cpu", "--hidden-size", 8]
    result = invoke(runner, "train", *given, "--lr", 1000, "--epochs", 4)
    assert result.exit_code == 0
    run = runs.RunLayout(Path(result.stdout.strip()))
    (line,) = runs.read_json(run.metrics)["warnings"]
    assert line.startswith("training diverged: the training loss of ")
    assert f"warning: {line}\n" in result.stderr
    assert f"\n**Warning: {line}.**\n" in (run.model / "README.md").read_text(encoding="utf-8")


def test_an_ordinary_run_of_a_small_corpus_has_no_warnings(run_dir):
    assert "warnings" not in runs.read_json(runs.RunLayout(run_dir).metrics)
    assert "Warning" not in (run_dir / "model" / "README.md").read_text(encoding="utf-8")


def test_labels_drawn_by_lot_are_no_divergence(corpus_csv):
    lines = corpus_csv.read_text(encoding="utf-8").splitlines()
    texts = [line.rpartition(",")[0] for line in lines[1:]]
    labels = np.random.default_rng(0).integers(0, 2, len(texts))
    rows = [f"{text.strip(chr(34)).replace(',', ' ')},{label}" for text, label in zip(texts, labels, strict=True)]
    Path("lot.csv").write_text("\n".join(["text,label", *rows, ""]), encoding="utf-8")
    run = textclf.train(data=textclf.preprocess("lot.csv"), tier="full", device="cpu", epochs=8)
    assert "warnings" not in runs.read_json(run / "metrics.json")


@pytest.mark.parametrize(
    ("documents", "shown"),
    [(1, "1 validation document: at most 5%"), (4, "4 validation documents"), (28, "90%")],
)
def test_few_validation_documents_are_said_to_show_little(documents, shown):
    assert shown in rests_on_few(documents)


def test_enough_validation_documents_can_show_a_precision():
    assert rests_on_few(29) is None
    answers = np.full(29, 0.99, dtype=np.float32), np.ones(29, dtype=bool), np.zeros(29)
    assert "0.9" in learn_from(*answers).thresholds
    assert "0.9" not in learn_from(*(each[1:] for each in answers)).thresholds


def test_a_run_says_that_its_probabilities_rest_on_few_documents(data_dir, runner):
    run = invoke(runner, "train", "--data", data_dir, "--tier", "full", "--epochs", 1, "--device", "cpu")
    assert "rest on 6 validation documents" in run.stderr
