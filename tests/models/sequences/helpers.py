"""Documents that every network of sequences can read."""

import torch

from textclf.models.sequences.batch import Batch
from textclf.text.tokenizer import PAD_ID

DOCUMENTS = [[5, 6, 7, 8, 9, 10], [11], [12, 13, 5]]


def padded(documents, *, columns=6, padding=PAD_ID):
    tokens = torch.tensor([document + [padding] * (columns - len(document)) for document in documents])[:, :, None]
    lengths = torch.tensor([len(document) for document in documents])
    return Batch(tokens=tokens, lengths=lengths, labels=torch.zeros_like(lengths))
