"""A data directory whose tokens have been read once, so that others can be compared with its documents."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.dataset.directory import DataDirectory
from textclf.dataset.near_copies import COMPARED, signatures
from textclf.dataset.packed import PackedTokens
from textclf.dataset.read_corpus import Work
from textclf.dataset.write_parts import WrittenDocuments
from textclf.sources import SPLITS
from textclf.system import files
from textclf.text import arrays
from textclf.text.tokenizer import Tokenizer

TOKENS_AT_ONCE: Final = 1_000_000
READ_AT_ONCE: Final = 1_000  # documents


@dataclass(frozen=True, slots=True)
class ScannedData:
    """A data directory of D documents, and what their tokens say."""

    data: DataDirectory
    tokens: PackedTokens
    tokenizer: Tokenizer
    written: WrittenDocuments
    """Words of each document, unknown ones, and its signature, if documents are compared."""
    keys: NDArray[np.int64]
    """Shape (D,): see `token_keys`."""
    compare: bool
    """Whether near-copies are looked for, which takes too long among very many documents."""

    @property
    def split(self) -> NDArray[np.int8]:
        """Index in SPLITS of each document, shape (D,)."""
        return np.repeat(np.arange(len(SPLITS), dtype=np.int8), self.data.documents.names.counts)


def scan(data: DataDirectory, work: Work) -> ScannedData:
    """Read all tokens of a data directory; raises ArtefactError if they are damaged."""
    table, packed = data.documents, data.packed()
    tokenizer = Tokenizer.from_json(files.read_object(data.layout.tokenizer))
    compare = len(table) <= COMPARED
    words, unknown, found = [], [], []
    pieces = list(arrays.row_slices(arrays.offsets(table.tokens), at_most=TOKENS_AT_ONCE, rows=READ_AT_ONCE))
    for some in work.progress(pieces, "documents that are there", len(pieces)):
        ids, lengths = packed.gather(np.arange(some.start, some.stop))
        of_some = tokenizer.words_and_unknown(ids, lengths)
        words.append(of_some[0].astype(np.int32))
        unknown.append(of_some[1].astype(np.int32))
        found.append(signatures(ids, lengths) if compare else np.empty((len(lengths), 0), dtype=np.uint32))
    written = WrittenDocuments(
        table.tokens, np.concatenate(words), np.concatenate(unknown), table.crc32, np.concatenate(found)
    )
    return ScannedData(data, packed, tokenizer, written, token_keys(table.crc32, table.tokens), compare)


def token_keys(crc32: NDArray[np.uint32], tokens: NDArray[np.int32]) -> NDArray[np.int64]:
    """A number for each document, the same for those with the same token ids; both have shape (D,)."""
    return crc32.astype(np.int64) << 31 | tokens
