import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import small_config
from textclf import training
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.errors import DataError
from textclf.evaluation import mistakes as module
from textclf.evaluation.mistakes import LEAD, LONGEST, mistakes
from textclf.evaluation.predictions import predict

mlp = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)


def wrong(found):
    """The same documents with the labels of others, so that most answers are wrong."""
    return replace(found, labels=np.roll(found.labels, 1))


def whole(mistake):
    return "".join(piece.text for piece in (*mistake.lead, *mistake.rest))


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    """A run of documents with ids, capitals and lines, of which some are long; its source is next to it."""
    folder = tmp_path_factory.mktemp("long")
    words = {"Animals": "Cat Dog", "Food": "Bread Butter"}
    with (folder / "long.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("ticket", "text", "label"))
        for number in range(60):
            label = ["Animals", "Food"][number % 2]
            text = f"{words[label]}\nNo {number}! " + "Filler filler. " * (number % 3 * 200)
            writer.writerow((f"T-{number}", text, label))
    config = PreprocessConfig(
        source=str(folder / "long.csv"), id_column="ticket", data_dir=folder / "data", num_workers=1
    )
    return training.train(small_config("mlp", preprocess(config)[0], folder / "runs", epochs=2)).root


def test_texts_and_ids_are_those_of_the_source(long_run):
    found = predict(long_run, split="train")
    kept = mistakes(replace(found, labels=1 - found.labels), most=9)
    assert (len(kept.found), kept.missing) == (9, "")
    source = Path(found.data.manifest.source)
    with source.open(newline="", encoding="utf-8") as file:
        rows = {row["ticket"]: row for row in csv.DictReader(file)}
    for mistake in kept.found:
        text = rows[mistake.document]["text"]
        assert whole(mistake) == text[:LONGEST]
        assert mistake.is_cut == (len(text) > LONGEST)
        assert len("".join(piece.text for piece in mistake.lead)) <= max(LEAD * 1.25, 1)
        assert (mistake.rest == []) == (len(text) <= LEAD * 1.25)


def test_words_that_speak_for_the_answer_are_marked(long_run):
    found = predict(long_run, split="train")
    for mistake in mistakes(replace(found, labels=1 - found.labels), most=9).found:
        (answer,) = mistake.answers
        assert mistake.marked == answer
        best = max((*mistake.lead, *mistake.rest), key=lambda piece: piece.strength)
        assert best.strength == 1
        assert best.text in {"Animals": ("Cat", "Dog"), "Food": ("Bread", "Butter")}[answer]


@mlp
def test_the_surest_come_first_with_the_probability_of_their_own_label(run_dir):
    found = wrong(predict(run_dir, split="train"))
    kept = mistakes(found, most=9)
    assert [one.probability for one in kept.found] == sorted((one.probability for one in kept.found), reverse=True)
    for one in kept.found:
        assert 0 <= one.own <= one.probability
    assert kept.total == int((found.raw.argmax(axis=1) != found.labels).sum()) > 9


@mlp
@pytest.mark.parametrize("error", [DataError("news.csv has changed"), ImportError("No module named 'datasets'")])
def test_without_its_source_a_text_is_its_known_words(error, run_dir, monkeypatch):
    def gone(_data, _rows):
        raise error

    monkeypatch.setattr(module, "texts_of", gone)
    found = wrong(predict(run_dir, split="train"))
    kept = mistakes(found, most=3)
    assert kept.missing == str(error)
    for place, one in zip(found.outcome.mistakes(3), kept.found, strict=True):
        assert whole(one) == found.text(place, most=120)
        assert (one.marked, {piece.strength for piece in one.lead}) == ("", {0})


@mlp
def test_texts_may_be_left_out_and_then_the_source_is_not_read(run_dir, monkeypatch):
    monkeypatch.delattr(module, "texts_of")
    kept = mistakes(wrong(predict(run_dir, split="train")), most=3, texts=False)
    assert [(one.lead, one.rest, one.marked) for one in kept.found] == [([], [], "")] * 3
    assert kept.missing == ""


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
def test_of_several_labels_the_one_that_is_most_surely_wrong_is_marked(several_run):
    found = predict(several_run, split="train")
    probabilities = found.outcome.probabilities
    kept = mistakes(found, most=9)
    assert kept.found
    for place, one in zip(found.outcome.mistakes(9), kept.found, strict=True):
        differing = {*one.labels} ^ {*one.answers}
        sureness = {
            name: float(probabilities[place, at] if name in one.answers else 1 - probabilities[place, at])
            for at, name in enumerate(found.names)
            if name in differing
        }
        assert one.marked == max(sureness, key=sureness.__getitem__)
