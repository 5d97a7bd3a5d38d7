"""`cnn`: embeddings, convolutions of three widths, and the maximum over time (Kim 2014)."""

from typing import Final

from textclf.models.model import Architecture, OnnxGraph, Preset, Runtime

PRESET: Final = Preset(
    embedding_size=128,
    hidden_size=100,
    dropout=0.5,
    word_dropout=0.2,
    max_length=256,
    label_smoothing=0.1,
    steps=96,
    smallest_batch=32,
    lr=3e-3,
    patience=2,
    min_gain=0.002,
    refits=False,
)


def preset_for(*, documents: int, tokens: int) -> Preset:
    """The same for all documents."""
    return PRESET


def runtime() -> Runtime:
    """What predicts, in numpy."""
    from textclf.models import sequences
    from textclf.models.cnn.predict import logits

    return sequences.runtime(logits)


def architecture() -> Architecture:
    """What is trained, in torch."""
    from textclf.models import sequences
    from textclf.models.cnn.network import CNNClassifier

    return sequences.architecture(CNNClassifier)


def onnx_graph() -> OnnxGraph:
    """What is exported to ONNX."""
    from textclf.models import sequences
    from textclf.models.cnn.predict import onnx_logits

    return sequences.onnx_graph(onnx_logits)
