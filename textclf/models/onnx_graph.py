"""The nodes of an ONNX graph, as the models put them together. https://onnx.ai/onnx/operators says what each does.

Weights are stored in few bits, and are float32 again once they are looked up.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.models.model import EMBEDDING

LOWEST: Final = np.float32(-3e38)
"""In place of minus infinity, where the largest value is looked for."""


class Graph:
    """Nodes and constants in the order in which they are computed; each is named for what makes it."""

    def __init__(
        self, stored: Mapping[str, NDArray[Any]], *, scales: Mapping[str, NDArray[np.float16]] | None = None
    ) -> None:
        self._stored = stored
        self._scales = scales or {}  # factor of each row of a table, shape (rows,), if these are integers
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Compute something; returns the name of what comes out."""
        from onnx import helper

        name = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, array: NDArray[Any] | np.generic | list[int]) -> str:
        """An array; a list is of int64."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        values = np.array(array, dtype=np.int64) if isinstance(array, list) else np.ascontiguousarray(array)
        if np.ndim(array) == 0:
            values = np.reshape(values, ())
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, name: str) -> NDArray[np.float32]:
        """A weight other than the embeddings, as it is used."""
        return self._stored[name].astype(np.float32)

    def embed(self, ids: str, table: str = EMBEDDING) -> str:
        """The rows of a table for some ids, in float32, with one axis more."""
        from onnx import TensorProto

        stored = self._stored[table]
        rows = self.add("Gather", self.constant(stored), ids)
        if stored.dtype == np.uint8:
            rows = self._halves(rows, stored)
        if stored.dtype != np.float32:
            rows = self.add("Cast", rows, to=TensorProto.FLOAT)
        if table not in self._scales:
            return rows
        if stored.dtype == np.uint8:
            rows = self.add("Sub", rows, self.constant(np.float32(8)))
        scale = self.add("Gather", self.constant(self._scales[table].astype(np.float32)), ids)
        return self.add("Mul", rows, self.add("Unsqueeze", scale, self.constant([-1])))

    def _halves(self, rows: str, stored: NDArray[np.uint8]) -> str:
        """The halves of each byte, the low one first, on the last axis; not the last of all where that is no number."""
        low = self.add("BitwiseAnd", rows, self.constant(np.uint8(15)))
        high = self.add("BitShift", rows, self.constant(np.uint8(4)), direction="RIGHT")
        last = self.constant([-1])
        both = self.add("Concat", self.add("Unsqueeze", low, last), self.add("Unsqueeze", high, last), axis=-1)
        width = 2 * stored.shape[1]
        kept = self.add("Shape", rows, end=-1)
        flat = self.add("Reshape", both, self.add("Concat", kept, self.constant([width]), axis=0))
        is_odd = not (stored[:, -1] >> 4).any()
        if not is_odd:
            return flat
        return self.add("Slice", flat, self.constant([0]), self.constant([width - 1]), last)

    def linear(self, name: str, x: str) -> str:
        """A linear layer."""
        weights = self.constant(self.weight(f"{name}.weight")), self.constant(self.weight(f"{name}.bias"))
        return self.add("Gemm", x, *weights, transB=1)

    def mean(self, logits: list[str], *, temperature: np.float32) -> str:
        """The mean over the views, calibrated."""
        return self.add("Div", self.add("Sum", *logits), self.constant(np.float32(len(logits)) * temperature))

    def names(self, beginning: str, end: str) -> list[str]:
        """Weights that begin and end so."""
        return [name for name in self._stored if name.startswith(beginning) and name.endswith(end)]


def zeros(graph: Graph, shape: str, dtype: type) -> str:
    """Zeros of a shape that is known when the graph runs."""
    from onnx import numpy_helper

    return graph.add("ConstantOfShape", shape, value=numpy_helper.from_array(np.zeros(1, dtype=dtype)))


def inside_documents(graph: Graph) -> str:
    """Whether a token of ``tokens`` (B, T) lies within its document of ``lengths`` (B,); shape (B, T, 1)."""
    last = graph.constant([-1])
    count = graph.add("Gather", graph.add("Shape", "tokens"), graph.constant(np.int64(1)))
    place = graph.add("Range", graph.constant(np.int64(0)), count, graph.constant(np.int64(1)))  # (T,)
    return graph.add("Unsqueeze", graph.add("Less", place, graph.add("Unsqueeze", "lengths", last)), last)
