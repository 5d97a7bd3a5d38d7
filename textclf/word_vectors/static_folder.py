"""Static models in safetensors: a folder with a vector for each piece of a tokenizer.

model.safetensors   ``embeddings`` (model2vec, https://github.com/MinishLab/model2vec) or ``embedding.weight``
                    (StaticEmbedding of sentence-transformers), in float32 or float16; with ``weights`` and ``mapping``
                    model2vec multiplies a vector, and shares it among pieces
tokenizer.json      the pieces, as the library tokenizers saves them

A word is its own piece, or the mean of the pieces that a WordPiece tokenizer cuts it into.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.system import files, tensor_files
from textclf.word_vectors.found import Found, Wanted

WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"

_TABLES: Final = ("embeddings", "embedding.weight")
_MARKS: Final = ("", "▁", "Ġ")
"""What the first piece of a word begins with: nothing in WordPiece, others in SentencePiece and byte-level BPE."""
_INSIDE: Final = "##"
"""What the other pieces of WordPiece begin with."""
_LONGEST: Final = 100
"""Characters of a word that is cut into pieces."""


def read(folder: Path, wanted: Wanted) -> Found:
    """Read a folder; raises OSError if a file cannot be read, ValueError if it is damaged or of another kind."""
    weights = _weights_of(folder)
    arrays, _ = tensor_files.read(weights)
    table = next((arrays[name] for name in _TABLES if name in arrays), None)
    if table is None or table.ndim != 2 or table.dtype.kind != "f":
        raise ValueError(f"{weights.name} has no table of vectors, called {' or '.join(_TABLES)}")
    pieces = _pieces(files.read_json(folder / TOKENIZER))
    mapping, factors = arrays.get("mapping"), arrays.get("weights")
    cuts = any(piece.startswith(_INSIDE) for piece in pieces)
    for place, word in wanted.missing():
        if ids := _ids(word.decode("utf-8", "replace"), pieces, cuts=cuts):
            rows = np.array(ids) if mapping is None else mapping[ids]
            if rows.max() >= len(table):
                raise ValueError(f"{TOKENIZER} has more pieces than {weights.name} has vectors")
            wanted.give(word, [place], _mean(table[rows], None if factors is None else factors[ids]))
    return wanted.found(dimension=table.shape[1], words=len(pieces), kind="static model")


def _weights_of(folder: Path) -> Path:
    """sentence-transformers may have the model in a folder of its own."""
    return next((path for path in (folder / WEIGHTS, folder / "0_StaticEmbedding" / WEIGHTS) if path.exists()), folder)


def _mean(vectors: NDArray[Any], factors: NDArray[Any] | None) -> NDArray[np.float32]:
    weighted = vectors.astype(np.float32)
    if factors is not None:
        weighted *= factors.astype(np.float32)[:, None]
    mean: NDArray[np.float32] = weighted.mean(axis=0)
    if not np.isfinite(mean).all():
        raise ValueError(f"{WEIGHTS} has a number that is not finite")
    return mean


def _pieces(tokenizer: Any) -> Mapping[str, int]:
    """The pieces of a tokenizer.json, with their ids."""
    vocabulary = tokenizer["model"]["vocab"]
    if isinstance(vocabulary, list):  # of a Unigram model, with their log-probabilities
        return {piece: place for place, (piece, _) in enumerate(vocabulary)}
    return {str(piece): int(place) for piece, place in vocabulary.items()}


def _ids(word: str, pieces: Mapping[str, int], *, cuts: bool) -> list[int]:
    """The pieces of a word; none if it has no vector."""
    for spelled in dict.fromkeys((word, word.lower())):
        for mark in _MARKS:
            if (place := pieces.get(mark + spelled)) is not None:
                return [place]
        if cuts and (found := _cut(spelled, pieces)):
            return found
    return []


def _cut(word: str, pieces: Mapping[str, int]) -> list[int]:
    """The longest pieces from left to right; none if a rest is no piece."""
    found: list[int] = []
    start = 0
    while start < len(word) <= _LONGEST:
        mark = _INSIDE if start else ""
        end = next((end for end in range(len(word), start, -1) if mark + word[start:end] in pieces), None)
        if end is None:
            return []
        found.append(pieces[mark + word[start:end]])
        start = end
    return found
