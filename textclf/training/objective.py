"""What a model is trained for: its loss, the answers that it gives, and the figures that say how good they are.

`Softmax` is for one label per document, `Sigmoid` for several or none: nothing else in training looks at labels or
logits. Shapes: V views of the documents, B documents in a batch, D in a split, C classes, S distinct sets of labels.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from textclf.dataset.directory import UNSEEN


class Objective(Protocol):
    """What the training loop asks of an objective; ``labels`` are class indices of `DataDirectory.classes`."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What training minimises, shape (): the mean over views and documents of logits (V, B, C), labels (B,)."""

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Sum of the documents' loss in nats, shape (), without smoothing; logits (B, C)."""

    def has_loss(self, labels: Tensor) -> Tensor:
        """Which documents count in the losses, shape (B,), bool."""

    def is_right(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Which documents are answered as they are labelled, shape (B,), bool; logits (B, C)."""

    def counts(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Right answers, answers and documents of each class, shape (3, C); logits (B, C)."""


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
        """The mean over views and documents."""
        targets = labels.expand(len(logits), -1)  # (V, B), the same for every view
        smoothing = self.label_smoothing
        if self.class_weights is None:
            return cross_entropy(logits.mT, targets, ignore_index=UNSEEN, label_smoothing=smoothing)
        # Weights of documents: torch's own would weigh what smoothing gives to the other classes, too.
        losses = cross_entropy(logits.mT, targets, ignore_index=UNSEEN, label_smoothing=smoothing, reduction="none")
        weights = self._weights(targets)  # (V, B)
        return (losses * weights).sum() / weights.sum().clamp(min=1e-9)

    def _weights(self, labels: Tensor) -> Tensor:
        """The weight of each document, 1 without class weights, 0 for UNSEEN; of the shape of the labels."""
        known = self.has_loss(labels).float()
        return known if self.class_weights is None else known * self.class_weights[labels]

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Sum of the documents' cross-entropy, each with the weight of its class."""
        losses = cross_entropy(logits, labels, ignore_index=UNSEEN, reduction="none")
        return losses.sum() if self.class_weights is None else (losses * self._weights(labels)).sum()

    def has_loss(self, labels: Tensor) -> Tensor:
        """Which documents have a label that a training document has."""
        return labels != UNSEEN

    def is_right(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Which documents get their label."""
        return logits.argmax(dim=1) == labels

    def counts(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Each document has one answer and one label; UNSEEN is a class of its own, the last: shape (3, C + 1)."""
        unseen = logits.shape[1]
        wrong = unseen + 1  # a column that is left out: to select the right answers would wait for the device
        answers, own = logits.argmax(dim=1), torch.where(labels == UNSEEN, unseen, labels)
        places = torch.stack([torch.where(answers == own, own, wrong), answers, own])  # (3, B)
        return places.new_zeros(3, wrong + 1).scatter_add_(1, places, torch.ones_like(places))[:, :wrong]


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """Several labels per document, or none: each class is a question of its own, answered if more likely than not.

    The loss of a document is the sum of the binary cross-entropies of all classes.
    """

    sets: Tensor
    """Shape (S, C), float32: 1 for each class of each distinct set of labels. A document is the number of its set."""
    label_smoothing: float = 0.0
    """Targets are this much nearer to one half, twice."""
    class_weights: Tensor | None = None
    """Shape (C,), the weight of a document that has the class in that class's loss. None: as of one without it."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over views and documents."""
        smoothed = self.targets(labels) * (1 - self.label_smoothing) + self.label_smoothing / 2
        losses = binary_cross_entropy_with_logits(
            logits, smoothed.expand_as(logits), pos_weight=self.class_weights, reduction="none"
        )
        return losses.sum(dim=-1).mean()

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Sum of the binary cross-entropies."""
        return binary_cross_entropy_with_logits(
            logits, self.targets(labels), pos_weight=self.class_weights, reduction="sum"
        )

    def has_loss(self, labels: Tensor) -> Tensor:
        """All documents."""
        return torch.ones_like(labels, dtype=torch.bool)

    def is_right(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Which documents get all of their labels and no other."""
        return ((logits > 0) == self.targets(labels).bool()).all(dim=1)

    def counts(self, logits: Tensor, labels: Tensor) -> Tensor:
        """A document counts in each class that it has, and in each that it is given."""
        answers, targets = logits > 0, self.targets(labels).bool()
        return torch.stack([found.sum(dim=0) for found in (answers & targets, answers, targets)])

    def targets(self, labels: Tensor) -> Tensor:
        """1 for each class that a document has, else 0, shape (B, C), float32."""
        return self.sets[labels]
