"""Encode a whole corpus: each text is read once, by any worker, before the vocabulary is known.

1. Workers split texts into pre-tokens and number the distinct ones (`PreTokenNumbers`).
2. One process merges the workers' numbers (`PreTokens`) and tokenizes each distinct pre-token once
   (`TokenizedPreTokens`), which gives the counts that a vocabulary is learned from.
3. Once there is a vocabulary, each distinct pre-token is encoded once (`EncodedPreTokens`), and texts by their numbers.

A corpus has few distinct pre-tokens, so most of the work is a few operations on arrays of numbers. The ids equal those
of `textclf.text.tokenizer.Tokenizer.encode`. Knows no files and no labels.
"""

import os
import re
import struct
from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text import arrays
from textclf.text.batch_encoder import SHORT, ByteStrings, HashTable, TextBatch
from textclf.text.tokenizer import UNK_ID, Tokenizer, split_pre_token

_INT32: Final = struct.Struct("=i")
_LONGEST: Final = 40  # characters; longer pre-tokens are addresses and unspaced scripts, rarely seen twice
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_MARK: Final = " "  # put before a token that must not be split again: no pre-token contains white space


class PreTokenNumbers(dict[str, bytes]):
    """Pre-token to its number, 4 bytes, as one worker numbers them in the order in which it meets them.

    A pre-token that will rarely come again is split at once, and its tokens are numbered instead. So there are not many
    more numbers than words, in any script.
    """

    def __init__(self) -> None:
        super().__init__()
        self.worker: Final = os.urandom(16)  # unique over processes, threads and machines
        self._new: list[str] = []
        self._table = HashTable()  # of the short pre-tokens with one number: several times as fast as the dictionary

    def encode(self, batch: TextBatch, pre_tokens: ByteStrings) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The numbers of T texts, given their pre-tokens, end to end, and how many each text has, shape (T,)."""
        keys = pre_tokens.keys()
        numbers = self._table.find(keys)
        missing = np.flatnonzero(numbers < 0)
        found = [self[pre_token] for pre_token in pre_tokens.strings(missing)]
        sizes = np.fromiter(map(len, found), dtype=np.int64, count=len(found)) // _INT32.size
        of_missing = np.frombuffer(b"".join(found), dtype=np.int32)
        fits = (sizes == 1) & (pre_tokens.lengths[missing] <= SHORT)
        new, first = np.unique(of_missing[arrays.offsets(sizes)[:-1][fits]], return_index=True)
        self._table = self._table.add(keys.at(missing[fits][first]), new)
        lengths = batch.count_per_text(pre_tokens)
        if (sizes != 1).any():
            text = np.searchsorted(arrays.offsets(lengths), missing, side="right") - 1
            np.add.at(lengths, text, sizes - 1)
            copies = np.ones(len(numbers), dtype=np.int64)
            copies[missing] = sizes
            numbers = np.repeat(numbers, copies)
        numbers[numbers < 0] = of_missing
        return numbers, lengths.astype(np.int32)

    def __missing__(self, pre_token: str) -> bytes:
        is_token = pre_token.startswith(_MARK)
        if not is_token and (len(pre_token) > _LONGEST or (not pre_token.isascii() and _UNSPACED.search(pre_token))):
            return b"".join([self[_MARK + token] for token in split_pre_token(pre_token)])
        number = self[pre_token] = _INT32.pack(len(self))
        self._new.append(pre_token)
        return number

    def take_new(self) -> list[str]:
        """The pre-tokens numbered since the last call, in the order of their numbers."""
        new, self._new = self._new, []
        return new


class PreTokens:
    """All distinct pre-tokens of a corpus, numbered in the order in which batches arrive from the workers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._of_worker: dict[bytes, array[int]] = {}  # a worker's number to the corpus's number

    def __len__(self) -> int:
        return len(self._numbers)

    def renumber(self, numbers: NDArray[np.int32], *, worker: bytes, new: Iterable[str]) -> NDArray[np.int32]:
        """Turn a worker's numbers into the corpus's, given the pre-tokens that are new to it; in the worker's order."""
        known = self._of_worker.setdefault(worker, array("i"))
        known.extend([self._numbers.setdefault(pre_token, len(self._numbers)) for pre_token in new])
        return np.frombuffer(known, dtype=np.int32)[numbers]

    def tokenize(self) -> "TokenizedPreTokens":
        """Split all pre-tokens into tokens, each once."""
        index: dict[str, int] = {}
        token, lengths = array("i"), array("q")
        for pre_token in self._numbers:
            if pre_token.startswith(_MARK):
                tokens = [pre_token[len(_MARK) :]]
            else:
                is_word = pre_token.isascii() and pre_token.isalnum()  # as most are: there is nothing to split
                tokens = [pre_token] if is_word else split_pre_token(pre_token)
            token.extend([index.setdefault(each, len(index)) for each in tokens])
            lengths.append(len(tokens))
        return TokenizedPreTokens(
            list(index), np.frombuffer(token, dtype=np.int32), np.frombuffer(lengths, dtype=np.int64)
        )


class TokenizedPreTokens(NamedTuple):
    """P distinct pre-tokens, split into tokens."""

    tokens: list[str]
    """Each distinct token once."""
    token: NDArray[np.int32]
    """The tokens of all pre-tokens, end to end: indices into ``tokens``."""
    lengths: NDArray[np.int64]
    """Tokens of each pre-token, shape (P,)."""

    def count_tokens(self, occurrences: NDArray[np.int64]) -> dict[str, int]:
        """How often each token occurs, given how often each pre-token does, shape (P,); without zero counts."""
        weights = np.repeat(occurrences, self.lengths)
        counts = np.bincount(self.token, weights, minlength=len(self.tokens)).astype(np.int64)
        return {token: count for token, count in zip(self.tokens, counts.tolist(), strict=True) if count}

    def encode(self, tokenizer: Tokenizer) -> "EncodedPreTokens":
        """Encode each distinct token once, and put the ids together."""
        ids, lengths = tokenizer.encode_tokens(self.tokens)
        starts, sizes = arrays.offsets(lengths)[:-1][self.token], lengths[self.token]
        ends = arrays.offsets(sizes)  # of the tokens' ids, pre-token by pre-token
        return EncodedPreTokens(ids[arrays.places(starts, sizes)], ends[arrays.offsets(self.lengths)])


class EncodedPreTokens(NamedTuple):
    """The token ids of P distinct pre-tokens."""

    ids: NDArray[np.int32]
    """End to end."""
    offsets: NDArray[np.int64]
    """Where the ids of each pre-token start, and where the last ones end: shape (P + 1,)."""

    def encode(
        self, numbers: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Token ids of T texts, end to end, and the length of each, given their pre-tokens in the same form."""
        starts = self.offsets[numbers]
        sizes = self.offsets[numbers + 1] - starts
        ends = arrays.offsets(sizes)[arrays.offsets(lengths)]  # of the texts
        return arrays.fill_empty(self.ids[arrays.places(starts, sizes)], ends, fill=UNK_ID)
