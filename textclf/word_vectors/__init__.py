"""Vectors of words that were learned from other texts: files of GloVe, word2vec and fastText, and static models."""

from textclf.word_vectors.found import Found
from textclf.word_vectors.reading import read

__all__ = ["Found", "read"]
