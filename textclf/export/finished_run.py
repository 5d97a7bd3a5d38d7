"""The finished run that is exported, with what its model and its data say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from textclf.artefacts import loading, runs
from textclf.artefacts.artefact import Artefact
from textclf.dataset.directory import DataDirectory
from textclf.evaluation.predictions import Predictions, Tokens, predict_split
from textclf.export.pruning import Pruning

MOST_DOCUMENTS: Final = 50_000
"""Training documents, evenly spaced, from which the importance of a feature is computed."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run's model, figures and settings, and its data directory."""

    layout: runs.RunLayout
    trained: Artefact
    data: DataDirectory
    tokens: Tokens
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    code: Sequence[Path] = ()
    """Files with the class of a user's model."""

    @classmethod
    def open(cls, path: Path, *, code: Sequence[Path] = ()) -> "FinishedRun":
        """Read everything that an export needs; raises UsageError if there is no such run, ArtefactError on damage."""
        layout = runs.resolve(path)
        trained = loading.load(layout.model, code=code)
        made = runs.data_of(layout)
        data = DataDirectory.open(made.path, fingerprint=made.fingerprint, described=made.described)
        config, metrics = runs.read_json(layout.config), dict(runs.read_json(layout.metrics))
        metrics.pop("labels", None)  # figures that the export would have to measure again
        return cls(layout, trained, data, Tokens(data, trained.tokenizer), config, metrics, code)

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.layout.root.name

    @property
    def precision(self) -> str:
        """Precision of the run's own weights: float32 unless the run is an export itself."""
        return str(self.metrics.get("exported", {}).get("after", {}).get("precision", "float32"))

    def predict(self, trained: Artefact) -> dict[str, Predictions]:
        """Predictions of a model, which may be smaller than the run's, by split: of each split the data has."""
        splits = [split for split in ("validation", "test") if len(self.data.rows(split))]
        tokens = self.tokens if trained is self.trained else Tokens(self.data, trained.tokenizer)
        return {split: predict_split(trained, tokens, split=split, run=self.name) for split in splits}

    def pruning(self, *, most_documents: int = MOST_DOCUMENTS) -> Pruning:
        """The model with its features ranked by their importance in the training documents."""
        rows = self.data.rows(self.metrics["tier"])
        sampled = rows[:: -(-len(rows) // most_documents)]
        return Pruning(self.trained, self.tokens.batches(sampled))
