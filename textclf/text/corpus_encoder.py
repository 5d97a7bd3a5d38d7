"""Encode a whole corpus: each text is read once, by any worker, before the vocabulary is known.

1. Workers split texts into pre-tokens and number the distinct ones (`PreTokenNumbers`).
2. One process merges the workers' numbers (`PreTokens`) and tokenizes each distinct pre-token once
   (`TokenizedPreTokens`), which gives the counts that a vocabulary is learned from.
3. Once there is a vocabulary, each distinct pre-token is encoded once (`EncodedPreTokens`), and texts by their numbers.

A corpus has few distinct pre-tokens, so most of the work is a few operations on arrays of numbers. The ids equal those
of `textclf.text.tokenizer.Tokenizer.encode`. Where a corpus has many, memory stays small: workers forget what they have
numbered, the distinct strings are bytes, and what is computed for each is computed for some at a time. Knows no files
and no labels.
"""

import os
import struct
from array import array
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text import arrays, unspaced
from textclf.text.batch_encoder import SHORT, ByteStrings, HashTable, TextBatch
from textclf.text.distinct_strings import END, DistinctStrings, joined, split
from textclf.text.tokenizer import UNK_ID, Tokenizer, split_pre_token, token_runs

_INT32: Final = struct.Struct("=i")
_LONGEST: Final = 40  # characters; longer pre-tokens are addresses, rarely seen twice
MOST_REMEMBERED: Final = 500_000  # numbers of a worker, about 50 MB; then it begins anew
AT_ONCE: Final = 50_000  # tokens that are encoded together; pre-tokens that are tokenized take less

_MARK: Final = " "  # put before a token that must not be split again: no pre-token contains white space


class NewPreTokens(NamedTuple):
    """What a worker numbered since it last said so."""

    first: int
    """The number of the first one; 0: the worker has forgotten all earlier ones."""
    strings: bytes
    """In the order of their numbers: see `distinct_strings.joined`."""


class PreTokenNumbers(dict[str, bytes]):
    """Pre-token to its number, 4 bytes, as one worker numbers them in the order in which it meets them.

    A pre-token that will rarely come again is split at once, and its tokens are numbered instead. So there are not many
    more numbers than words, in any script.
    """

    def __init__(self, *, most: int = MOST_REMEMBERED) -> None:
        super().__init__()
        self.worker: Final = os.urandom(16)  # unique over processes, threads and machines
        self._most = most
        self._numbered = 0
        self._new: list[str] = []
        self._table = HashTable()  # of the short pre-tokens with one number: in less room than the dictionary, faster

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
        in_table = missing[fits][first]
        self._table.add(keys.at(in_table), new)
        for pre_token in pre_tokens.strings(in_table):
            self.pop(pre_token, None)
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
        if not is_token and (len(pre_token) > _LONGEST or unspaced.is_in(pre_token)):
            return b"".join([b"".join([self[_MARK + token] for token in run]) for run in token_runs(pre_token)])
        number = self[pre_token] = _INT32.pack(self._numbered)
        self._numbered += 1
        self._new.append(pre_token)
        return number

    def take_new(self) -> NewPreTokens:
        """The pre-tokens numbered since the last call; if there are too many in all, they are forgotten."""
        new = NewPreTokens(self._numbered - len(self._new), joined(self._new))
        self._new = []
        if self._numbered >= self._most:
            self.clear()
            self._table, self._numbered = HashTable(), 0
        return new


class PreTokens:
    """All distinct pre-tokens of a corpus, numbered in the order in which batches arrive from the workers."""

    def __init__(self) -> None:
        self._strings = DistinctStrings()
        self._of_worker: dict[bytes, array[int]] = {}  # a worker's number to the corpus's number

    def __len__(self) -> int:
        return len(self._strings)

    def renumber(self, numbers: NDArray[np.int32], *, worker: bytes, new: NewPreTokens) -> NDArray[np.int32]:
        """Turn a worker's numbers into the corpus's, given the pre-tokens that are new to it; in the worker's order."""
        known = self._of_worker.setdefault(worker, array("i"))
        del known[new.first :]
        known.frombytes(self._strings.add(split(new.strings)).tobytes())
        return np.frombuffer(known, dtype=np.int32)[numbers]

    def joined(self) -> bytes:
        """All of them in the order of their numbers: see `distinct_strings.joined`."""
        end = int(self._strings.ends[-1])
        return self._strings.content(0, end)[:end]

    def tokenize(self, *, at_once: int = 2 * AT_ONCE) -> "TokenizedPreTokens":
        """Split all pre-tokens into tokens, each once; no more of them can be numbered then."""
        self._strings.forget_numbers()
        self._of_worker.clear()
        tokens, ends = DistinctStrings(), self._strings.ends
        token, lengths = array("i"), array("i")
        for rows in arrays.row_slices(ends, at_most=20 * at_once, rows=at_once):
            start = int(ends[rows.start])
            content = self._strings.content(start, int(ends[rows.stop]))
            found, sizes = _tokenize(content, ends[rows.start + 1 : rows.stop + 1] - start, tokens)
            token.frombytes(found.tobytes())
            lengths.frombytes(sizes.tobytes())
        tokens.forget_numbers()
        return TokenizedPreTokens(tokens, np.frombuffer(token, dtype=np.int32), np.frombuffer(lengths, dtype=np.int32))


