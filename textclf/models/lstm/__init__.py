"""`lstm`: embeddings, a bidirectional LSTM, and pooling over time."""

from typing import Final

from textclf.models.model import Architecture, OnnxGraph, Preset, Runtime

PRESET: Final = Preset(
    embedding_size=64,
    hidden_size=64,
    dropout=0.5,
    word_dropout=0.2,
    max_length=256,
    label_smoothing=0.1,
    steps=96,
    smallest_batch=32,
    lr=5e-3,
    patience=1,
    min_gain=0.002,
    refits=False,
)


def preset_for(*, documents: int, tokens: int) -> Preset:
    """The same for all documents."""
    return PRESET


def runtime() -> Runtime:
    """What predicts, in numpy."""
    from textclf.models import sequences
    from textclf.models.lstm.predict import logits

    return sequences.runtime(logits)


def architecture() -> Architecture:
    """What is trained, in torch."""
    from textclf.models import sequences
    from textclf.models.lstm.network import LSTMClassifier

    return sequences.architecture(LSTMClassifier)


def onnx_graph() -> OnnxGraph:
    """What is exported to ONNX."""
    from textclf.models import sequences
    from textclf.models.lstm.predict import onnx_logits

    return sequences.onnx_graph(onnx_logits)
