"""The vectors that a run learns from, made before its first step. Works without torch."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from statistics import median
from typing import Any, Final

import numpy as np

from textclf import encoders
from textclf.artefacts import runs
from textclf.config import TrainConfig
from textclf.dataset import own_encoder
from textclf.dataset.directory import DataDirectory, Part
from textclf.dataset.own_encoder import UNWATCHED
from textclf.dataset.vectors import Watcher, vectors_of
from textclf.encoders import Encoder, store
from textclf.errors import TextclfError, UsageError
from textclf.system import failures
from textclf.system.signals import stopping
from textclf.training.display import Display
from textclf.training.setup import Encoded, Setup

FEW: Final = 100
"""With fewer training documents in the middle one of the classes, an encoder is worth trying."""
MEASURED: Final = {"minilm": "; with 8 to 64 of each label it gave 7 points of accuracy on short English texts"}
"""What an encoder brought, by the table of docs/encoders.md."""


def with_vectors(setup: Setup, display: Display, *, run: runs.RunLayout | None = None) -> Setup:
    """The setup with its encoder and the vectors of its documents, if its settings name one, or texts to learn it from.

    ``run``: the one that is resumed. Of several ranks, this is the first: others have no use for vectors. It says to
    them after each piece that it is still at work. Raises what `encoders.find`, `own_encoder` and `vectors_of` raise,
    and UsageError if the encoder is another one than that of the run.
    """
    config = setup.config
    if config.encoder is None and not config.unlabelled:
        _advise(setup, display)
        return setup

    def watched(pieces: Iterable[Any], title: str, total: int | None) -> Iterator[Any]:
        for piece in display.items(pieces, title, total):
            setup.ranks.tell({"is_reading": True})
            yield piece

    watcher = Watcher(display.note, watched)
    with failures.naming(setup.data.layout.vectors), stopping("the same command goes on where it was"):
        encoder = encoder_of(config, setup.data, setup.parts, watcher=watcher)
        if run is not None:
            _refuse_another(run, encoder, setup)
        rows = np.concatenate([part.rows for part in setup.parts.values()])
        vectors = vectors_of(setup.data, encoder, rows, most=config.encoder_limit, watcher=watcher)
    return replace(setup, encoded=Encoded(encoder, vectors))


def encoder_of(
    config: TrainConfig,
    data: DataDirectory,
    parts: Mapping[str, Part],
    *,
    texts: Mapping[int, str] | None = None,
    watcher: Watcher = UNWATCHED,
) -> Encoder:
    """The encoder that the settings name, or that is learned from the texts that they name.

    ``texts``: those of the documents by row, where the source has none. Raises what `encoders.find` and `own_encoder`
    raise.
    """
    if not config.unlabelled:
        return encoders.find(str(config.encoder))
    unlabelled = own_encoder.find(config.unlabelled, column=config.unlabelled_column, data=data)
    rows = np.concatenate([parts[part].rows for part in ("train", "validation")])
    return own_encoder.own_encoder(data, unlabelled, rows, most=config.encoder_limit, texts=texts, watcher=watcher)


def _refuse_another(run: runs.RunLayout, encoder: Encoder, setup: Setup) -> None:
    """Raise UsageError if a run began with another encoder."""
    if (before := runs.read_json(run.config).get("encoder", {}).get("hash")) == encoder.hash:
        return
    if setup.config.unlabelled:
        raise UsageError(
            f"the texts of {', '.join(setup.config.unlabelled)} have changed since {run.root} began; put the first "
            "ones there again, or train a new model: textclf train"
        )
    raise UsageError(
        f"{run.root} was trained with another encoder {setup.config.encoder} ({str(before)[:12]}, now "
        f"{encoder.hash[:12]}); add that one again, or train a new model: textclf train"
    )


def record(setup: Setup) -> dict[str, Any]:
    """What config.json of a run says of its encoder."""
    if setup.encoded is None:
        return {}
    return {"encoder": {"name": setup.encoded.encoder.name, "hash": setup.encoded.encoder.hash}}


def _advise(setup: Setup, display: Display) -> None:
    """Name an encoder that the user has, where classes have few documents."""
    middle = median(setup.data.counts_of(setup.parts["train"].rows).values())
    if middle >= FEW:
        return
    try:
        usable = [each.name for each in store.summaries() if not each.error]
    except TextclfError:
        return
    if usable:
        display.note(
            f"half of the classes have at most {middle:,.0f} training documents: --encoder {usable[0]} may help"
            f"{MEASURED.get(usable[0], '')}"
        )
