"""`mlp`: bags of words, pairs, subwords and runs, each the hidden layer of a perceptron."""

from dataclasses import replace
from typing import Final

from textclf.models.model import Architecture, OnnxGraph, Preset, Runtime

PRESET: Final = Preset(
    embedding_size=None,
    hidden_size=128,
    dropout=0.5,
    word_dropout=None,
    max_length=None,
    label_smoothing=0.05,
    steps=48,
    smallest_batch=64,
    lr=5e-3,
    patience=1,
    min_gain=0.01,
    refits=True,
)

LONG_TEXT: Final = 64
"""Mean tokens per document above which the hidden layer is half as wide: many features fit the documents soon.

Above twice as many it is half as wide again.
"""

NARROW_LR: Final = 1.5
"""Factor on the learning rate of a narrower hidden layer."""


def preset_for(*, documents: int, tokens: int) -> Preset:
    """Narrower on long text, by a rule chosen on validation splits of corpora from 2,000 to 15,000 documents."""
    halvings = sum(tokens > bound * documents for bound in (LONG_TEXT, 2 * LONG_TEXT))
    if not halvings:
        return PRESET
    return replace(PRESET, hidden_size=128 // 2**halvings, lr=PRESET.lr * NARROW_LR)


def runtime() -> Runtime:
    """What predicts, in numpy."""
    from textclf.models.bag_mlp.feature_cache import learn
    from textclf.models.bag_mlp.features import Bag
    from textclf.models.bag_mlp.predict import contributions, logits
    from textclf.models.bag_mlp.pruning import BagPruner

    return Runtime(Bag, learn, logits, contributions, BagPruner)


def architecture() -> Architecture:
    """What is trained, in torch."""
    from textclf.models.bag_mlp.linear import companion
    from textclf.models.bag_mlp.network import BagMLP, collate
    from textclf.models.bag_mlp.resident import ResidentBags

    return Architecture(BagMLP, collate, head_start=BagMLP.learn_labels, companion=companion, resident=ResidentBags.of)


def onnx_graph() -> OnnxGraph:
    """What is exported to ONNX."""
    from textclf.models.bag_mlp.predict import ONNX_INPUTS, onnx_logits

    return OnnxGraph(ONNX_INPUTS, onnx_logits)
