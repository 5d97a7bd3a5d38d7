"""Weights to start from: those of another run, as far as both have the same words, pairs, subwords and labels.

A row of an embedding belongs to a feature, a row of an output layer to a label. What both runs know keeps the weights
of the source's best epoch, wherever it stands in either; what only the new one knows begins as usual. Which axis of a
parameter has a place for each feature or label is found by making the network in two sizes, so that no model, not even
one of the user's own, has to say so.

They are those of the best epoch, of the network alone: it has learned from no validation document, which a refit does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textclf.artefacts import loading, runs
from textclf.artefacts.artefact import Artefact
from textclf.errors import ArtefactError, UsageError
from textclf.models.model import Features
from textclf.system import checksums
from textclf.text.tokenizer import Tokenizer
from textclf.training import source_run
from textclf.training.checkpoint import read_best
from textclf.training.setup import Setup

LABELS: Final = "labels"
SMALL: Final = 5
"""Features and classes of the networks that are made to compare their shapes."""

Keys = Sequence[str] | NDArray[np.int32]


class Shared(NamedTuple):
    """What both runs have: N places."""

    ours: Tensor
    """Shape (N,), where it is in the new run."""
    theirs: Tensor
    """Shape (N,), where it is in the source."""


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """The weights of a source run, and where they go."""

    run: runs.RunLayout
    weights: Mapping[str, Tensor]
    """Of the network, by name."""
    axes: Mapping[str, tuple[str, ...]]
    """For each parameter what each axis is: one of the names in ``shared``, or nothing."""
    shared: Mapping[str, Shared]
    counts: Mapping[str, tuple[int, int]]
    """For each kind of feature, and labels: how many keep their weights, of how many."""
    unseen: bool
    """Whether the source has surely not learned from validation and test documents."""

    @classmethod
    def of(cls, setup: Setup, *, of_run: runs.RunLayout | None = None) -> "InitialWeights | None":
        """Those that the settings name, if they do. ``of_run``: the run that is resumed, which knows what they were.

        Raises UsageError if the source is gone or has other weights now, ArtefactError if a file of it is damaged.
        """
        run = source_run.source_of(setup.config)
        if run is None:
            return None
        if of_run is not None and (before := runs.read_json(of_run.config)["init_from"]["sha256"]) != checksums.sha256(
            run.best
        ):
            raise UsageError(
                f"{run.root} has other weights than {of_run.root} started from ({before[:12]}); train a new run"
            )
        model = setup.config.user_model
        source = loading.load(run.model, code=[model.code.file] if model else ())
        shared, counts = _shared(setup, source)
        return cls(
            run,
            _weights(run),
            _axes(setup.config.kind.architecture().network, setup.network_arguments(), setup.features),
            shared,
            counts,
            source_run.unseen(run, setup.data.manifest.fingerprints),
        )

    @torch.no_grad()
    def put(self, model: nn.Module) -> None:
        """Replace the weights of a network by those that it shares with the source.

        Raises UsageError, before anything is replaced, at the first shape that does not fit.
        """
        places = {name: place for name, place in model.state_dict().items() if name in self.weights}
        for name, place in places.items():
            self._refuse_other_shape(name, place)
        for name, place in places.items():
            self._put(place, self.weights[name], self.axes[name])

    def _put(self, place: Tensor, weights: Tensor, axes: Sequence[str], axis: int = 0) -> None:
        if axis == len(axes):
            place.copy_(weights)
        elif not axes[axis]:
            self._put(place, weights, axes, axis + 1)
        else:
            shared = self.shared[axes[axis]]
            ours = shared.ours.to(place.device)
            some = place.index_select(axis, ours)
            self._put(some, weights.index_select(axis, shared.theirs), axes, axis + 1)
            place.index_copy_(axis, ours, some)

    def _refuse_other_shape(self, name: str, place: Tensor) -> None:
        theirs, ours, axes = tuple(self.weights[name].shape), tuple(place.shape), self.axes[name]
        fixed = [axis for axis, kind in enumerate(axes) if not kind]
        if len(theirs) != len(ours) or any(theirs[axis] != ours[axis] for axis in fixed):
            raise UsageError(
                f"{name} has the shape {theirs} in {self.run.root}, which does not fit {ours}: leave out "
                "--hidden-size and --embedding-size, or --init-from"
            )

    def record(self) -> dict[str, Any]:
        """What config.json and metrics.json say of it."""
        return {
            "run": self.run.root.name,
            "sha256": checksums.sha256(self.run.best),
            "kept": {kind: list(counts) for kind, counts in self.counts.items()},
            "unseen": self.unseen,
        }

    def describe(self) -> list[str]:
        """It in one line, and a second one if figures may be too good."""
        kept = ", ".join(f"{some:,} of {every:,} {kind}" for kind, (some, every) in self.counts.items() if every)
        line = f"starting from the weights of {self.run.root.name}: {kept} keep theirs"
        return [line] if self.unseen else [line, doubt(self.run.root.name)]


def doubt(run: str) -> str:
    """Why figures may be too good."""
    return (
        f"{run} may have learned from documents that validate or test this run, as it was trained on other data: "
        "figures may be too good. Data that grows by `textclf preprocess --add` keeps them apart"
    )


def _weights(run: runs.RunLayout) -> Mapping[str, Tensor]:
    """Those of the best epoch; raises ArtefactError if the file is not the one that the finished run had."""
    written = (runs.sealed(run) or {}).get(run.best.relative_to(run.root).as_posix())
    if written is not None and checksums.sha256(run.best) != written:
        what = "is not what was written" if run.best.exists() else "is missing"
        raise ArtefactError(f"{run.best} {what}; start from another run, or train without --init-from")
    return read_best(run.best)


def _shared(setup: Setup, source: Artefact) -> tuple[dict[str, Shared], dict[str, tuple[int, int]]]:
    """What both runs have of features and of labels, and how many these are by kind."""
    ours, theirs = (_keys(each, words) for each, words in ((setup.features, setup.tokenizer), _of(source)))
    found, counts = [], {}
    for kind, (start, keys) in ours.items():
        their_start, their_keys = theirs.get(kind, (0, keys[:0]))
        places = _common(keys, their_keys)
        found.append(places + np.array([[start], [their_start]]))
        counts[kind] = (places.shape[1], len(keys))
    labels = _common(setup.data.manifest.labels, source.labels)
    counts[LABELS] = (labels.shape[1], len(setup.data.manifest.labels))
    name, _ = _number_of_features(setup.features)
    return {name: _tensors(np.concatenate(found, axis=1)), "classes": _tensors(labels)}, counts


def _of(source: Artefact) -> tuple[Features, Tokenizer]:
    return source.inputs, source.tokenizer


def _keys(features: Features, tokenizer: Tokenizer) -> dict[str, tuple[int, Keys]]:
    """For each kind of feature its first row, and what tells its features apart, row by row."""
    found, start = {}, 0
    for kind, keys in features.keys(tokenizer).items():
        found[kind] = (start, keys)
        start += len(keys)
    return found


def _common(ours: Keys, theirs: Keys) -> NDArray[np.int64]:
    """Where each key is that both have, in ours and in theirs: shape (2, N)."""
    if isinstance(ours, np.ndarray):
        _, *both = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
        return np.stack(both).astype(np.int64)
    place = {key: number for number, key in enumerate(theirs)}
    pairs = [(number, place[key]) for number, key in enumerate(ours) if key in place]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T


def _tensors(places: NDArray[np.int64]) -> Shared:
    return Shared(*(torch.from_numpy(np.ascontiguousarray(each)) for each in places))


def _number_of_features(features: Features) -> tuple[str, int]:
    """The keyword argument of a network that is the number of its embeddings."""
    return next(iter(features.sizes.items()))


def _axes(
    network: Callable[..., nn.Module], arguments: Mapping[str, Any], features: Features
) -> dict[str, tuple[str, ...]]:
    """What each axis of each parameter is: found by making the network a bit larger in one way and the other."""
    counted = (_number_of_features(features)[0], "classes")
    small = {**arguments, **dict.fromkeys(counted, SMALL)}

    def shapes(**larger: int) -> dict[str, tuple[int, ...]]:
        made = network(**{**small, **larger})
        return {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}

    with torch.random.fork_rng(devices=[]):  # the weights of the network that is trained must not depend on this
        usual, others = shapes(), {kind: shapes(**{kind: SMALL + 1}) for kind in counted}

    def kind_of(name: str, axis: int) -> str:
        return next((kind for kind in counted if others[kind][name][axis] != usual[name][axis]), "")

    return {name: tuple(kind_of(name, axis) for axis in range(len(shape))) for name, shape in usual.items()}
