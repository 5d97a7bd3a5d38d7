"""scikit-learn's face: `TextClassifier`, an estimator that preprocesses, trains and predicts in one object.

Imports scikit-learn, which nothing else of textclf's public API does before it is called.
"""

from textclf.estimator.text_classifier import TextClassifier

__all__ = ["TextClassifier"]
