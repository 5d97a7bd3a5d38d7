"""The classifier of the vectors of an encoder: vector, ReLU, dropout, logits. The encoder stays as it is.

Of word vectors, which were learned from less text, the mean of its logits and those of the nearest class means counts:
on validation documents of four corpora of short texts that gave 1.3 points of accuracy more with 8 documents of each
label, 1.5 with 16, and the same with 64.

B documents in a batch, E numbers of a vector, H hidden units, C classes.
"""

from collections.abc import Iterator
from math import ceil, sqrt
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textclf.artefacts.encoder_view import EncoderView, Halves
from textclf.dataset.directory import UNSEEN, Part
from textclf.encoders.encoder import WORDS
from textclf.training import centroids, falling
from textclf.training.batches import EpochSampler
from textclf.training.centroids import Centroids
from textclf.training.learner import Adam, start_at_log_odds
from textclf.training.loop import StepOptions
from textclf.training.setup import Encoded, Setup, required_encoded

HIDDEN: Final = 128
DROPOUT: Final = 0.5
BATCH: Final = 32
LR: Final = 5e-4
EPOCHS: Final = 10
STEPS: Final = 200
"""Fewest steps: few documents are read more often."""
USUAL: Final = 2.0
"""The weight of its logits where there are too few validation documents to tell: that of the others is 1 each."""


class VectorBatch(NamedTuple):
    """Some documents."""

    vectors: Tensor
    """Shape (B, E), float32."""
    labels: Tensor
    """Shape (B,), int64."""


class VectorClassifier(nn.Module):
    """Two layers on vectors, which are first divided by ``size``."""

    def __init__(self, *, dimension: int, classes: int, size: float) -> None:
        super().__init__()
        self.size = size
        self.hidden = nn.Linear(dimension, HIDDEN)
        self.dropout = nn.Dropout(DROPOUT)
        self.output = nn.Linear(HIDDEN, classes)
        self.centroids: Centroids | None = None
        """What its logits are averaged with; they take no part in training."""

    def forward(self, batch: VectorBatch) -> Tensor:
        """Logits, shape (B, C)."""
        hidden = self.dropout(torch.relu(self.hidden(batch.vectors / self.size)))  # (B, H)
        logits: Tensor = self.output(hidden)
        return logits

    @torch.no_grad()
    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """The weights for vectors as they are, by name."""
        found = {name: tensor.cpu().numpy() for name, tensor in self.state_dict().items()}
        found["hidden.weight"] = found["hidden.weight"] / np.float32(self.size)
        return found if self.centroids is None else _averaged(found, self.centroids)


class VectorBatches:
    """The vectors of a part, in an order that follows from the seed and the epoch."""

    def __init__(self, encoded: Encoded, part: Part, setup: Setup) -> None:
        self.vectors = encoded.vectors.of(part.rows)
        self.labels = np.maximum(part.labels, UNSEEN).astype(np.int64)
        self.rows, self._names = part.rows, setup.data.documents.names
        self.batch_sampler = EpochSampler(len(part), batch_size=BATCH, seed=setup.config.seed)

    def __len__(self) -> int:
        return ceil(len(self.labels) / BATCH)

    def __iter__(self) -> Iterator[VectorBatch]:
        for places in self.batch_sampler:
            vectors = torch.from_numpy(self.vectors[places].astype(np.float32))
            yield VectorBatch(vectors, torch.from_numpy(self.labels[places]))

    def names(self, step: int) -> str:
        """The first of the documents in a batch of this epoch, for messages."""
        first = list(self.batch_sampler.batches())[step][0]
        return f"{self._names.of([int(self.rows[first])])[0]} and others"


def learn(setup: Setup, part: str, *, options: StepOptions) -> VectorClassifier:
    """One that has learned from the vectors of the documents of a part."""
    encoded, documents = required_encoded(setup), setup.parts[part]
    batches = VectorBatches(encoded, documents, setup)
    torch.manual_seed(setup.config.seed % 2**63)
    classes = len(setup.data.manifest.labels)
    made = VectorClassifier(dimension=encoded.encoder.dimension, classes=classes, size=_size(batches.vectors)).to(
        options.device
    )
    if setup.data.is_multi:
        counts = setup.data.counts_of(documents.rows)
        start_at_log_odds(made, np.array(list(counts.values())), documents=len(documents))
    optimizer = Adam(made, lr=LR, fused=options.device.type != "mps")
    falling.learn(made, optimizer, batches, epochs=epochs_of(len(documents)), options=options)
    if encoded.encoder.kind == WORDS and not setup.data.is_multi:
        is_known = batches.labels > UNSEEN
        made.centroids = centroids.learn(batches.vectors[is_known], batches.labels[is_known], classes=classes)
    return made.eval()


def epochs_of(documents: int) -> int:
    """How often this number of documents is read."""
    return max(EPOCHS, ceil(STEPS / ceil(documents / BATCH)))


def answers(setup: Setup, made: VectorClassifier, part: str) -> NDArray[np.float32]:
    """Its logits of the documents of a part, shape (D, C), as the artefact computes them."""
    encoded = required_encoded(setup)
    return as_view(setup, made, share=1.0).logits(encoded.vectors.of(setup.parts[part].rows))


def as_view(setup: Setup, made: VectorClassifier, *, share: float) -> EncoderView:
    """What the artefact keeps of it; share: the weight of its logits."""
    return EncoderView(required_encoded(setup).encoder, made.arrays(), share, is_bundled=setup.config.bundle)


def _averaged(arrays: dict[str, NDArray[np.float32]], other: Centroids) -> dict[str, NDArray[np.float32]]:
    """The weights of one network whose logits are the mean of those of a network and of a linear classifier.

    A number x of a vector passes the ReLU as two units, x and -x, of which one is 0 and the other is |x|.
    """
    same = np.eye(other.weight.shape[1], dtype=np.float32)  # (E, E)
    outputs = np.concatenate([arrays["output.weight"], other.weight, -other.weight], axis=1)  # (C, H + 2 E)
    return {
        "hidden.weight": np.concatenate([arrays["hidden.weight"], same, -same]),
        "hidden.bias": np.concatenate([arrays["hidden.bias"], np.zeros(2 * len(same), dtype=np.float32)]),
        "output.weight": outputs / 2,
        "output.bias": (arrays["output.bias"] + other.bias) / 2,
    }


def _size(vectors: Halves) -> float:
    """The root mean square of the numbers of vectors, so that the learning rate fits any encoder."""
    return sqrt(float(np.square(vectors.astype(np.float32)).mean())) or 1.0
