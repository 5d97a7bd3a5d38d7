"""scikit-learn's face: `TextClassifier`, an estimator that preprocesses, trains and predicts in one object.

Imports scikit-learn, which nothing else of textclf's public API does before it is called.
"""

from textclf.system.requirements import need

need("TextClassifier", ("sklearn",), install=("scikit-learn",))

from textclf.estimator.text_classifier import TextClassifier  # noqa: E402

__all__ = ["TextClassifier"]
