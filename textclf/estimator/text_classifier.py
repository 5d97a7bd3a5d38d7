"""A text classifier with the interface of scikit-learn's: https://scikit-learn.org/stable/developers/develop.html."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final, NoReturn, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils.validation import check_is_fitted

from textclf.artefacts import artefact, loading, model_folder, runs
from textclf.estimator import stored
from textclf.estimator.failures import ParameterError, UnsupportedError, as_of_scikit_learn
from textclf.estimator.inputs import Labels, classes_of, column_name, labels_of, texts_of
from textclf.estimator.temporary import temporary_folder
from textclf.evaluation.evaluate import Evaluation, score_files
from textclf.inference.classifier import Classifier, batched
from textclf.inference.explain import Explanation, explain
from textclf.inference.labelled import predict_labelled
from textclf.settings import Range, Rule, checked, paths
from textclf.sources import Row

NOT_SETTINGS: Final = ("cv", "verbose", "class_weight")
"""Parameters that do not change the model."""
FOLDS: Final = Rule(int, Range(2))
SEED: Final = Rule(int, Range(0))


class TextClassifier(TransformerMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learns to classify texts as `textclf preprocess` and `textclf train` do, and predicts as `textclf predict`.

    Texts are strings in a list, a Series, an array, a generator, or a table of one column; labels are strings, whole
    numbers or bools. A part of the texts is held out for early stopping and calibration. Nothing stays on the disk.

    Parameters are those of the commands, with the same defaults and the same names, except for the last two:

    model : "mlp", "lstm", "cnn", or a class of your own as "my_model.py:MyModel"
    seed : random seed for the held-out texts, weights, data order and dropout
    tier : "full" learns from all texts; "tiny", "small" and "mid" from a part, to try something
    validation_size : fraction of the texts that is held out
    lowercase, max_vocab, max_parts, min_count : see ``textclf preprocess --help``
    class_weight : None, "balanced", or a mapping from label to its weight in the training loss
    epochs, batch_size, lr, patience, min_gain, monitor, clip_norm, label_smoothing, refit, embedding_size, hidden_size,
    dropout, word_dropout, max_length, device, precision : see ``textclf train --help``; None: by model and texts
    vectors, freeze_vectors : file or name of word vectors for an lstm or a cnn, and whether they stay as they are
    encoder, encoder_limit : name or folder of a sentence encoder, and the number of tokens that it may read
    unlabelled, unlabelled_column : files of texts without labels to learn word vectors from, and their column
    cv : number of folds of `fit_transform`; `fit` has no use for it
    verbose : whether `fit` shows bars, in a notebook or on stderr

    Attributes of a fitted estimator:

    classes_ : shape (C,), the labels, sorted, in their own type
    classifier_ : the `textclf.Classifier`, which answers with strings and more details
    metrics_ : figures of the training run as in metrics.json, such as ``metrics_["validation"]["accuracy"]``
    history_ : figures of each epoch
    feature_names_in_ : name of the column, if the texts were one
    """

    def __init__(
        self,
        model: str = "mlp",
        *,
        seed: int = 0,
        tier: str = "full",
        validation_size: float = 0.1,
        lowercase: bool = True,
        max_vocab: int = 100_000,
        max_parts: int | None = None,
        min_count: int = 1,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        patience: int | None = None,
        min_gain: float | None = None,
        monitor: str = "loss",
        class_weight: "str | Mapping[Any, float] | None" = None,
        clip_norm: float = 1.0,
        label_smoothing: float | None = None,
        refit: bool | None = None,
        embedding_size: int | None = None,
        hidden_size: int | None = None,
        dropout: float | None = None,
        word_dropout: float | None = None,
        max_length: int | None = None,
        vectors: str | None = None,
        freeze_vectors: bool = False,
        encoder: str | None = None,
        encoder_limit: int = 2_000_000,
        unlabelled: "str | PathLike[str] | Sequence[str | PathLike[str]] | None" = None,
        unlabelled_column: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        cv: int = 5,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.seed = seed
        self.tier = tier
        self.validation_size = validation_size
        self.lowercase = lowercase
        self.max_vocab = max_vocab
        self.max_parts = max_parts
        self.min_count = min_count
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.patience = patience
        self.min_gain = min_gain
        self.monitor = monitor
        self.class_weight = class_weight
        self.clip_norm = clip_norm
        self.label_smoothing = label_smoothing
        self.refit = refit
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.max_length = max_length
        self.vectors = vectors
        self.freeze_vectors = freeze_vectors
        self.encoder = encoder
        self.encoder_limit = encoder_limit
        self.unlabelled = unlabelled
        self.unlabelled_column = unlabelled_column
        self.device = device
        self.precision = precision
        self.cv = cv
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from D texts X and their labels y; torch's threads are treated as in `textclf.train`.

        Raises ValueError, which is a TextclfError as well, if a text or a label is missing or of another type, if there
        are too few texts to hold any out, and for a parameter that has a wrong value.
        """
        from textclf.estimator import fitting

        texts = texts_of(X)
        classes = classes_of(labels_of(y, texts=len(texts)))
        names = classes.names()
        parameters = self.get_params(deep=False)
        settings = {name: value for name, value in parameters.items() if name not in NOT_SETTINGS}
        settings["class_weights"] = self._class_weights(dict(zip(classes.values.tolist(), names, strict=True)))
        with as_of_scikit_learn():
            found = fitting.fit(
                texts, [names[place] for place in classes.of_rows.tolist()], settings=settings, verbose=self.verbose
            )
        self._take(
            found.trained, stored.Described(parameters, classes.values, found.metrics, found.history), found.card
        )
        self._take_name(X)
        return self

    def _class_weights(self, names: Mapping[Any, str]) -> str | dict[str, float]:
        """The weights, by the names that labels have in training."""
        if isinstance(self.class_weight, Mapping):
            return {names.get(label, str(label)): weight for label, weight in self.class_weight.items()}
        return "none" if self.class_weight is None else str(self.class_weight)

    def predict(self, X: Any) -> Labels:
        """The most probable label of each text, shape (D,), in the type of the labels in `fit`."""
        check_is_fitted(self)
        found = [self.classifier_.answer(batch, top_k=1).places[:, 0] for batch in batched(texts_of(X))]
        places = np.argsort(self._places)[np.concatenate([np.empty(0, dtype=np.int64), *found])]
        labels: Labels = self.classes_[places]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """The calibrated probability of each class, shape (D, C), in the order of ``classes_``."""
        check_is_fitted(self)
        found = [self.classifier_.scores(batch).probabilities for batch in batched(texts_of(X))]
        return self._by_class(found)

    def decision_function(self, X: Any) -> NDArray[np.float32]:
        """The calibrated logits, shape (D, C); of two classes, their difference, shape (D,): above 0 for the second."""
        check_is_fitted(self)
        logits = self._by_class([self.classifier_.logits(batch) for batch in batched(texts_of(X))])
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def transform(self, X: Any) -> NDArray[np.float32]:
        """The probabilities as features, shape (D, C), so that a text can stand next to other columns of a table."""
        return self.predict_proba(X)

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[np.float32]:
        """Learn from all texts; the features of each come from a model that has not learned from it, shape (D, C).

        For that, ``cv`` more models learn from all folds but one, like in scikit-learn's TargetEncoder. With features
        from a model that knows the text, whatever learns from them would trust them too much.
        """
        texts = texts_of(X)
        labels = labels_of(y, texts=len(texts))
        with as_of_scikit_learn():
            folds = StratifiedKFold(
                checked("cv", self.cv, FOLDS), shuffle=True, random_state=checked("seed", self.seed, SEED) % 2**32
            )
        found: NDArray[np.float32] = cross_val_predict(clone(self), texts, labels, cv=folds, method="predict_proba")
        self.fit(texts, labels)._take_name(X)
        return found.astype(np.float32, copy=False)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The names of what `transform` returns: the column's, or ``text``, and the class, as in ``body_sports``."""
        check_is_fitted(self)
        columns = getattr(self, "feature_names_in_", ["text"] if input_features is None else input_features)
        return np.array([f"{columns[0]}_{name}" for name in map(str, self.classes_.tolist())], dtype=object)

    def explain(self, X: Any, *, label: Any = None) -> list[Explanation]:
        """For each text, the contribution of each token to the predicted label, or to a given one."""
        check_is_fitted(self)
        texts = texts_of(X)
        wanted = self.predict(texts).tolist() if label is None else [label] * len(texts)
        with as_of_scikit_learn():
            found = [
                explain(self.classifier_.trained, text, str(each)) for text, each in zip(texts, wanted, strict=True)
            ]
        return [each._replace(label=own) for each, own in zip(found, wanted, strict=True)]

    def evaluate(self, X: Any, y: Any) -> Evaluation:
        """Figures on labelled texts: 95 % intervals, a baseline, calibration, each class, and the confusion matrix.

        Classes are named by strings, in the order of ``classifier_.labels``. Labels that `fit` did not have count as
        errors.
        """
        check_is_fitted(self)
        texts = texts_of(X)
        names = map(str, labels_of(y, texts=len(texts)).tolist())
        rows = [Row(text, label=name) for text, name in zip(texts, names, strict=True)]
        with as_of_scikit_learn():
            found = predict_labelled(self.classifier_, rows, where="texts", strict=True)
            return score_files(found, self.classifier_.trained, run=type(self).__name__, files=("texts",))

    @property
    def partial_fit(self) -> NoReturn:
        """Not there: raises AttributeError that says why."""
        raise UnsupportedError(
            "TextClassifier has no partial_fit: vocabulary, early stopping and calibration follow from all texts; "
            "call fit with the old and the new ones"
        )

    def save(self, path: str | Path) -> Path:
        """Write the model as a folder, which `load` reads, and ``textclf predict --run`` as well; returns its path."""
        check_is_fitted(self)
        with as_of_scikit_learn():
            (root,) = paths("path", path)
            stored.save(root, self._contents(self.get_params(deep=False)))
        return root

    @classmethod
    def load(cls, path: str | Path, *, code: str | Path | Sequence[str | Path] = ()) -> Self:
        """The estimator that `save` wrote, or with a model that `textclf train` made, from a run or a model folder.

        A model of your own needs its ``code``, the Python file that it was trained with, which is run.
        """
        with as_of_scikit_learn():
            (given,) = paths("path", path)
            return cls._of_folder(runs.model_dir(given), code=paths("code", code))

    @classmethod
    def _of_folder(cls, folder: Path, *, code: Sequence[Path]) -> Self:
        trained = loading.load(folder, code=code)
        described = stored.read(folder, trained)
        known = cls._get_param_names()
        if unknown := sorted(set(described.parameters) - set(known)):
            raise ParameterError(
                f"{folder} has the parameter {unknown[0]}, which this textclf does not know: upgrade it"
            )
        made = cls(**described.parameters)
        made._take(trained, described, model_folder.read_card(folder))
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """The state for pickle, with the files of the model folder in place of the model."""
        state = dict(super().__getstate__())
        if "classifier_" in state:
            state = {name: value for name, value in state.items() if name not in ("classifier_", "_card", "_places")}
            state["_files"] = self._contents({})
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        written = state.pop("_files", None)
        super().__setstate__(state)
        if written is not None:
            with temporary_folder() as folder:
                model_folder.write(folder, written, durable=False)
                trained = stored.in_memory(loading.load(folder, code=stored.code_of(self.model)))
                self._take(trained, stored.read(folder, trained), model_folder.read_card(folder))

    def _take(self, trained: artefact.Artefact, described: stored.Described, card: str) -> None:
        """Become fitted with a model."""
        self.classes_ = described.classes
        self.classifier_ = Classifier(trained)
        self.metrics_ = described.metrics
        self.history_ = list(described.history)
        self._card = card
        self._places = [trained.labels.index(name) for name in map(str, described.classes.tolist())]

    def _take_name(self, texts: Any) -> None:
        if (name := column_name(texts)) is not None:
            self.feature_names_in_ = np.array([name], dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _by_class(self, batches: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Columns of the model's labels in the order of ``classes_``."""
        empty = np.empty((0, len(self.classes_)), dtype=np.float32)
        return np.concatenate([empty, *batches])[:, self._places]

    def _contents(self, parameters: Mapping[str, Any]) -> dict[str, bytes]:
        """The files of the model folder by name."""
        described = stored.Described(parameters, self.classes_, self.metrics_, self.history_)
        return stored.contents(self.classifier_.trained, described, card=self._card)
