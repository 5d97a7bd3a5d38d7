"""The encoder that a run learns from unlabelled texts and its own documents, kept in the data directory.

It is in a folder of `DataLayout.vectors` that is named by all that it was learned from: the same files and documents
are not read twice, and a run that is resumed gets the vectors that it began with.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf import sources
from textclf.config import MOST_ENCODED
from textclf.dataset.directory import DataDirectory
from textclf.dataset.vectors import FAR, Watcher, original_texts, refuse_too_many
from textclf.encoders import Encoder, encoder
from textclf.errors import ArtefactError, DataError, UsageError
from textclf.sources import Columns
from textclf.sources.advice import without_options
from textclf.sources.opening import name_of
from textclf.system import checksums, folders
from textclf.system.wording import counted

FOLDER: Final = "own-"
"""What the name of a folder with such an encoder begins with."""
UNWATCHED: Final = Watcher()


class Unlabelled(NamedTuple):
    """Texts without labels."""

    paths: tuple[Path, ...]
    columns: Columns
    """Those that are asked for."""
    known: Columns
    """Those of the documents, which are looked for first."""

    @property
    def names(self) -> str:
        """The files, as messages call them."""
        return ", ".join(map(name_of, self.paths))

    def texts(self, watcher: Watcher) -> Iterator[str]:
        """The texts of all files. Rows that cannot be read are left out; at the end of a file, a note says how many.

        Raises UsageError if a file has no such column, DataError if it cannot be read or has no text at all.
        """
        for path in self.paths:
            rows = watcher.progress(self._rows(path), f"reading {name_of(path)}", None)
            is_empty, left_out, first_error = True, 0, ""
            for row in rows:
                if row.error:
                    left_out += not row.is_blank
                    first_error = first_error or without_options(row.error)
                elif row.text.strip():
                    is_empty = False
                    yield row.text
            if is_empty:
                raise DataError(f"{name_of(path)} has no text to learn from{first_error and f': {first_error}'}")
            if left_out:
                watcher.note(f"{counted(left_out, 'row is', 'rows are')} left out, the first: {first_error}")

    def _rows(self, path: Path) -> Iterator[sources.Row]:
        try:
            yield from sources.rows(path, columns=self.columns, known=self.known)
        except (UsageError, DataError) as error:
            message = without_options(str(error)).replace("--text-column", "--unlabelled-column")
            raise type(error)(message) from error


def find(names: Iterable[str], *, column: str | None, data: DataDirectory | None = None) -> Unlabelled:
    """The files of some names, which may be patterns or URLs; raises UsageError if one is not there, or no file."""
    paths = sources.files(list(names))
    for path in paths:
        if not path.is_file():
            what = "stdin" if str(path) == "-" else str(path)
            raise UsageError(f"{what} cannot be read twice: write the texts into a file, and name it with --unlabelled")
    known = Columns() if data is None else data.manifest.columns
    return Unlabelled(tuple(paths), Columns(text=(column,) if column else ()), known)


def own_encoder(
    data: DataDirectory,
    unlabelled: Unlabelled,
    rows: NDArray[np.integer],
    *,
    most: int = MOST_ENCODED,
    texts: Mapping[int, str] | None = None,
    watcher: Watcher = UNWATCHED,
) -> Encoder:
    """The encoder of the unlabelled texts and of these documents; it is learned and kept if it is not there.

    ``most``: tokens that the documents may have. ``texts``: those of the documents by row, where the source has none.
    Raises what `Unlabelled.texts`, `own_text.learn` and `vectors_of` raise.
    """
    from textclf.encoders import own_text  # late: scipy takes 0.1 s

    folder = data.layout.vectors / f"{FOLDER}{_key(data, unlabelled, rows)[:16]}"
    if folder.exists():
        with suppress(ArtefactError):  # damaged: it is learned again
            return encoder.load(folder)
    refuse_too_many(data.documents.tokens[rows], own_text.NAME, most=FAR * most)
    given = texts if texts is not None else original_texts(data, rows)

    def every() -> Iterator[str]:
        yield from (given[row] for row in rows.tolist())
        yield from unlabelled.texts(watcher)

    learned = own_text.learn(every, source=unlabelled.names)
    end = "" if learned.is_all else f"; the rest of {unlabelled.names} was not read"
    watcher.note(
        f"word vectors of {counted(learned.words, 'word')}, from {counted(learned.texts, 'text')} with "
        f"{counted(learned.tokens, 'token')}{end}"
    )
    with folders.replacing(folder) as new:
        learned.encoder.save(new)
    return encoder.load(folder)


def kept_files(folder: Path) -> Iterator[tuple[Path, bool]]:
    """The files of all such encoders, and whether each is damaged or missing; ``folder``: `DataLayout.vectors`."""
    for each in sorted(folder.glob(f"{FOLDER}*")):
        config = each / encoder.CONFIG
        try:
            crc32 = encoder.read_config(each)["crc32"]
        except ArtefactError:
            yield from ((path, path == config) for path in sorted({config, *each.iterdir()}))
            continue
        yield config, False
        for name, expected in crc32.items():
            path = each / name
            yield path, not path.is_file() or checksums.crc32(path) != expected


def _key(data: DataDirectory, unlabelled: Unlabelled, rows: NDArray[np.integer]) -> str:
    """A digest of all that decides the vectors."""
    from textclf.encoders import own_text

    return checksums.digest(
        {
            "version": own_text.VERSION,
            "data": data.manifest.fingerprint,
            "documents": hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest(),
            "files": [[path.suffix, checksums.sha256(path)] for path in unlabelled.paths],
            "columns": [unlabelled.columns.to_json(), unlabelled.known.to_json()],
        }
    )
