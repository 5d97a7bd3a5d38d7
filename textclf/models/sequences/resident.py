"""Batches of token ids, made on a device that has those of all documents.

B documents in a batch, T tokens in the longest, P pieces of a token, D documents in all.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textclf.models.resident import Pieces, Rows, bounds, own, send
from textclf.models.sequences.batch import Batch
from textclf.text.tokenizer import PAD_ID


class ResidentTokens:
    """The token ids of all documents, cut as the model reads them, 4 bytes each."""

    def __init__(self, tokens: Tensor, rows: Rows, labels: NDArray[np.int64]) -> None:
        self._tokens = tokens  # (N,) or (N, P), int32, on the device
        self._rows, self._labels = rows, labels  # of D documents

    @classmethod
    def of(
        cls, batches: Iterable[Batch], order: NDArray[np.int64], *, device: torch.device, limit: float
    ) -> "ResidentTokens | None":
        """The documents of these batches, whose places are ``order``, (D,); None if they exceed a limit of bytes."""
        pieces = Pieces(device, limit)
        starts, lengths, labels = np.empty((3, len(order)), dtype=np.int64)
        seen = filled = 0
        for batch in batches:
            inside = torch.arange(batch.tokens.shape[1]) < batch.lengths[:, None]  # (B, T)
            if not pieces.add(batch.tokens[inside].int()):
                return None
            places = order[seen : seen + len(batch.labels)]
            lengths[places], labels[places] = batch.lengths.numpy(), batch.labels.numpy()
            ends = filled + np.cumsum(lengths[places])
            starts[places] = ends - lengths[places]
            seen, filled = seen + len(places), int(ends[-1])
        return cls(pieces.join()[0], Rows(starts, lengths), labels)

    def batches(self, order: Iterable[NDArray[np.integer]], *, share: slice = slice(None)) -> Iterator[Batch]:
        """As `sequences.batch.collate` makes them: a batch of the documents at each of these places."""
        places = list(order)
        if not places:
            return
        owned = [own(each, share) for each in places]
        read, device = np.concatenate(owned), self._tokens.device
        longest = np.maximum.reduceat(self._rows.lengths[read], bounds(owned)[:-1]).tolist()
        starts, lengths = send(np.stack((self._rows.starts[read], self._rows.lengths[read])), device)
        labels = send(self._labels[np.concatenate(places)], device)
        of_tokens, of_labels = pairwise(bounds(owned).tolist()), pairwise(bounds(places).tolist())
        for size, (first, last), (start, end) in zip(longest, of_tokens, of_labels, strict=True):
            tokens = self._padded(starts[first:last], lengths[first:last], size)
            yield Batch(tokens, lengths[first:last], labels[start:end])

    def _padded(self, starts: Tensor, lengths: Tensor, size: int) -> Tensor:
        """Token ids of some documents, shape (B, T) or (B, T, P), int64."""
        place = torch.arange(size, device=starts.device)  # (T,)
        inside = place < lengths[:, None]  # (B, T)
        index = torch.where(inside, starts[:, None] + place, 0)
        tokens = self._tokens.index_select(0, index.flatten()).unflatten(0, index.shape)
        outside = ~inside.view(*inside.shape, *(1 for _ in tokens.shape[2:]))  # (B, T) or (B, T, 1)
        padded: Tensor = tokens.masked_fill(outside, PAD_ID).long()
        return padded
