"""What a model brings, so that nothing outside its folder asks which model it is. Loads neither numpy nor torch.

A model is a folder of `textclf.models`: its ``__init__`` has the names of `Model`, each part in a file of its own. The
parts come in three groups, by what they need: `Runtime` is numpy alone, since predictions do not wait for torch;
`Architecture` is torch; `OnnxGraph` is the onnx package, which is an extra.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from textclf.models.arithmetic import Doubles, Floats, Weights
    from textclf.models.onnx_graph import Graph
    from textclf.text.tokenizer import Tokenizer


EMBEDDING: Final = "embedding.weight"
"""Name of the parameter with a row for each feature, nearly all of a model; the words come first."""
LINEAR: Final = "linear.weight"
"""Name of the parameter with each feature's own logits, a row for each feature as well, if the model has one."""
LINEAR_BIAS: Final = "linear.bias"
TABLES: Final = (EMBEDDING, LINEAR)
"""The parameters that have a row for each feature."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Sizes and learning rate of a model where the user names none. None: the model has no such setting."""

    embedding_size: int | None
    hidden_size: int | None
    """Units of the hidden layer; of each direction in an LSTM; filters of each width in a CNN."""
    dropout: float | None
    """Probability with which training drops a unit before the output layer, or an input of the LSTM."""
    word_dropout: float | None
    """Probability with which training reads a token as ``<unk>``."""
    max_length: int | None
    """Maximum number of tokens read from the start of a document; less if 95 % of the documents are shorter."""
    label_smoothing: float
    """Share of the target's probability that is spread over all classes."""
    steps: int
    """Optimizer steps per epoch that the default batch size aims at."""
    smallest_batch: int
    """Minimum number of documents in the default batch."""
    lr: float
    """Adam's learning rate for the smallest batch; it grows with the square root of the batch size."""
    patience: int
    """Epochs without a better validation loss after which training stops."""
    min_gain: float
    """Fraction by which an epoch must lower the validation loss to be better."""
    refits: bool
    """Whether training may continue on train + validation after early stopping."""


class Examples(NamedTuple):
    """B documents as a model's ``collate`` gets them, their token ids end to end."""

    tokens: NDArray[np.int32]
    """Shape (N,), N the sum of the lengths."""
    lengths: NDArray[np.int64]
    """Shape (B,)."""
    labels: NDArray[np.int64]
    """Shape (B,); -1 for a label that the training split does not have."""
    rows: NDArray[np.integer] | None = None
    """Shape (B,), rows of the table of documents; None: the documents are not from there."""


