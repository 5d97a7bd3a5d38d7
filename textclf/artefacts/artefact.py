"""A trained model in memory, without torch: what it computes, and when it gives no label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.encoder_view import EncoderView, Halves
from textclf.errors import UsageError
from textclf.models import find
from textclf.models.arithmetic import Floats, sigmoid, softmax
from textclf.models.model import Features, Model
from textclf.models.user import UserModel
from textclf.sources.document import Columns
from textclf.system.tensor_files import Arrays
from textclf.text.tokenizer import Tokenizer

LARGEST_LOGIT: Final = 1e30
"""Stands for an infinite logit, so that differences of logits are numbers."""


@dataclass(frozen=True, slots=True)
class Abstention:
    """When to give no label, learned from validation documents."""

    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Precision, as ``0.95``, to the probability from which answers have it, if there is one."""
    unlike: float = 0.5
    """Share of unknown words above which a text counts as unlike the corpus: at 1, none does."""
    coverage: Mapping[str, float] = field(default_factory=dict)
    """For each threshold the share of the validation documents, or of their pairs with a label, that it answers."""
    precision: Mapping[str, float] = field(default_factory=dict)
    """For each threshold the share of these answers that is right."""

    def is_unlike(self, unknown: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether texts with these shares of unknown words are unlike the corpus; any shape."""
        return unknown > self.unlike

    def threshold(self, precision: float) -> float:
        """The probability from which answers have at least this precision; raises UsageError if there is none."""
        known = {float(name): threshold for name, threshold in self.thresholds.items()}
        if enough := [each for each in known if each >= precision]:
            return known[min(enough)]
        highest = f"{max(known):g} is the highest that is" if known else "none is"
        raise UsageError(
            f"a precision of {precision:g} was not shown on the validation documents ({highest}); ask for less, or "
            "preprocess with a larger --validation-size and train again"
        )


class TextsRead(NamedTuple):
    """B texts as a model takes them."""

    tokens: NDArray[np.int32]
    """Token ids, end to end."""
    lengths: NDArray[np.int64]
    """Shape (B,)."""
    vectors: Halves | None = None
    """By the model's encoder, if it has one, shape (B, E)."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A trained model, without torch."""

    model: str
    """Name in `textclf.models.MODELS`, or of the user's class."""
    weights: Arrays
    """Parameter name to array."""
    tokenizer: Tokenizer
    inputs: Features
    labels: list[str]
    temperature: float
    """Logits are divided by it, so that probabilities say how often the model is right."""
    trained: Mapping[str, Any]
    """Corpus, tier and figures, for people."""
    abstention: Abstention = field(default_factory=Abstention)
    user_model: UserModel | None = None
    """The user's class, if the model is not built in."""
    columns: Columns = field(default_factory=Columns)
    """Those of the training documents; files to predict that have them are read alike."""
    shift: tuple[float, ...] = ()
    """What class weights have added to each logit: answers keep it, probabilities do not. Empty: nothing."""
    thresholds: tuple[float, ...] = ()
    """The probability from which on a text gets each label. Empty: a text has one label."""
    view: EncoderView | None = None
    """What a sentence encoder adds, if the model has one."""

    @property
    def kind(self) -> Model:
        """The parts of the model."""
        return self.user_model or find(self.model)

    def read(self, texts: Sequence[str]) -> "TextsRead":
        """Texts as `raw_logits` and `logits` take them."""
        tokens, lengths = self.tokenizer.encode_all(list(texts))
        return TextsRead(tokens, lengths, None if self.view is None else self.view.read(texts))

    def raw_logits(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], vectors: Halves | None = None
    ) -> Floats:
        """Logits of documents whose token ids stand end to end, before calibration; shape (B, C), all finite.

        ``vectors``: those of the documents, shape (B, E), if the model has an encoder; ValueError if they are missing.
        """
        own = self.own_logits(tokens, lengths)
        if self.view is None:
            return own
        if vectors is None:
            raise ValueError("a model with an encoder needs the vectors of the documents")
        return self.view.join(own, vectors)

    def own_logits(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Floats:
        """The same without what an encoder adds.

        A model of the user, or an extreme one, may compute infinity or NaN, which counts as 0.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self.kind.runtime().logits(self.weights, self.inputs(tokens, lengths))
        return np.nan_to_num(logits, copy=False, posinf=LARGEST_LOGIT, neginf=-LARGEST_LOGIT)

    @property
    def is_multi(self) -> bool:
        """Whether a text may have several labels, or none."""
        return bool(self.thresholds)

    def logits(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], vectors: Halves | None = None) -> Floats:
        """Calibrated logits: their probabilities say how often the model is right; shape (B, C)."""
        return self.calibrated(self.raw_logits(tokens, lengths, vectors))

    def calibrated(self, raw: Floats) -> Floats:
        """Logits after calibration; shape (B, C)."""
        unshifted = raw - np.array(self.shift, dtype=np.float32) if self.shift else raw
        logits: Floats = unshifted / np.float32(self.temperature)
        return logits

    def order(self, logits: Floats) -> Floats | None:
        """What calibrated logits (B, C) rank labels by, as the model was trained to; None: by their probabilities."""
        return logits + np.array(self.shift, dtype=np.float32) / np.float32(self.temperature) if self.shift else None

    def with_threshold(self, threshold: float) -> "Artefact":
        """The same, but each of several labels is given from this probability on."""
        return replace(self, thresholds=(threshold,) * len(self.labels))

    def given(self, probabilities: Floats) -> NDArray[np.bool_]:
        """Which texts get which of several labels; shape (B, C), as the probabilities."""
        return probabilities >= np.array(self.thresholds, dtype=np.float32)

    def probabilities(self, logits: Floats) -> Floats:
        """Of calibrated logits (B, C): of each label among all or, where there may be several, by itself."""
        return sigmoid(logits) if self.is_multi else softmax(logits)
