"""Frozen sentence encoders: a text becomes a vector that was learned from other texts. Works without torch."""

from textclf.encoders.encoder import Encoder

__all__ = ["Encoder"]
