"""Frozen sentence encoders: a text becomes a vector that was learned from other texts. Works without torch."""

from textclf.encoders.encoder import Encoder
from textclf.encoders.store import find

__all__ = ["Encoder", "find"]
