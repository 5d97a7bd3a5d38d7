"""Writes small files of vectors in the formats that exist."""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

VECTORS: Mapping[str, Sequence[float]] = {"bank": (1, 2, 3), "River": (4, 5, 6), "über": (-1, 0.5, 0.25)}


def text(
    path: Path, vectors: Mapping[str, Sequence[float]] = VECTORS, *, header: bool = False, end: str = "\n"
) -> Path:
    lines = [f"{word} {' '.join(map(str, numbers))}{end}" for word, numbers in vectors.items()]
    if header:
        lines.insert(0, f"{len(vectors)} {len(next(iter(vectors.values())))}\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def word2vec(path: Path, vectors: Mapping[str, Sequence[float]] = VECTORS, *, end: bytes = b"\n") -> Path:
    content = f"{len(vectors)} {len(next(iter(vectors.values())))}\n".encode()
    for word, numbers in vectors.items():
        content += word.encode() + b" " + np.array(numbers, dtype="<f4").tobytes() + end
    path.write_bytes(content)
    return path


def fasttext(
    path: Path, words: Sequence[str], matrix: NDArray[np.float32], *, shortest: int = 2, longest: int = 3
) -> Path:
    """A model whose matrix has a row for each word, and one for each bucket of n-grams."""
    buckets = len(matrix) - len(words)
    content = struct.pack("<2i", 793712314, 12)
    content += struct.pack("<12id", matrix.shape[1], 5, 5, 1, 5, 1, 2, 2, buckets, shortest, longest, 100, 1e-4)
    content += struct.pack("<3i2q", len(words), len(words), 0, 100, -1)
    for word in words:
        content += word.encode() + b"\0" + struct.pack("<qb", 1, 0)
    content += b"\0" + struct.pack("<2q", *matrix.shape) + matrix.astype("<f4").tobytes()
    path.write_bytes(content)
    return path


def static_folder(folder: Path, pieces: Sequence[str], table: NDArray[np.float32], **more: NDArray[np.generic]) -> Path:
    folder.mkdir()
    save_file({"embeddings": table, **more}, folder / "model.safetensors")
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "WordPiece", "vocab": vocabulary}}))
    return folder
