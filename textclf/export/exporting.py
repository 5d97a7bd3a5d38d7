"""Export a finished run: the most exact model that is small enough, tested again, and refused if it is worse by more.

An export is a run itself, so that every command takes it; its ``model/`` is what goes elsewhere. It is chosen by its
size alone, so that no document of validation or test has a say in it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from textclf.artefacts import artefact, runs
from textclf.artefacts.artefact import Artefact
from textclf.artefacts.card import model_card
from textclf.artefacts.quantised import EMBEDDING
from textclf.dataset.directory import DataDirectory
from textclf.errors import TextclfError, UsageError
from textclf.evaluation.metrics import measure
from textclf.evaluation.predictions import Predictions, Tokens, answer
from textclf.export import feeding, graph
from textclf.export.pruning import SPECIAL, Pruning
from textclf.system import files, folders

LADDER: Final = ("float16", "int8", "int4")
"""Precisions that are tried for a size, the most exact first; what is too large still in the last is pruned."""
USUAL: Final = "int8"
"""Where no size is asked for."""
FINENESS: Final = 500  # a pruned model could have at the most this part of all features more, and still be small enough
MOST_DOCUMENTS: Final = 50_000  # that say how much a feature matters
LONG: Final = -0.30000000000000004  # takes the place of figures that are not known yet: none is longer in JSON
THRESHOLDS: Final = "thresholds.json"
"""The learned abstention thresholds of a model for ONNX Runtime: precision to probability."""
TOLERANCE: Final = 1e-4
"""How far ONNX Runtime's logits may be from ours."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export."""

    output: Path
    form: str
    """"safetensors", for textclf, or "onnx"."""
    precision: str | None
    """One of LADDER, or None for the most exact that is small enough."""
    max_size: int | None
    """Bytes of the whole folder."""
    max_drop: float
    """Percentage points of accuracy."""
    split: str
    """On which the drop is measured."""


class Figures(NamedTuple):
    """Of a model, before or after."""

    precision: str
    features: int
    size: int
    """Bytes of its folder."""
    accuracy: float
    macro_f1: float
    loss: float


class Exported(NamedTuple):
    """What came of it."""

    output: Path
    form: str
    run: str
    split: str
    documents: int
    before: Figures
    after: Figures
    agreement: float
    """Share of the documents that get the same label, between 0 and 1."""
    drop: float
    """Percentage points of accuracy that are lost; negative: won."""


class _Small(NamedTuple):
    """A model, and how exactly it is to be written."""

    trained: Artefact
    precision: str


