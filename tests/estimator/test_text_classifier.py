"""The estimator among scikit-learn's tools: what it answers, and what its callers rely on."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.estimator.conftest import QUICK
from textclf import TextClassifier, TextclfError
from textclf.config import PreprocessConfig, TrainConfig
from textclf.models import MODELS


def test_answers_probabilities_and_logits_agree(fitted, corpus):
    probabilities, logits = fitted.predict_proba(corpus.texts), fitted.decision_function(corpus.texts)
    assert probabilities.shape == logits.shape == (60, 3)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert np.allclose(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), probabilities, atol=1e-6)
    assert (fitted.classes_[probabilities.argmax(axis=1)] == fitted.predict(corpus.texts)).all()
    assert fitted.score(corpus.texts, corpus.labels) == 1.0
    assert fitted.predict([]).shape == (0,)
    assert fitted.predict_proba([]).shape == fitted.decision_function([]).shape == (0, 3)


@pytest.mark.parametrize("classes", [(10, 9), (True, False)])
def test_answers_have_the_type_of_the_labels_in_the_order_of_the_classes(corpus, classes):
    labels = np.array([classes[label == "food"] for label in corpus.labels])
    found = TextClassifier(**QUICK).fit(corpus.texts, labels)
    assert found.classes_.dtype == found.predict(corpus.texts).dtype == labels.dtype
    assert found.classes_.tolist() == sorted(set(labels.tolist()))
    assert found.score(corpus.texts, labels) > 0.6
    logits = found.decision_function(corpus.texts)
    assert logits.shape == (60,)
    assert ((logits > 0) == (found.predict(corpus.texts) == found.classes_[1])).all()


def test_ten_texts_of_two_classes_are_enough():
    texts = [f"{word} number{place}" for place in range(5) for word in ("rain", "bread")]
    found = TextClassifier(device="cpu").fit(texts, ["weather", "food"] * 5)
    assert found.metrics_["validation"]["documents"] == 1
    assert set(found.predict(["rain and wind", ""])) <= {"food", "weather"}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["rain", "bread"], "too few documents to draw a validation split .*; give more texts$"),
        (["rain"] * 6, "too few documents"),
        (["\ud800", "bread"] * 3, r"^texts\[0\]: half a surrogate pair"),
    ],
)
def test_what_is_too_little_is_said_in_one_line(texts, message, temporary_files):
    with pytest.raises(ValueError, match=message) as caught:
        TextClassifier(**QUICK).fit(texts, ["a", "b"] * (len(texts) // 2))
    assert isinstance(caught.value, TextclfError)
    assert not any(temporary_files.iterdir())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "^epochs: 0 is not"),
        ({"model": "bert"}, "no model named 'bert'"),
        ({"tier": "tire"}, "no tier named"),
        ({"validation_size": 0}, "^validation_size: 0 is not"),
        ({"max_vocab": "many"}, "^max_vocab: 'many' is not"),
        ({"seed": -1}, "^seed: -1 is not"),
    ],
)
def test_a_wrong_parameter_is_named(corpus, wrong, message):
    with pytest.raises(ValueError, match=message) as caught:
        TextClassifier(**wrong).fit(*corpus)
    assert isinstance(caught.value, TextclfError)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function", "transform", "explain"])
def test_an_estimator_that_is_not_fitted_says_so(method, corpus):
    with pytest.raises(NotFittedError):
        getattr(TextClassifier(), method)(corpus.texts)
    with pytest.raises(NotFittedError):
        TextClassifier().save("model")


def test_there_is_no_partial_fit_and_the_reason_is_said():
    assert not hasattr(TextClassifier(), "partial_fit")
    with pytest.raises(AttributeError, match="vocabulary, early stopping and calibration follow from all texts"):
        TextClassifier().partial_fit(["a"], ["b"])


def test_parameters_are_settings_of_the_commands_with_their_defaults():
    ours = TextClassifier().get_params()
    others = {"tier": "full", "cv": 5, "verbose": False, "class_weight": None}
    assert {name: ours.pop(name) for name in others} == others
    preprocessing = {field.name: field.default for field in fields(PreprocessConfig)}
    training = TrainConfig.create()
    for name, value in ours.items():
        expected = preprocessing[name] if name in preprocessing else getattr(training, name)
        is_open = name in ("epochs", "unlabelled")  # epochs are by tier; no files are None, as scikit-learn has it
        assert value == (None if is_open else expected), name
    elsewhere = {"data", "data_dir", "run_dir", "test", "store", "num_workers", "resident", "bundle", "user_model"}
    elsewhere |= {"init_from", "shots", "tier", "class_weights"}
    assert {field.name for field in fields(TrainConfig)} - elsewhere <= ours.keys()


def test_parameters_are_read_set_cloned_and_shown():
    made = TextClassifier("cnn", hidden_size=8)
    assert repr(made.set_params(seed=3)) == "TextClassifier(hidden_size=8, model='cnn', seed=3)"
    assert clone(made).get_params() == made.get_params()
    assert "TextClassifier" in made._repr_html_()
    assert is_classifier(made)
    with pytest.raises(ValueError, match="Invalid parameter 'modle'"):
        made.set_params(modle="mlp")


def test_texts_are_explained_for_their_labels(fitted, corpus):
    (of_answer,) = fitted.explain(corpus.texts[:1])
    assert of_answer.label == fitted.predict(corpus.texts[:1])[0]
    assert sum(token.contribution for token in of_answer.tokens) + of_answer.rest == pytest.approx(of_answer.margin)
    assert fitted.explain(corpus.texts[:2], label="food")[1].label == "food"
    with pytest.raises(ValueError, match="no label 'fish'"):
        fitted.explain(corpus.texts, label="fish")


def test_labelled_texts_are_evaluated(corpus):
    labels = [len(label) for label in corpus.labels]  # 7, 4 and 7
    found = TextClassifier(**QUICK).fit(corpus.texts, labels)
    evaluation = found.evaluate([*corpus.texts, "rain"], [*labels, 9])
    assert evaluation.metrics.accuracy == pytest.approx(found.score(corpus.texts, labels) * 60 / 61)
    assert evaluation.unseen == {"9": 1}
    assert [each["label"] for each in evaluation.classes] == ["4", "7"]
    low, high = evaluation.intervals["accuracy"]
    assert low <= evaluation.metrics.accuracy <= high
    assert "texts" in repr(evaluation)
    with pytest.raises(ValueError, match=r"^texts: "):
        found.evaluate(["rain"], [9])


# Among scikit-learn's tools


def test_a_pipeline_and_cross_validation(corpus):
    made = make_pipeline(FunctionTransformer(lambda texts: [text.upper() for text in texts]), TextClassifier(**QUICK))
    scores = cross_val_score(made, corpus.texts, corpus.labels, cv=2)
    assert scores.shape == (2,)
    assert scores.min() > 0.5


def test_several_classifiers_vote_and_are_calibrated(corpus):
    others = make_pipeline(TfidfVectorizer(), LogisticRegression())
    vote = VotingClassifier([("ours", TextClassifier(**QUICK)), ("theirs", others)], voting="soft")
    assert vote.fit(*corpus).score(*corpus) == 1.0
    calibrated = CalibratedClassifierCV(TextClassifier(**QUICK), cv=2).fit(*corpus)
    assert calibrated.predict_proba(corpus.texts).shape == (60, 3)


@pytest.mark.long
def test_a_search_with_two_processes_finds_what_one_process_finds(corpus, temporary_files):
    grid = {"hidden_size": [4], "epochs": [1]}
    scores = [
        GridSearchCV(TextClassifier(**QUICK), grid, cv=2, n_jobs=jobs, refit=False)
        .fit(*corpus)
        .cv_results_["mean_test_score"]
        for jobs in (1, 2)
    ]
    assert scores[0].tolist() == scores[1].tolist()
    assert not list(temporary_files.glob("textclf*"))


# Next to the columns of a table


@pytest.fixture
def table(corpus):
    return pd.DataFrame({"body": corpus.texts, "length": [float(len(text)) for text in corpus.texts]})


def test_features_are_probabilities_of_models_that_have_not_learned_from_the_text(corpus, table):
    found = TextClassifier(**QUICK)
    features = found.set_output(transform="pandas").fit_transform(table[["body"]], corpus.labels)
    assert list(features.columns) == ["body_animals", "body_food", "body_weather"]
    assert found.feature_names_in_.tolist() == ["body"]
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    out_of_fold = cross_val_predict(clone(found), *corpus, cv=folds, method="predict_proba")
    assert (features.to_numpy() == out_of_fold).all()
    of_all = found.transform(table["body"]).to_numpy()
    assert (of_all == found.predict_proba(corpus.texts)).all()
    assert (of_all != out_of_fold).any()
    with pytest.raises(ValueError, match=r"^cv: 1 is not"):
        found.set_params(cv=1).fit_transform(*corpus)


def test_features_of_texts_without_a_name_are_named_text(fitted):
    assert fitted.get_feature_names_out().tolist() == ["text_animals", "text_food", "text_weather"]
    assert fitted.get_feature_names_out(["body"]).tolist()[0] == "body_animals"


@pytest.mark.long
def test_a_text_stands_next_to_other_columns(corpus, table):
    columns = make_column_transformer((TextClassifier(**QUICK), "body"), ("passthrough", ["length"]))
    made = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(table, corpus.labels)
    assert made.score(table, corpus.labels) > 0.9
    assert columns.get_feature_names_out().tolist()[0] == "textclassifier__body_animals"


@pytest.mark.slow
def test_a_text_is_a_column_of_skrubs_table_vectorizer(corpus, table):
    import skrub

    vectorizer = skrub.TableVectorizer(high_cardinality=TextClassifier(**QUICK))
    features = vectorizer.fit_transform(table, corpus.labels)
    assert list(features.columns) == ["body_animals", "body_food", "body_weather", "length"]
    assert list(vectorizer.transform(table).columns) == list(features.columns)
    table.loc[3, "body"] = None
    with pytest.raises(ValueError, match=r"^texts\[3\] is nan, not a string; leave it out or put ''"):
        vectorizer.fit_transform(table, corpus.labels)


@pytest.mark.parametrize("model", sorted(set(MODELS) - {"mlp"}))
def test_every_model_is_an_estimator(model, corpus):
    assert TextClassifier(model, **QUICK).fit(*corpus).score(*corpus) > 0.3


def test_a_class_of_your_own_is_an_estimator(my_model, corpus):
    import pickle

    found = TextClassifier(f"{my_model}:MyModel", epochs=2, device="cpu").fit(*corpus)
    again = pickle.loads(pickle.dumps(found))
    assert np.allclose(again.predict_proba(corpus.texts), found.predict_proba(corpus.texts))
    with pytest.raises(ValueError, match=r"add code my_model.py"):
        TextClassifier.load(found.save("saved"))
    assert TextClassifier.load("saved", code=my_model).classes_.tolist() == found.classes_.tolist()