class Features(Protocol):
    """Turns token ids into what the model reads. A frozen dataclass: an artefact keeps its fields."""

    DERIVED: ClassVar[tuple[str, ...]]
    """Fields that follow from the tokenizer. Files keep the arrays among them to load faster, except int4 files."""

    @property
    def words(self) -> int:
        """Number of word ids that the model reads; they come first among its features."""

    def cuts(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the model reads only the beginning of each document; token ids end to end, and lengths (B,)."""

    @property
    def sizes(self) -> dict[str, int]:
        """Keyword arguments of the network that follow from the features; the first is the number of embeddings."""

    @classmethod
    def derive(cls, tokenizer: Tokenizer, *, known: Collection[str] = ()) -> dict[str, Any]:
        """The fields named in DERIVED, except for arrays that are known already."""

    def keys(self, tokenizer: Tokenizer) -> Mapping[str, Sequence[str] | NDArray[np.int32]]:
        """What tells the features apart, by kind, in the order of their embeddings: another run may have them, too."""

    def fits(self, tokenizer: Tokenizer) -> bool:
        """Whether the fields are consistent, and of that vocabulary: a file may be damaged."""

    def __call__(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.integer] | None = None
    ) -> Any:
        """A NamedTuple of arrays for documents whose token ids stand end to end; ``rows`` let a cache find them."""


class Contributions(NamedTuple):
    """The margin of a label, taken apart: margin = rest + sum(tokens)."""

    margin: float
    rest: float
    """What no token contributes."""
    tokens: Doubles
    """Shape (T,)."""


class FeatureCache(Protocol):
    """Features that keep those of documents that every epoch reads."""

    def has(self, rows: NDArray[np.integer]) -> bool:
        """Whether the features of all these documents are kept: their tokens are then not read."""

    def clear(self) -> None:
        """Keep none."""

    def __call__(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.integer] | None = None
    ) -> Any:
        """As `Features` are called."""


class Learnt(NamedTuple):
    """Features that were fitted on the training documents."""

    features: Features
    """What the artefact keeps."""
    cache: FeatureCache | None = None
    """The same features, called the same way, with those of train and validation kept. None: quick enough without."""


class Pruned(NamedTuple):
    """A model with fewer features."""

    rows: NDArray[np.int64]
    """The features that are kept, in the order of their new embeddings."""
    tokenizer: Tokenizer
    features: Features


class Pruner(Protocol):
    """Cuts the features of a model to the most important ones; `usage` must see the training documents first."""

    def usage(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Doubles:
        """The sum over some training documents of each feature's squared weight, shape (F,)."""

    def keep(self, ranking: NDArray[np.int64], features: int) -> Pruned:
        """The model with the first ``features`` of a ranking of all, which ``<pad>`` and ``<unk>`` lead."""


class Runtime(NamedTuple):
    """The parts that need numpy only."""

    features: type[Features]
    learn: Callable[..., Learnt]
    """``learn(training, validation=..., tokenizer=..., max_length=...)`` fits the features on training documents.

    Both splits are batches of token ids, lengths and rows; the validation documents may be cached.
    """
    logits: Callable[[Weights, Any], Floats]
    """The forward pass: parameter arrays by name and what the features return, to logits of shape (B, C)."""
    contributions: Callable[[Weights, Any, NDArray[np.int32], Doubles], Contributions]
    """``contributions(weights, features, ids, against)``: what each token adds to ``against @ logits``."""
    pruner: Callable[[Any, Tokenizer], Pruner]
    """``pruner(features, tokenizer)``."""


class Resident(Protocol):
    """All documents of a part, as tensors on a device."""

    def batches(self, order: Iterable[NDArray[np.integer]], *, share: slice = ...) -> Iterator[Any]:
        """A batch of the documents at each of these places, made on the device, with the bits that ``collate`` gives.

        ``share`` are the documents of each batch that this process reads; labels are those of all.
        """


class Architecture(NamedTuple):
    """The parts that need torch."""

    network: Callable[..., nn.Module]
    """Called with the features' sizes, ``classes``, and the settings of the preset that are not None.

    Its ``forward(batch)`` returns logits of shape (V, B, C), of V views of the documents that learn side by side and
    are averaged to predict, or (B, C).
    """
    collate: Callable[..., Any]
    """``collate(examples, inputs=features)`` makes a NamedTuple of tensors, one of them ``labels``; sent to workers."""
    head_start: Callable[[Any, Iterable[Any], Any], None] | None = None
    """Called with the new network and the training batches before the first epoch, and with the classes of each set of
    labels, shape (S, C), if documents may have several."""
    companion: Callable[..., nn.Module | None] | None = None
    """``companion(batches, sets, **arguments)`` makes a second classifier of the same training batches, ``sets`` and
    arguments being those of the head start and the network; the network's ``add(companion, share=...)`` has both
    predict together: see `textclf.training.companion`. It may find that none is worth its time."""
    sorts_by_length: bool = False
    """Whether a batch should hold documents of similar length, since they are padded."""
    resident: Callable[..., Resident | None] | None = None
    """``resident(batches, order, device=..., limit=...)`` puts the documents of these batches on a device, unless they
    exceed a limit of bytes; ``order``: their places. None: the model's batches are made by ``collate`` alone."""
    settings: tuple[str, ...] = ("embedding_size", "hidden_size", "dropout", "word_dropout")
    """Settings that the network is called with, unless they are None."""
    initial_columns: Callable[[Any, Floats, NDArray[np.bool_]], Floats] | None = None
    """``initial_columns(features, vectors, is_found)``: the last D columns of the embeddings, shape (rows, D), from the
    vectors of the words, (V, D), and which of them there are. None: the model has no embedding for a word alone."""


class OnnxGraph(NamedTuple):
    """The forward pass as an ONNX graph."""

    inputs: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Name, type and shape of what the graph reads: the fields of what the features return."""
    logits: Callable[[Graph, np.float32], str]
    """Adds the nodes; returns the name of the logits (B, C), divided by the temperature."""


class Model(Protocol):
    """A model: a folder of `textclf.models`, or a class of the user's (`textclf.models.user.UserModel`)."""

    @property
    def PRESET(self) -> Preset:  # noqa: N802  a constant of a module
        """Sizes and learning rate where the user names none."""

    def preset_for(self, *, documents: int, tokens: int) -> Preset:
        """The preset, adapted to the number of training documents and of their tokens."""

    def runtime(self) -> Runtime:
        """What predicts."""

    def architecture(self) -> Architecture:
        """What is trained."""

    def onnx_graph(self) -> OnnxGraph | None:
        """What is exported to ONNX. None: it cannot be."""
