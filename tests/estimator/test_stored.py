"""A fitted estimator as files, and as bytes in a pickle."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

import textclf
from textclf import TextClassifier, TextclfError
from textclf.errors import ArtefactError
from textclf.estimator import stored


def test_a_saved_estimator_is_the_same_when_it_is_loaded(fitted, corpus):
    root = fitted.save("made/model")
    again = TextClassifier.load(root)
    assert again.get_params() == fitted.get_params()
    assert (again.predict_proba(corpus.texts) == fitted.predict_proba(corpus.texts)).all()
    assert (again.metrics_, again.history_) == (fitted.metrics_, fitted.history_)
    assert again.save("made/model") == root  # which replaces the first one
    assert (
        again.save("made/again").joinpath("model.safetensors").read_bytes() == (root / "model.safetensors").read_bytes()
    )


def test_a_saved_estimator_is_a_model_folder(fitted, corpus):
    fitted.save("model")
    answers = textclf.load_model("model").predict(corpus.texts)
    assert [answer.label for answer in answers] == fitted.predict(corpus.texts).tolist()


@pytest.mark.parametrize("dump", [pickle.dumps, lambda made: pickle.dumps(made, protocol=2)])
def test_a_pickle_holds_the_files_of_the_model_folder(fitted, corpus, temporary_files, dump):
    again = pickle.loads(dump(fitted))
    assert (again.predict_proba(corpus.texts) == fitted.predict_proba(corpus.texts)).all()
    assert fitted.__getstate__()["_files"].keys() == {path.name for path in fitted.save("model").iterdir()}
    assert not any(temporary_files.iterdir())
    assert not hasattr(pickle.loads(pickle.dumps(TextClassifier())), "classes_")


def test_joblib_and_copies_keep_the_model(fitted, corpus):
    joblib.dump(fitted, "made.joblib", compress=3)
    for again in (joblib.load("made.joblib"), copy.deepcopy(fitted), copy.copy(fitted)):
        assert again.predict(corpus.texts).tolist() == fitted.predict(corpus.texts).tolist()


def test_a_damaged_pickle_is_refused(fitted, temporary_files):
    state = fitted.__getstate__()
    weights = state["_files"]["model.safetensors"]
    state["_files"]["model.safetensors"] = weights[:-4] + b"1234"
    with pytest.raises(TextclfError, match="damaged"):
        TextClassifier().__setstate__(state)
    assert not any(temporary_files.iterdir())


@pytest.mark.parametrize("edit", [lambda text: text.replace("food", "fish"), lambda text: text[:-9], lambda text: "[]"])
def test_damage_of_the_description_is_found(fitted, edit):
    path = fitted.save("model") / stored.NAME
    path.write_text(edit(path.read_text()))
    with pytest.raises(ArtefactError, match=r"estimator.json is damaged"):
        TextClassifier.load("model")


def test_other_files_are_not_replaced(fitted, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    with pytest.raises(TextclfError, match=r"mine has files of something else \(notes.txt\)"):
        fitted.save("mine")
    with pytest.raises(TextclfError, match="is a file"):
        fitted.save("mine/notes.txt")
    with pytest.raises(TextclfError, match="path: 5 is not a path"):
        fitted.save(5)
    odd = copy.copy(fitted).set_params(cv=StratifiedKFold())
    with pytest.raises(TextclfError, match=r"^cv: StratifiedKFold.* cannot be saved"):
        odd.save("odd")
    assert repr(pickle.loads(pickle.dumps(odd))) == repr(odd)


@pytest.mark.parametrize(
    "classes",
    [np.array([1, 2], np.int8), np.array([False, True]), np.array(["a", "b"], dtype=object), np.array([1.0, 2])],
)
def test_classes_keep_their_type_on_disk(classes, fitted):
    described = stored.Described({}, classes, {}, ())
    trained = fitted.classifier_.trained
    (folder := fitted.save("model")).joinpath(stored.NAME).write_bytes(
        stored.contents(trained, described, card="")[stored.NAME]
    )
    named = stored.replace(trained, labels=list(map(str, classes.tolist())))
    found = stored.read(folder, named).classes
    assert (found.dtype, found.tolist()) == (classes.dtype, classes.tolist())
