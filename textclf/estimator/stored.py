"""A fitted estimator as the files of a model folder and estimator.json: for the disk, and for pickle as bytes.

estimator.json holds the parameters, the classes in their type, and the figures of training. Other commands need none
of it: ``textclf predict --run FOLDER`` uses the folder as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from textclf.artefacts import model_folder
from textclf.artefacts.artefact import Artefact
from textclf.errors import ArtefactError, UsageError
from textclf.estimator.inputs import Labels
from textclf.settings import shown
from textclf.system import checksums, failures, files, folders

NAME: Final = "estimator.json"

TYPES: Final = {
    kind.__name__: kind
    for kind in (
        *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
        *(np.float16, np.float32, np.float64, np.bool_, np.str_, np.object_),
    )
}
"""Types of classes; strings have any length."""


class Described(NamedTuple):
    """What estimator.json holds."""

    parameters: Mapping[str, Any]
    classes: Labels
    metrics: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]


def contents(trained: Artefact, described: Described, *, card: str) -> dict[str, bytes]:
    """The files by name, in the order in which they must be written."""
    return {NAME: _encoded(described), **model_folder.contents(trained, card=card)}


def save(root: Path, written: Mapping[str, bytes]) -> None:
    """Write the files to a folder that appears complete, and replaces an earlier model there.

    Raises UsageError if something else is there, ResourceError if the disk is full.
    """
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is a file; choose another path")
    ours = {Path(name).parts[0] for name in written}
    if root.is_dir() and (foreign := sorted({path.name for path in root.iterdir()} - ours)):
        raise UsageError(f"{root} has files of something else ({', '.join(foreign[:3])}); choose another path")
    with folders.replacing(root) as folder:
        model_folder.write(folder, written)


def read(root: Path, trained: Artefact) -> Described:
    """What estimator.json says; of a model that no estimator has written, its labels and what the model says.

    Raises ArtefactError if it is damaged, or of another model.
    """
    path = root / NAME
    try:
        content = files.read_bytes(path, most=files.MAX_JSON_BYTES)
        if not checksums.is_sealed(content):
            raise ValueError("it is not what was written")
        values = files.parse_object(content)
        found = Described(
            values["parameters"],
            np.array(values["classes"], dtype=TYPES[values["type"]]),
            values["metrics"],
            values["history"],
        )
        if sorted(map(str, found.classes.tolist())) != sorted(trained.labels):
            raise ValueError("its classes are not those of the model")
    except FileNotFoundError:
        kept = {name: trained.trained[name] for name in ("tier", "seed") if name in trained.trained}
        return Described({"model": trained.model, **kept}, np.unique(trained.labels), trained.trained, ())
    except (OSError, ValueError, LookupError, TypeError) as error:
        damage = ArtefactError(f"{path} is damaged ({error}); save the estimator again")
        raise failures.refused(error, path) or damage from error
    return found


def in_memory(trained: Artefact) -> Artefact:
    """The same model with arrays of its own, which need its file no longer."""
    learnt, _ = model_folder.split(trained.inputs)
    inputs = replace(trained.inputs, **{name: array.copy() for name, array in learnt.items()})  # type: ignore[type-var]
    weights = {name: array.copy() for name, array in trained.weights.items()}
    return replace(trained, weights=weights, inputs=inputs, view=trained.view and trained.view.in_memory())


def code_of(model: str) -> list[Path]:
    """The file of a user's class, given the parameter ``model``; none for a model that has a name."""
    file, separator, _ = str(model).rpartition(":")
    return [Path(file)] if separator else []


def _encoded(described: Described) -> bytes:
    classes = described.classes
    return checksums.seal(
        {
            "parameters": {name: _plain(name, value) for name, value in described.parameters.items()},
            "type": "str_" if classes.dtype.kind == "U" else classes.dtype.name.replace("object", "object_"),
            "classes": classes.tolist(),
            "metrics": described.metrics,
            "history": described.history,
        }
    )


def _plain(name: str, value: Any) -> Any:
    """A parameter as JSON can hold it; raises UsageError if it cannot."""
    if isinstance(value, list | tuple):
        return [_plain(name, each) for each in value]
    plain = value.item() if isinstance(value, np.generic) else str(value) if isinstance(value, Path) else value
    if plain is not None and not isinstance(plain, str | int | float):
        raise UsageError(f"{name}: {shown(value)} cannot be saved; set another value first")
    return plain
