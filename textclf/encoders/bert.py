"""The forward pass of BERT (https://arxiv.org/abs/1810.04805) in numpy, from token ids to one vector per text.

Texts stand end to end, without padding: layers read the tokens of all texts at once, and attention those of all texts
of one length. What a text becomes then depends on no other text, but for the order in which the processor adds: with
AVX-512 it is the same to the bit alone and in any batch, elsewhere to about a millionth.

N tokens of all texts, G texts of one length, T tokens of a text, H hidden size, A heads, F size of the inner layer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.encoders import packing
from textclf.encoders.packing import Floats, Weights

Activation = Callable[[Floats], None]

BATCH: Final = 1024
"""Tokens of a batch: as fast as larger ones, in 20 MB for a hidden size of 384."""
_ROWS: Final = 64
"""Tokens whose inner layer is computed at once: their numbers stay in the processor's second cache."""


class Settings(NamedTuple):
    """What the weights do not say."""

    heads: int
    activation: str
    """One of `ACTIVATIONS`."""
    epsilon: float
    """Of layer normalisation."""
    pooling: str
    """One of `POOLINGS`."""
    normalises: bool
    """Whether vectors get length 1."""


POOLINGS: Final = ("mean", "first")
"""A text's vector: the mean of those of its tokens, or that of the first one."""


class Sizes(NamedTuple):
    """Sizes of the weights."""

    vocabulary: int
    positions: int
    """Tokens of the longest text."""
    hidden: int
    inner: int
    """Units of the inner layer."""
    layers: int


class _Linear(NamedTuple):
    weight: Floats
    """Shape (inputs, outputs)."""
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        y: Floats = x @ self.weight
        y += self.bias
        return y


class _Norm(NamedTuple):
    weight: Floats
    bias: Floats
    epsilon: np.float32

    def __call__(self, x: Floats) -> Floats:
        """Layer normalisation of the rows of x, in place."""
        x -= x.mean(axis=1, keepdims=True)
        variance = np.einsum("nh,nh->n", x, x) / np.float32(x.shape[1])
        x /= np.sqrt(variance + self.epsilon)[:, None]
        x *= self.weight
        x += self.bias
        return x


class _Layer(NamedTuple):
    attention: _Linear
    """To queries, keys and values of all heads, (N, H) to (N, 3H)."""
    attended: _Linear
    attention_norm: _Norm
    inner: _Linear
    outer: _Linear
    norm: _Norm


EMBEDDINGS: Final = ("words", "positions")
"""Tables of which rows are read: packed, their blocks are of a row. Those of the other matrices are of a column."""
BITS: Final = 10
"""Of a number of a packed matrix. With 8, one of 80 odd texts got another label than with float32: docs/encoders.md."""
EMBEDDING_BITS: Final = 9
"""Of a number of the embeddings, whose rounding changes a vector less."""


def axis_of(name: str) -> int:
    """Along which axis of a matrix its blocks go."""
    return 1 if name in EMBEDDINGS else 0


def shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """The weights by name, with their shapes, apart from scales."""
    hidden = sizes.hidden
    found: dict[str, tuple[int, ...]] = {
        "words": (sizes.vocabulary, hidden),
        "positions": (sizes.positions, hidden),
        **_norm_shapes("norm", hidden),
    }
    linear = {
        "attention": (hidden, 3 * hidden),
        "attended": (hidden, hidden),
        "inner": (hidden, sizes.inner),
        "outer": (sizes.inner, hidden),
    }
    for layer in range(sizes.layers):
        for name, shape in linear.items():
            found |= {f"layers.{layer}.{name}.weight": shape, f"layers.{layer}.{name}.bias": shape[1:]}
        for name in ("attention_norm", "norm"):
            found |= _norm_shapes(f"layers.{layer}.{name}", hidden)
    return found


def _norm_shapes(name: str, hidden: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (hidden,), f"{name}.bias": (hidden,)}


def layers_of(weights: Weights) -> int:
    """The number of layers."""
    return sum(name.endswith(".inner.bias") for name in weights)


def packed(weights: Weights) -> dict[str, NDArray[Any]]:
    """The weights with their matrices packed."""
    stored: dict[str, NDArray[Any]] = {}
    for name, array in weights.items():
        if array.ndim == 1:
            stored[name] = array
        else:
            bits = EMBEDDING_BITS if name in EMBEDDINGS else BITS
            stored |= packing.pack(array, name, bits=bits, axis=axis_of(name))
    return stored


