"""What a sentence encoder adds to a model: a second classifier, of the vectors of the texts. Works without torch.

B documents, E numbers of a vector, H hidden units, C classes.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.containers import Container
from textclf.models.arithmetic import Floats, linear
from textclf.system.tensor_files import Arrays

if TYPE_CHECKING:
    from textclf.encoders import Encoder

FOLDER: Final = "encoder/"
"""Folder of the encoder's files in that of the artefact, and what the names of the classifier's weights begin with."""
WEIGHTS: Final = FOLDER + "weights.safetensors"
"""The largest of these files: `encoders.encoder.WEIGHTS`, which imports too much for a model without one."""

Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class EncoderView:
    """Vector, ReLU, logits; its logits and those of the model are added."""

    encoder: "Encoder"
    weights: Arrays
    """``hidden.weight`` (H, E), ``hidden.bias``, ``output.weight`` (C, H), ``output.bias``."""
    share: float
    """Weight of its logits in the sum, between 0 and 1."""
    is_bundled: bool = True
    """Whether the artefact has the encoder's files, and not only its hash."""

    def read(self, texts: Sequence[str]) -> Halves:
        """The vectors of texts, shape (B, E), as they were trained on: what one text gets depends on no other."""
        return self.encoder.encode(texts).astype(np.float16)

    def logits(self, vectors: Halves) -> Floats:
        """Its own logits, shape (B, C); computed in float64, as those of `bag_mlp.predict.logits`."""
        hidden = np.maximum(linear(self.weights, "hidden", vectors.astype(np.float64)), 0)  # (B, H)
        found: Floats = linear(self.weights, "output", hidden).astype(np.float32)
        return found

    def join(self, logits: Floats, vectors: Halves) -> Floats:
        """The sum of the model's logits and its own, shape (B, C)."""
        joined: Floats = (1 - self.share) * logits + self.share * self.logits(vectors)
        return joined.astype(np.float32, copy=False)

    def in_memory(self) -> "EncoderView":
        """The same with memory of its own, which needs no file any longer."""
        from textclf.encoders import encoder

        own = {name: bytes(content) for name, content in self.encoder.files.items()}
        weights = {name: array.copy() for name, array in self.weights.items()}
        return replace(self, encoder=encoder.restore(own), weights=weights)

    def arrays(self) -> Arrays:
        """The weights by their names in the artefact."""
        return {FOLDER + name: array for name, array in self.weights.items()}

    def files(self) -> dict[str, bytes]:
        """The files that the artefact has of the encoder, by name."""
        if not self.is_bundled:
            return {}
        return {FOLDER + name: bytes(content) for name, content in sorted(self.encoder.files.items())}

    @property
    def parameters(self) -> int:
        """Number of the weights that were trained."""
        return sum(array.size for array in self.weights.values())

    def record(self) -> dict[str, Any]:
        """What config.json of the artefact, metrics.json and the model card say of it."""
        about = {
            name: getattr(self.encoder, name) for name in ("name", "kind", "source", "licence", "hash", "dimension")
        }
        return {**about, "share": self.share, "is_bundled": self.is_bundled}


def files_in(config: Mapping[str, Any]) -> list[str]:
    """The files of the encoder that an artefact with this config.json has."""
    return [name for name in config["crc32"] if name == FOLDER + Path(name).name]


def divide(arrays: Arrays) -> tuple[Arrays, Arrays]:
    """The arrays of the model, and those of the classifier of the vectors."""
    own = {name: array for name, array in arrays.items() if not name.startswith(FOLDER)}
    of_view = {name.removeprefix(FOLDER): array for name, array in arrays.items() if name.startswith(FOLDER)}
    if not of_view:
        raise ValueError("the classifier of the vectors is missing")
    return own, of_view


def restore(container: Container, config: Mapping[str, Any], weights: Arrays) -> EncoderView:
    """The view of an artefact, whose encoder is in the container, or one of the user's.

    Raises ValueError if something is damaged, UsageError if the encoder is not there.
    """
    from textclf.encoders import encoder

    about, path = config["encoder"], FOLDER + encoder.CONFIG
    if about["is_bundled"] and container.crc32(path) != config["crc32"][path]:  # it has the checksums of the others
        raise ValueError(f"{path} is not what was written")
    if about["is_bundled"] or _has(container, path):
        names = encoder.files_of(container.read(path))
        found = encoder.restore({name: container.mapped(FOLDER + name) for name in names})
    else:
        from textclf.encoders import store

        found = store.find_hash(about["hash"], name=about["name"])
    if found.hash != about["hash"]:
        raise ValueError("the encoder is another one")
    view = EncoderView(found, weights, float(about["share"]), is_bundled=bool(about["is_bundled"]))
    _check(view)
    return view


def held_files(container: Container, config: Mapping[str, Any]) -> dict[str, memoryview]:
    """The files of the encoder, if there is one, bundled or not: another machine may not have it.

    Raises UsageError if it is not there.
    """
    if "encoder" not in config:
        return {}
    if config["encoder"]["is_bundled"]:
        return {name: container.mapped(name) for name in files_in(config)}
    from textclf.encoders import store

    found = store.find_hash(config["encoder"]["hash"], name=config["encoder"]["name"])
    return {FOLDER + name: memoryview(content) for name, content in found.files.items()}


def _has(container: Container, name: str) -> bool:
    with suppress(OSError, ValueError, LookupError):
        return container.size(name) > 0
    return False


def _check(view: EncoderView) -> None:
    """Raise ValueError if the weights do not fit together or the encoder."""
    weights = view.weights
    hidden, outputs = weights["hidden.weight"], weights["output.weight"]
    shapes = (len(hidden), view.encoder.dimension), (len(hidden),), (len(outputs), len(hidden)), (len(outputs),)
    names = ("hidden.weight", "hidden.bias", "output.weight", "output.bias")
    if tuple(weights[name].shape for name in names) != shapes or set(weights) != set(names):
        raise ValueError("the classifier of the vectors has weights of other shapes")
    if any(array.dtype != np.float32 for array in weights.values()) or not 0 < view.share <= 1:
        raise ValueError("the classifier of the vectors is not one that was written")
