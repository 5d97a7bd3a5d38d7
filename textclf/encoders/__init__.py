"""Frozen sentence encoders: a text becomes a vector that was learned from other texts. Works without torch."""

from pathlib import Path

from textclf.encoders.encoder import Encoder

__all__ = ["Encoder", "find"]


def find(given: str | Path) -> Encoder:
    """The encoder of a name, or a unique beginning of one, or in a folder; raises what `store.find` raises."""
    from textclf.encoders import store  # here: a model in one file has its encoder, and none of a user's

    return store.find(given)