class Bert:
    """An encoder without its tokenizer. It changes nothing when it is called, so that threads may share it."""

    def __init__(self, weights: Weights, settings: Settings) -> None:
        """Make it from weights of these `shapes`, in float32 or as `packed` returns them."""

        def tensor(name: str) -> Floats:
            return packing.part(weights, name, axis=axis_of(name))

        def linear(name: str) -> _Linear:
            return _Linear(tensor(f"{name}.weight"), tensor(f"{name}.bias"))

        def norm(name: str) -> _Norm:
            return _Norm(tensor(f"{name}.weight"), tensor(f"{name}.bias"), np.float32(settings.epsilon))

        self._words = {name: array for name, array in weights.items() if name.partition(".")[0] == "words"}
        self._positions = tensor("positions")
        self._norm = norm("norm")
        self._settings = settings
        self._activate = ACTIVATIONS[settings.activation]
        self._layers = [
            _Layer(
                linear(f"layers.{layer}.attention"),
                linear(f"layers.{layer}.attended"),
                norm(f"layers.{layer}.attention_norm"),
                linear(f"layers.{layer}.inner"),
                linear(f"layers.{layer}.outer"),
                norm(f"layers.{layer}.norm"),
            )
            for layer in range(layers_of(weights))
        ]

    def __call__(self, texts: Sequence[Sequence[int]]) -> Floats:
        """A vector for each text, of at least two tokens each; shape (B, H)."""
        vectors = np.empty((len(texts), self._positions.shape[1]), dtype=np.float32)
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        for rows in _batches(lengths):
            tokens = np.concatenate([np.asarray(texts[row], dtype=np.int64) for row in rows])
            vectors[rows] = self._encode(tokens, lengths[rows])
        return vectors

    def _encode(self, tokens: NDArray[np.int64], lengths: NDArray[np.int64]) -> Floats:
        """The vectors of texts whose tokens stand end to end, sorted by their lengths."""
        groups = list(_groups(lengths))
        x = packing.rows(self._words, "words", tokens)  # (N, H)
        for group in groups:
            group.of(x)[:] += self._positions[: group.length]
        self._norm(x)
        for layer in self._layers:
            attended = layer.attended(_attend(layer.attention(x), groups, heads=self._settings.heads))
            attended += x
            x = layer.attention_norm(attended)
            inner = layer.inner(x)  # (N, F)
            for start in range(0, len(inner), _ROWS):
                self._activate(inner[start : start + _ROWS])
            outer = layer.outer(inner)
            outer += x
            x = layer.norm(outer)
        return self._pool(x, groups)

    def _pool(self, x: Floats, groups: "Sequence[_Group]") -> Floats:
        """The vector of each text from those of its tokens."""
        if self._settings.pooling == "mean":
            pooled = np.concatenate([group.of(x).mean(axis=1) for group in groups])  # (B, H)
        else:
            pooled = np.concatenate([group.of(x)[:, 0] for group in groups])
        if self._settings.normalises:
            lengths = np.sqrt(np.einsum("bh,bh->b", pooled, pooled))
            pooled /= np.maximum(lengths, np.float32(1e-12))[:, None]
        return pooled


class _Group(NamedTuple):
    """Texts of one length that stand end to end."""

    start: int
    """Place of their first token."""
    texts: int
    length: int

    def of(self, x: Floats) -> Floats:
        """The rows of their tokens, as a view: shape (G, T, columns)."""
        rows: Floats = x[self.start : self.start + self.texts * self.length]
        return rows.reshape(self.texts, self.length, -1)


def _batches(lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Places of texts, the longest first, so many at once as have BATCH tokens, and at least one."""
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    start = 0
    while start < len(order):
        before = ends[start] - lengths[order[start]]
        stop = max(int(np.searchsorted(ends, before + BATCH, side="right")), start + 1)
        yield order[start:stop]
        start = stop


def _groups(lengths: NDArray[np.int64]) -> Iterator[_Group]:
    """The texts of each length, which stand together."""
    firsts = np.flatnonzero(np.diff(lengths, prepend=-1))
    starts = np.cumsum(lengths) - lengths
    for first, count in zip(firsts.tolist(), np.diff(firsts, append=len(lengths)).tolist(), strict=True):
        yield _Group(int(starts[first]), count, int(lengths[first]))


def _attend(x: Floats, groups: Sequence[_Group], *, heads: int) -> Floats:
    """Attention of all heads from their queries, keys and values, (N, 3H) to (N, H)."""
    attended = np.empty((len(x), x.shape[1] // 3), dtype=np.float32)
    for group in groups:
        parts = group.of(x).reshape(group.texts, group.length, 3, heads, -1)  # queries are divided by the root of H/A
        queries, keys, values = (parts[:, :, part].transpose(0, 2, 1, 3) for part in range(3))  # (G, A, T, H/A)
        weights = queries @ keys.transpose(0, 1, 3, 2)  # (G, A, T, T)
        weights -= weights.max(axis=3, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=3, keepdims=True)
        mixed = weights @ values  # (G, A, T, H/A)
        group.of(attended).reshape(group.texts, group.length, heads, -1)[:] = mixed.transpose(0, 2, 1, 3)
    return attended


def _gelu(x: Floats) -> None:
    """GELU (https://arxiv.org/abs/1606.08415) in place, to 3e-5.

    Numpy has no error function: it is the hyperbolic tangent of an odd polynomial here, whose coefficients were fitted.
    """
    square = np.minimum(x * x, np.float32(36))  # beyond 6 the tangent is 1, and the polynomial turns back
    inside = square * np.float32(-3.52091458e-04)
    inside += np.float32(3.70091800e-02)
    inside *= square
    inside += np.float32(7.97503993e-01)
    _gate(x, inside)


def _gelu_of_tanh(x: Floats) -> None:
    """The approximation of GELU that some encoders were trained with, in place."""
    inside = x * x
    inside *= np.float32(0.044715 * np.sqrt(2 / np.pi))
    inside += np.float32(np.sqrt(2 / np.pi))
    _gate(x, inside)


def _gate(x: Floats, inside: Floats) -> None:
    """``x (1 + tanh(x inside)) / 2``, in place."""
    inside *= x
    np.tanh(inside, out=inside)
    inside += np.float32(1)
    inside *= np.float32(0.5)
    x *= inside


def _relu(x: Floats) -> None:
    np.maximum(x, np.float32(0), out=x)


ACTIVATIONS: Final[Mapping[str, Activation]] = {
    "gelu": _gelu,
    "gelu_new": _gelu_of_tanh,
    "gelu_pytorch_tanh": _gelu_of_tanh,
    "relu": _relu,
}
"""What the inner layer may do, by the name in config.json."""
