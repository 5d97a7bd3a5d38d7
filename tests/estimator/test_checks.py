"""scikit-learn's own checks of estimators, for which each row of numbers becomes a text.

scikit-learn (1.9) checks no estimator that takes only texts: `check_estimator` says so and runs nothing. All of its
checks run here on a subclass that writes a word for each number.
"""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from textclf import TextClassifier

OUT_OF_FOLD = "fit_transform gives features from models that have not learned from the text, as TargetEncoder does"
EXPECTED = {"check_transformer_general": OUT_OF_FOLD, "check_transformer_data_not_an_array": OUT_OF_FOLD}


class OfNumbers(TextClassifier):
    """Takes the tables of numbers that the checks give, as texts with a word for each number."""

    def fit(self, X, y):
        return super().fit(self._words(X, y, is_fit=True), y)

    def fit_transform(self, X, y=None):
        return super().fit_transform(self._words(X, y, is_fit=True), y)

    def predict(self, X):
        return super().predict(self._words(X))

    def predict_proba(self, X):
        return super().predict_proba(self._words(X))

    def decision_function(self, X):
        return super().decision_function(self._words(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array = False, False, True
        return tags

    def _words(self, X, y=None, *, is_fit=False):
        if isinstance(X, list) and isinstance(X[0], str):  # folds of fit_transform
            return X
        if is_fit:
            X, _ = validate_data(self, X, y, multi_output=True)
        else:
            check_is_fitted(self)
            X = validate_data(self, X, reset=False)
        numbers = np.round(8 * X).astype(int) % 50
        return [" ".join(f"x{place}is{number}" for place, number in enumerate(row)) for row in numbers.tolist()]


@pytest.mark.long
@parametrize_with_checks(
    [OfNumbers(epochs=10, cv=2, device="cpu")],
    expected_failed_checks=lambda _estimator: EXPECTED,
    xfail_strict=True,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_the_checks_pass(estimator, check):
    check(estimator)


def test_the_tags_say_that_it_takes_texts():
    with pytest.warns(match="Can't test estimator TextClassifier .* string=True"):
        check_estimator(TextClassifier())