@dataclass(frozen=True, slots=True)
class _Source:
    """A finished run, and the data it is of."""

    run: runs.Layout
    trained: Artefact
    data: DataDirectory
    tokens: Tokens
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path) -> "_Source":
        run = runs.resolve(path)
        trained = artefact.load(run.model)
        made = runs.data_of(run)
        data = DataDirectory.open(made.path, fingerprint=made.fingerprint, described=made.described)
        config, metrics = runs.read_json(run.config), runs.read_json(run.metrics)
        return cls(run, trained, data, Tokens(data, trained.tokenizer), config, metrics)

    def predict(self, trained: Artefact) -> dict[str, Predictions]:
        """What a model says of every split that the data has."""
        splits = [split for split in ("validation", "test") if len(self.data.rows(split))]
        tokens = self.tokens if trained is self.trained else Tokens(self.data, trained.tokenizer)
        return {split: answer(trained, tokens, split=split, run=self.run.root.name) for split in splits}

    def pruning(self) -> Pruning:
        rows = self.data.rows(self.metrics["tier"])
        some = rows[:: -(-len(rows) // MOST_DOCUMENTS)]
        return Pruning(self.trained, self.tokens.batches(some))


def export(path: Path, wanted: Wanted) -> Exported:
    """Export a run.

    Raises UsageError if there is no such run or split, if the output is there already, or if packages are missing;
    TextclfError, and leaves nothing behind, if no model is small enough or the one that is loses too much.
    """
    if wanted.output.exists() and (not wanted.output.is_dir() or any(wanted.output.iterdir())):
        raise UsageError(f"{wanted.output} exists; remove it, or choose another --output")
    if wanted.form == "onnx":
        graph.need_packages()
    source = _Source.open(path)
    before = source.predict(source.trained)
    if wanted.split not in before:
        raise UsageError(f"{source.data.layout.root} has no {wanted.split} split; choose another --split")
    small = _fit(source, wanted)
    with folders.replacing(wanted.output) as folder:
        return _write(folder, source, small, before, wanted)


def _fit(source: _Source, wanted: Wanted) -> _Small:
    """The most exact model that is small enough."""
    if wanted.max_size is None:
        return _Small(source.trained, wanted.precision or USUAL)
    ladder = LADDER if wanted.precision is None else (wanted.precision,)
    for precision in ladder:
        if _size(source, _Small(source.trained, precision), wanted) <= wanted.max_size:
            return _Small(source.trained, precision)
    return _prune(source, ladder[-1], wanted, most=wanted.max_size)


def _prune(source: _Source, precision: str, wanted: Wanted, *, most: int) -> _Small:
    """The model with about as many features as there is room for."""
    pruning = source.pruning()
    low, high = SPECIAL, pruning.features
    best = _Small(pruning.keep(low), precision)
    if (smallest := _size(source, best, wanted)) > most:
        raise TextclfError(
            f"no model of {source.run.root} fits into {most:,} bytes, the smallest has {smallest:,}; raise --max-size"
        )
    while high - low > max(pruning.features // FINENESS, 1):
        middle = (low + high) // 2
        tried = _Small(pruning.keep(middle), precision)
        if _size(source, tried, wanted) <= most:
            low, best = middle, tried
        else:
            high = middle
    return best


def _size(source: _Source, small: _Small, wanted: Wanted) -> int:
    """Bytes of the folder that would be exported, with some room."""
    metrics = {
        **source.metrics,
        **{split: dict.fromkeys(source.metrics[split], LONG) for split in ("validation", "test")},
    }
    same = _figures(source.trained, "float32", 10**9, metrics["test"])
    guess = Exported(wanted.output, wanted.form, source.run.root.name, wanted.split, 10**9, same, same, LONG, LONG)
    groups = _model(source, small, metrics, guess, wanted.form), _records(source, metrics, guess)
    return sum(len(content) for files in groups for content in files.values())


def _write(folder: Path, source: _Source, small: _Small, before: Mapping[str, Predictions], wanted: Wanted) -> Exported:
    """Write a model, test what was written, and write it again with its figures; raises TextclfError if it is bad."""
    run = runs.Layout(folder)
    artefact.save(run.model, small.trained, card="", precision=small.precision)
    written = artefact.load(run.model)
    after = source.predict(written)
    folders.remove(run.model)
    measured = {split: measure(found.labels, found.logits)._asdict() for split, found in after.items()}
    kept = {"validation": source.metrics["validation"]} if source.metrics["refit"] else {}  # it has learnt those, too
    old, new = before[wanted.split], after[wanted.split]
    metrics = {
        **source.metrics,
        **measured,
        **kept,
        "parameters": sum(array.size for array in written.weights.values()),
    }
    made = Exported(
        wanted.output,
        wanted.form,
        source.run.root.name,
        wanted.split,
        len(old.labels),
        _figures(
            source.trained, _precision(source), _bytes(source.run.model), measure(old.labels, old.logits)._asdict()
        ),
        _figures(written, small.precision, 0, measured[wanted.split]),
        float(np.mean(old.answers == new.answers)),
        float(100 * (np.mean(old.answers == old.labels) - np.mean(new.answers == new.labels))),
    )
    for _ in range(5):  # the size stands in the card, whose digits count, as do those of its checksum
        size = sum(map(len, _model(source, small, metrics, made, wanted.form).values()))
        made = made._replace(after=made.after._replace(size=size))
    _accept(made, wanted)
    files.make_folder(run.model)
    for name, content in _model(source, small, metrics, made, wanted.form).items():
        files.write_bytes(run.model / name, content)
    for name, content in _records(source, metrics, made).items():
        files.write_bytes(folder / name, content)
    if wanted.form == "onnx":
        _compare(run.model / artefact.Layout(run.model).graph.name, written, new, source)
    made = made._replace(after=made.after._replace(size=_bytes(run.model)))
    if wanted.max_size is not None and (size := _bytes(folder)) > wanted.max_size:
        raise TextclfError(f"the export has {size:,} bytes, more than {wanted.max_size:,}; choose a smaller --max-size")
    return made


def _accept(made: Exported, wanted: Wanted) -> None:
    """Raise TextclfError if too much is lost; a hundredth of a hundredth of a point is rounding."""
    if made.drop > wanted.max_drop + 1e-4:
        raise TextclfError(
            f"not exported: accuracy on {made.split} falls from {made.before.accuracy:.4f} to "
            f"{made.after.accuracy:.4f}, by {made.drop:.2f} points and not the {wanted.max_drop:g} allowed, with "
            f"{made.after.size:,} bytes ({made.after.precision}, {made.after.features:,} of "
            f"{made.before.features:,} features); raise --max-size or --max-drop"
        )


def _figures(trained: Artefact, precision: str, size: int, metrics: Mapping[str, Any]) -> Figures:
    features = len(trained.weights[EMBEDDING])
    return Figures(precision, features, size, metrics["accuracy"], metrics["macro_f1"], metrics["loss"])


def _precision(source: _Source) -> str:
    """Of the model that is exported, which may be an export."""
    return str(source.metrics.get("exported", {}).get("after", {}).get("precision", "float32"))


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _summary(made: Exported) -> dict[str, Any]:
    """What metrics.json and the artefact say of an export."""
    values = made._asdict() | {"before": made.before._asdict(), "after": made.after._asdict()}
    del values["output"]
    return values


def _without_size(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The same for config.json, whose length depends on all that it says: it cannot say how long it is."""
    models = {which: {**summary[which]} for which in ("before", "after")}
    for model in models.values():
        del model["size"]
    return {**summary, **models}


def _model(source: _Source, small: _Small, metrics: Mapping[str, Any], made: Exported, form: str) -> dict[str, bytes]:
    """The files of ``model/`` by name."""
    trained, precision = small
    summary = _summary(made)
    figures = {split: metrics[split] for split in ("validation", "test") if split in metrics}
    described = replace(trained, trained={**trained.trained, **figures, "exported": _without_size(summary)})
    card = model_card(
        metrics,
        source.data.counts(source.metrics["tier"]),
        source.data.manifest,
        size=made.after.size,
        versions=source.config["versions"],
        exported=summary,
    )
    if form == "safetensors":
        return artefact.contents(described, card=card, precision=precision)
    return _onnx(described, card, precision)


def _onnx(trained: Artefact, card: str, precision: str) -> dict[str, bytes]:
    layout = artefact.Layout(Path())
    files = {
        layout.graph.name: graph.serialise(trained, precision=precision),
        layout.tokenizer.name: artefact.encode(trained.tokenizer.to_json()),
        layout.labels.name: artefact.encode(trained.labels, indent=2),
        layout.card.name: card.encode(),
        THRESHOLDS: artefact.encode(asdict(trained.abstention), indent=2),
    }
    return files | feeding.contents(trained)


def _records(source: _Source, metrics: Mapping[str, Any], made: Exported) -> dict[str, bytes]:
    """The files that make the folder a run, by name; how it was trained is what it was."""
    run = runs.Layout(Path())
    history = source.run.history
    kept = {run.history.name: history.read_bytes()} if history.exists() else {}
    return kept | {
        run.config.name: files.to_json({**source.config, "exported": made.run}),
        run.metrics.name: files.to_json({**metrics, "exported": _summary(made)}),
    }


def _compare(path: Path, written: Artefact, expected: Predictions, source: _Source) -> None:
    """Run the graph on the split; raises TextclfError if its logits are others than those of the numpy runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    tokens = Tokens(source.data, written.tokenizer)
    start = 0
    for batch in tokens.batches(expected.rows):
        logits = session.run(["logits"], written.inputs(*batch)._asdict())[0]
        apart = float(np.abs(logits - expected.logits[start : start + len(logits)]).max())
        start += len(logits)
        if not apart <= TOLERANCE * max(1.0, float(np.abs(logits).max())):
            raise TextclfError(f"ONNX Runtime gives logits that are {apart:.2g} from ours; try another version of it")
