"""What predicts without torch: `batch.PieceEmbedding` in numpy and as ONNX nodes.

B documents, T tokens, P pieces of a token, E embedding size.
"""

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import Floats, Weights
from textclf.models.model import EMBEDDING
from textclf.models.onnx_graph import Graph
from textclf.text.tokenizer import PAD_ID


def embed(weights: Weights, tokens: NDArray[np.int64]) -> Floats:
    """The embedding of each token, shape (..., E), from its pieces (..., P)."""
    embedding = weights[EMBEDDING]
    if tokens.shape[-1] == 1:
        alone: Floats = embedding[tokens[..., 0]]
        return alone
    total: Floats = embedding[tokens].sum(axis=-2)  # the embedding of padding is 0
    total /= np.sqrt(np.maximum((tokens != PAD_ID).sum(axis=-1, keepdims=True), 1), dtype=np.float32)
    return total


def onnx_embed(graph: Graph) -> str:
    """As `embed`, of the input ``tokens``: shape (B, T, E)."""
    from onnx import TensorProto

    pieces = graph.constant([2])
    is_piece = graph.add("Not", graph.add("Equal", "tokens", graph.constant(np.int64(PAD_ID))))  # (B, T, P)
    counts = graph.add("ReduceSum", graph.add("Cast", is_piece, to=TensorProto.FLOAT), pieces)  # (B, T, 1)
    total = graph.add("ReduceSum", graph.embed("tokens"), pieces, keepdims=0)  # (B, T, E)
    return graph.add("Div", total, graph.add("Sqrt", graph.add("Max", counts, graph.constant(np.float32(1)))))