def _tokenize(
    content: bytes, ends: NDArray[np.int64], tokens: DistinctStrings
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The numbers of the tokens of P pre-tokens, given where each ends, and how many tokens each has, shape (P,)."""
    pieces = TextBatch([], content.replace(END, b" ")).tokens()  # tokens where all is ASCII, else whole pre-tokens
    owner = np.searchsorted(ends, pieces.starts, side="right")
    is_token = np.frombuffer(content, dtype=np.uint8)[np.append(0, ends[:-1])] == ord(_MARK)
    is_split = _are_ascii(pieces) | is_token[owner]
    parts = [split_pre_token(pre_token) for pre_token in pieces.strings(np.flatnonzero(~is_split))]
    sizes = np.ones(len(owner), dtype=np.int64)
    sizes[~is_split] = list(map(len, parts))
    is_of_split = np.repeat(is_split, sizes)
    numbers = np.empty(len(is_of_split), dtype=np.int32)
    numbers[is_of_split] = tokens.add(pieces._replace(starts=pieces.starts[is_split], ends=pieces.ends[is_split]))
    numbers[~is_of_split] = tokens.add(split(joined([token for part in parts for token in part])))
    return numbers, np.bincount(owner, sizes, minlength=len(ends)).astype(np.int32)


def _are_ascii(strings: ByteStrings) -> NDArray[np.bool_]:
    before = arrays.offsets(np.frombuffer(strings.content, dtype=np.uint8) >= 0x80)  # bytes that are not, up to each
    are_ascii: NDArray[np.bool_] = before[strings.starts] == before[strings.ends]
    return are_ascii


class TokenizedPreTokens(NamedTuple):
    """P distinct pre-tokens, split into N distinct tokens."""

    tokens: DistinctStrings
    """Each distinct token once."""
    token: NDArray[np.int32]
    """The tokens of all pre-tokens, end to end: indices into ``tokens``."""
    lengths: NDArray[np.int32]
    """Tokens of each pre-token, shape (P,)."""

    def count_tokens(self, occurrences: NDArray[np.int64]) -> NDArray[np.int64]:
        """How often each token occurs, shape (N,), given how often each pre-token does, shape (P,)."""
        weights = np.repeat(occurrences, self.lengths)
        return np.bincount(self.token, weights, minlength=len(self.tokens)).astype(np.int64)

    def encode(
        self, tokenizer: Tokenizer, *, at_once: int = AT_ONCE
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
        """Ids of some pre-tokens after the other, end to end, and how many each pre-token has."""
        bounds = arrays.offsets(self.lengths)
        for rows in arrays.row_slices(bounds, at_most=at_once):
            start, end = bounds[[rows.start, rows.stop]]
            distinct, token = np.unique(self.token[start:end], return_inverse=True)
            ids, lengths = tokenizer.encode_tokens([self.tokens[number] for number in distinct.tolist()])
            starts, sizes = arrays.offsets(lengths)[:-1][token], lengths[token]
            ends = arrays.offsets(sizes)[bounds[rows.start : rows.stop + 1] - start]  # of the pre-tokens
            yield ids[arrays.places(starts, sizes)], np.diff(ends)


class EncodedPreTokens(NamedTuple):
    """The token ids of P distinct pre-tokens."""

    ids: NDArray[np.int32]
    """End to end."""
    offsets: NDArray[np.int64]
    """Where the ids of each pre-token start, and where the last ones end: shape (P + 1,)."""

    @classmethod
    def of(cls, runs: Iterable[tuple[NDArray[np.int32], NDArray[np.int64]]]) -> "EncodedPreTokens":
        """Put together what `TokenizedPreTokens.encode` gives."""
        nothing = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
        ids, lengths = zip(nothing, *runs, strict=True)
        return cls(np.concatenate(ids), arrays.offsets(np.concatenate(lengths)))

    def encode(
        self, numbers: NDArray[np.int32], lengths: NDArray[np.integer]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Token ids of T texts, end to end, and the length of each, given their pre-tokens in the same form."""
        starts = self.offsets[numbers]
        sizes = self.offsets[numbers + 1] - starts
        ends = arrays.offsets(sizes)[arrays.offsets(lengths)]  # of the texts
        return arrays.fill_empty(self.ids[arrays.places(starts, sizes)], ends, fill=UNK_ID)
