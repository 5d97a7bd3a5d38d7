"""What a model is trained for: its loss, the class that it answers with, and the figures that say how good it is.

`Softmax` is for one label per document. A class with the same methods can stand for another kind of labels, such as
one-vs-rest for several labels per document: nothing else in training, evaluation or `finish` looks at labels or logits.
Shapes: V views of the documents, B documents in a batch, D in a split, C classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from textclf.dataset.directory import UNSEEN
from textclf.evaluation.calibration import fit_temperature
from textclf.evaluation.metrics import Metrics, macro_f1, measure


@dataclass(frozen=True, slots=True)
class Softmax:
    """One label per document: the loss is the cross-entropy, the answer the most probable class.

    A document whose label is UNSEEN, because no training document has it, counts as an error and has no loss.
    """

    label_smoothing: float = 0.0
    """Share of the target's probability that is spread over all classes: https://arxiv.org/abs/1512.00567."""
    class_weights: Tensor | None = None
    """Shape (C,), the weight of each class in the training loss. None: all weigh the same."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What training minimises, shape (): the mean over views and documents of logits (V, B, C), labels (B,)."""
        targets = labels.expand(len(logits), -1)  # (V, B), the same for every view
        return cross_entropy(
            logits.mT,
            targets,
            weight=self.class_weights,
            ignore_index=UNSEEN,
            label_smoothing=self.label_smoothing,
        )

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Sum of the documents' cross-entropy in nats, shape (), without smoothing or weights; logits (B, C)."""
        return cross_entropy(logits, labels, ignore_index=UNSEEN, reduction="sum")

    def has_loss(self, labels: Tensor) -> Tensor:
        """Which documents count in the losses, shape (B,), bool."""
        return labels != UNSEEN

    def answers(self, logits: Tensor) -> Tensor:
        """The class that each document gets, shape (B,); logits (B, C)."""
        return logits.argmax(dim=1)

    def is_right(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Which documents get their label, shape (B,), bool; logits (B, C)."""
        return self.answers(logits) == labels

    def macro_f1(self, labels: NDArray[np.int64], answers: NDArray[np.int64]) -> float:
        """Mean F1 over all labels of documents and answers, both of shape (D,)."""
        return macro_f1(labels, answers)

    def temperature(self, labels: NDArray[np.int64], logits: NDArray[np.float32]) -> float:
        """What to divide logits (D, C) by so that probabilities say how often the answer is right."""
        return fit_temperature(labels, logits)

    def measure(self, labels: NDArray[np.int64], logits: NDArray[np.float32]) -> Metrics:
        """Accuracy, F1 and loss of logits (D, C)."""
        return measure(labels, logits)
