"""Documents in memory to a model in memory: what `textclf preprocess` and `textclf train` do, in a temporary folder."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from textclf import progress, training
from textclf.artefacts import loading, model_folder, runs
from textclf.artefacts.artefact import Artefact
from textclf.config import PreprocessConfig, TrainConfig
from textclf.dataset import build
from textclf.dataset.directory import DataDirectory
from textclf.dataset.vectors import vectors_of
from textclf.estimator.stored import code_of, in_memory
from textclf.estimator.temporary import temporary_folder
from textclf.system import locks
from textclf.system.signals import stopping
from textclf.training import encoding
from textclf.training.bar import TrainingBar
from textclf.training.display import Display

PREPROCESSING: Final = ("validation_size", "lowercase", "max_vocab", "max_parts", "min_count")
"""Parameters that are settings of `textclf preprocess`; the others are settings of `textclf train`, and the seed both.
"""

Settings = Mapping[str, Any]


class Fitted(NamedTuple):
    """A trained model and what is known about its training."""

    trained: Artefact
    card: str
    """The model card."""
    metrics: Mapping[str, Any]
    """As in metrics.json of a run."""
    history: Sequence[Mapping[str, Any]]
    """As in history.jsonl: one mapping per epoch."""


def fit(texts: Sequence[str], labels: Sequence[str], *, settings: Settings, verbose: bool) -> Fitted:
    """Train a model on documents, some of which are held out for validation; raises what the commands raise.

    Threads of one process take turns, as torch has one generator of random numbers.
    """
    made_of = {name: settings[name] for name in PREPROCESSING}
    given = {name: value for name, value in settings.items() if name not in PREPROCESSING}
    with locks.one_thread("training"), temporary_folder() as folder, _keeping_random_numbers(), stopping():
        config = TrainConfig.create(**given, data=str(folder / "data" / "texts"), run_dir=folder / "runs", test=False)
        preprocessing = PreprocessConfig(
            source=("texts",),
            name="texts",
            data_dir=folder / "data",
            seed=config.seed,
            test_size=None,
            whole_labels=True,
            tensors="none",
            num_workers=1,
            **made_of,
        )
        pairs = list(zip(texts, labels, strict=True))
        if verbose:
            build.preprocess(preprocessing, held=pairs, progress=progress.of_items)
        else:
            build.preprocess(preprocessing, held=pairs)
        if config.encoder is not None or config.unlabelled:
            _encode(config, texts)
        with _display(verbose) as display:
            run = training.train(config, display=display)
        trained = in_memory(loading.load(run.model, code=code_of(settings["model"])))
        return Fitted(
            trained, model_folder.read_card(run.model), runs.read_json(run.metrics), runs.read_lines(run.history)
        )


def _encode(config: TrainConfig, texts: Sequence[str]) -> None:
    """Keep the vectors of the documents with the data, since training has not the texts any more."""
    data = DataDirectory.open(Path(str(config.data)))
    parts = data.parts(config.tier)
    rows = np.concatenate([part.rows for part in parts.values()])
    of_rows = {row: texts[int(data.documents.source[row]) - 1] for row in rows.tolist()}
    encoder = encoding.encoder_of(config, data, parts, texts=of_rows)
    vectors_of(data, encoder, rows, most=config.encoder_limit, texts=of_rows)


@contextmanager
def _display(verbose: bool) -> Iterator[Display | None]:
    """A bar that stays as it is when training ends or stops, if one is wanted."""
    if not verbose:
        yield None
        return
    with closing(TrainingBar()) as bar:
        yield bar


@contextmanager
def _keeping_random_numbers() -> Iterator[None]:
    """Leave torch's random numbers as they were, if the program has imported it."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        yield
