"""Tokenizing by several processes: counting words, and writing a tensor a document. Knows nothing about corpora."""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf import atomic
from textclf.errors import ResourceError
from textclf.machine import processors
from textclf.store import manifest, packed, tensors
from textclf.store.manifest import Layout
from textclf.text.tokenizer import UNK_ID, Tokenizer, count_tokens

CHUNK: Final = 256  # documents a process takes at a time: enough to hide the hand-over, few enough for a lively bar

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""``map``, or the same over several processes."""
Progress = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""Passes items through and shows how far it is: (items, what is being done, how many there will be)."""


class Encoded(NamedTuple):
    """A run of documents as token ids."""

    ids: NDArray[np.int32]
    """All of them, end to end."""
    lengths: NDArray[np.int32]
    """Shape (D,), like the rest."""
    words: NDArray[np.int32]
    """Ids that are words, known or not: all but the parts of unknown words."""
    unknown: NDArray[np.int32]
    """Tokens that are not in the vocabulary."""
    crc32: NDArray[np.uint32]


@contextmanager
def processes(num_workers: int | None) -> Iterator[Map]:
    """A ``map`` over that many processes, one per processor by default; raises ResourceError if one is killed."""
    count = num_workers or processors()
    if count == 1:
        yield map
        return
    # Not by fork: libraries that read corpora have threads, and a lock that one of them holds never opens in a copy.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    try:
        with ProcessPoolExecutor(count, mp_context=context) as pool:
            yield pool.map
    except BrokenProcessPool as error:
        raise ResourceError(
            "a process that tokenizes was killed, for want of memory perhaps; try --num-workers 1"
        ) from error


def count_words(texts: list[str], *, lowercase: bool, spread: Map, progress: Progress) -> Counter[str]:
    """How often each token occurs in the texts."""
    chunks = _chunks(texts)
    counts: Counter[str] = Counter()
    for counted in progress(spread(partial(count_tokens, lowercase=lowercase), chunks), "vocabulary", len(chunks)):
        counts.update(counted)
    return counts


def write_tokens(layout: Layout, names: list[str], texts: list[str], *, spread: Map, progress: Progress) -> Encoded:
    """Write each document's tensor and the packed copy; returns all but the ids, which need not fit in memory."""
    for number in range(256):
        atomic.make_folder(layout.tensors / f"{number:02x}")
    encode = partial(_encode_chunk, layout, manifest.sha256(layout.tokenizer))
    chunks = list(zip(_chunks(names), _chunks(texts), strict=True))
    written: list[Encoded] = []

    def ids_as_they_come() -> Iterator[NDArray[np.int32]]:
        for encoded in progress(spread(encode, chunks), "tokens", len(chunks)):
            written.append(encoded._replace(ids=np.empty(0, dtype=np.int32)))
            yield encoded.ids

    packed.write(layout.packed, ids_as_they_come())
    return Encoded(*(np.concatenate(column) for column in zip(*written, strict=True)))


def _chunks(items: list[Any]) -> list[list[Any]]:
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]


def _encode_chunk(layout: Layout, tokenizer_sha256: str, chunk: tuple[list[str], list[str]]) -> Encoded:
    """Tokenize texts and write a tensor each, in whichever process this runs."""
    tokenizer = _tokenizer(layout.tokenizer, tokenizer_sha256)
    names, texts = chunk
    ids = [tokenizer.encode(text) for text in texts]
    checksums = [tensors.write(layout.tensor(name), run) for name, run in zip(names, ids, strict=True)]
    return Encoded(
        np.concatenate(ids),
        np.array([len(run) for run in ids], dtype=np.int32),
        np.array([np.count_nonzero(run < tokenizer.size) for run in ids], dtype=np.int32),
        np.array([np.count_nonzero(run == UNK_ID) for run in ids], dtype=np.int32),
        np.array(checksums, dtype=np.uint32),
    )


@lru_cache(maxsize=1)
def _tokenizer(path: Path, _sha256: str) -> Tokenizer:
    """The tokenizer that was just learnt: a process reads it once, instead of being sent it with every chunk."""
    return Tokenizer.from_json(atomic.read_object(path))
