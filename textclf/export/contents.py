"""The files of an export, and what they say. Knows nothing about how the model was chosen.

config.json, history.jsonl, metrics.json   make the folder a run, which every command takes
model/                                     the model itself: an artefact, or an ONNX graph with what it needs

In the form ``pyz``, all of it is one file: the artefact, and the code that predicts.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from textclf.artefacts import model_folder, runs
from textclf.artefacts.artefact import Artefact
from textclf.artefacts.card import model_card
from textclf.export import onnx, pyz
from textclf.export.finished_run import FinishedRun
from textclf.system import files

THRESHOLDS: Final = "thresholds.json"
"""The learned abstention thresholds of a model for ONNX Runtime: precision to probability."""


class Candidate(NamedTuple):
    """A model that could be exported, and the precision that its weights would be written in."""

    trained: Artefact
    precision: str


class Figures(NamedTuple):
    """Size and scores of one model."""

    precision: str
    features: int
    size: int
    """Bytes of its folder."""
    accuracy: float
    macro_f1: float
    micro_f1: float
    """With one label per document it equals the accuracy."""
    loss: float

    @classmethod
    def of(cls, candidate: Candidate, metrics: Mapping[str, Any], *, size: int) -> "Figures":
        """Figures of a model from its metrics on one split."""
        features = next(iter(candidate.trained.inputs.sizes.values()))
        scores = (metrics[name] for name in ("accuracy", "macro_f1", "micro_f1", "loss"))
        return cls(candidate.precision, features, size, *scores)


class Exported(NamedTuple):
    """What was exported, compared with the run it comes from."""

    output: Path
    form: str
    """One of `FORMS`."""
    run: str
    split: str
    """The split that both models are compared on."""
    documents: int
    before: Figures
    after: Figures
    agreement: float
    """Share of the documents that get the same label from both models, between 0 and 1."""
    drop: float
    """Percentage points of micro-F1, which is the accuracy of one label per document; negative if it is better."""

    def sized(self, size: int) -> "Exported":
        """The same with the size of the exported model, in bytes."""
        return self._replace(after=self.after._replace(size=size))

    def summary(self) -> dict[str, Any]:
        """What metrics.json says about the export."""
        values = self._asdict() | {"before": self.before._asdict(), "after": self.after._asdict()}
        del values["output"]
        return values

    def summary_without_sizes(self) -> dict[str, Any]:
        """What the artefact's config.json says: it cannot state a size that depends on its own length."""
        values = self.summary()
        del values["before"]["size"], values["after"]["size"]
        return values


def run_files(run: FinishedRun, metrics: Mapping[str, Any], exported: Exported) -> dict[str, bytes]:
    """The files that make the folder a run, by name; its history is that of the run it comes from."""
    layout = runs.RunLayout(Path())
    history = runs.read_history(run.layout)
    return {
        **({layout.history.name: history} if history else {}),
        layout.config.name: files.to_json({**run.config, "exported": exported.run}),
        layout.metrics.name: files.to_json({**metrics, "exported": exported.summary()}),
    }


def model_files(
    run: FinishedRun, candidate: Candidate, metrics: Mapping[str, Any], exported: Exported
) -> dict[str, bytes]:
    """The files of ``model/`` by name."""
    measured = {split: metrics[split] for split in ("validation", "test") if split in metrics}
    about = {**candidate.trained.trained, **measured, "exported": exported.summary_without_sizes()}
    card = model_card(
        metrics,
        run.data.training_counts(run.metrics),
        run.data.manifest,
        size=exported.after.size,
        versions=run.config["versions"],
        exported=exported.summary(),
    )
    trained = replace(candidate.trained, trained=about)
    return FORMS[exported.form].files(trained, card=card, precision=candidate.precision)


def model_size(form: str, model: Mapping[str, bytes]) -> int:
    """Bytes of the files of ``model/``, or of the one file that is made of them."""
    pack = FORMS[form].pack
    return total(model) if pack is None else len(pack(model))


def largest_size(form: str, model: Mapping[str, bytes], records: Mapping[str, bytes]) -> int:
    """At most the bytes of an export with files of these lengths.

    A figure may be packed less well than the one that stands for it, but not into more bytes than it has.
    """
    if FORMS[form].pack is None:
        return total(model) + total(records)
    return pyz.most_bytes(model) + len(model[model_folder.CONFIG]) + len(model[model_folder.CARD])


def total(contents: Mapping[str, bytes]) -> int:
    """Bytes of some files."""
    return sum(map(len, contents.values()))


def _onnx(trained: Artefact, *, card: str, precision: str) -> dict[str, bytes]:
    layout = model_folder.Layout(Path())
    return {
        layout.graph.name: onnx.serialise(trained, precision=precision),
        layout.tokenizer.name: model_folder.encode(trained.tokenizer.to_json()),
        layout.labels.name: model_folder.encode(trained.labels, indent=2),
        layout.card.name: card.encode(),
        THRESHOLDS: model_folder.encode(_thresholds(trained), indent=2),
        **onnx.contents(trained, precision=precision),
    }


class Form(NamedTuple):
    """How a model is written."""

    files: Callable[..., dict[str, bytes]]
    """The files of ``model/``, from the model, its card and a precision."""
    pack: Callable[[Mapping[str, bytes]], bytes] | None = None
    """Makes one file of them. None: they are written into a folder, with those that make it a run."""


FORMS: Final[Mapping[str, Form]] = {
    "safetensors": Form(model_folder.contents),
    "onnx": Form(_onnx),
    "pyz": Form(model_folder.contents, pyz.pack),
}


def _thresholds(trained: Artefact) -> dict[str, Any]:
    """The thresholds of precisions and, where a text may have several labels, of each label."""
    found = asdict(trained.abstention)
    return found | {"labels": dict(zip(trained.labels, trained.thresholds, strict=True))} if trained.is_multi else found
