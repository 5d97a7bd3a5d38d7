"""The embeddings that a network of sequences starts from, where vectors of words are given.

They stand in the last columns of the table, behind the numbers that are the network's own.

V words of the vocabulary, R ids that are read, D numbers of a vector.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import Floats
from textclf.models.sequences.features import MOST_PIECES, Sequences
from textclf.text.arrays import offsets
from textclf.text.tokenizer import PAD_ID, UNK_ID

SIZE: Final = 0.3
"""Root mean square of the numbers of the vectors that are found: three times that of the network's own."""


def initial_columns(features: Sequences, vectors: Floats, is_found: NDArray[np.bool_]) -> Floats:
    """The last D columns of the table of embeddings, shape (R, D), from the vectors (V, D) of the words found.

    A part of words is the mean of the vectors of the words that have it; a word without a vector is the mean of its
    parts, as is an unknown one, and without parts the mean of all words found. A word that is read with its parts is
    its vector once all its pieces are added.
    """
    size = np.sqrt(np.square(vectors[is_found], dtype=np.float64).mean()) or 1.0
    vectors = (vectors * (SIZE / size)).astype(np.float32)
    average = vectors[is_found].mean(axis=0)
    columns = np.empty((features.rows, vectors.shape[1]), dtype=np.float32)
    columns[:] = average
    if features.is_spelled:
        _fill_with_parts(columns, features, vectors, is_found)
    else:
        words = np.flatnonzero(is_found)
        columns[words] = vectors[words]
    columns[PAD_ID] = 0
    return columns


def _fill_with_parts(columns: Floats, features: Sequences, vectors: Floats, is_found: NDArray[np.bool_]) -> None:
    """Fill the rows of words and parts; they have the average."""
    words, size = features.words, len(vectors)
    counts = features.spelled_counts[:size].astype(np.int64)  # (V,)
    ids = features.spelled[: counts.sum()]
    word = np.repeat(np.arange(size), counts)
    is_part = ids >= words
    with_vector = is_part & is_found[word]
    columns[words:] = _means(ids[with_vector] - words, vectors[word[with_vector]], columns[words:])
    own = np.flatnonzero(np.arange(size) < words)
    if features.pieces < MOST_PIECES:  # a word stands before its parts
        known = own[is_found[own]]
        columns[known] = vectors[known]
        return
    is_read = is_part & (np.arange(len(ids)) - np.repeat(offsets(counts)[:-1], counts) < MOST_PIECES)
    guessed = _means(word[is_read], columns[ids[is_read]], np.broadcast_to(columns[UNK_ID], vectors.shape))
    sums = guessed * np.bincount(word[is_read], minlength=size)[:, None]  # (V, D), of the parts that are read
    wanted = np.where(is_found[:, None], vectors, guessed)
    root = np.sqrt(np.minimum(counts, MOST_PIECES), dtype=np.float32)[
        :, None
    ]  # what the sum of the pieces is divided by
    rest = own[own > UNK_ID]
    columns[rest] = (root * wanted - sums)[rest]


def _means(groups: NDArray[np.integer], values: Floats, otherwise: Floats) -> Floats:
    """The mean of the values of each group, and what there is otherwise for groups without any; both (G, D)."""
    from scipy.sparse import csr_array

    total, ones = len(otherwise), np.ones(len(groups), dtype=np.float32)
    which = csr_array((ones, (groups, np.arange(len(groups)))), shape=(total, len(groups)))
    counts = np.bincount(groups, minlength=total)[:, None]
    means: Floats = np.where(counts > 0, (which @ values) / np.maximum(counts, 1), otherwise).astype(np.float32)
    return means
