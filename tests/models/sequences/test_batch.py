import numpy as np
import torch

from textclf.models.model import Examples
from textclf.models.sequences.batch import collate
from textclf.models.sequences.features import Sequences


def test_documents_are_cut_and_padded_and_keep_their_labels():
    examples = Examples(np.array([5, 6, 7, 8, 2], dtype=np.int32), np.array([4, 1]), np.array([1, -1]))
    batch = collate(examples, inputs=Sequences(words=10, max_length=3))
    assert batch.tokens.tolist() == [[5, 6, 7], [2, 0, 0]]
    assert (batch.lengths.tolist(), batch.labels.tolist()) == ([3, 1], [1, -1])
    assert {tensor.dtype for tensor in batch} == {torch.int64}
