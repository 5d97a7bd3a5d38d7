"""Labels that are probably wrong: each document is predicted by a model that was trained on others.

The documents of all splits are divided into folds; each fold is predicted by a model that was trained on the others.
The lower the probability of a document's own label, the more suspect it is. On 20newsgroups with 5 % of the labels
changed at random, that ranking finds more of them than confident learning's own choice does; how many are wrong is
confident learning's estimate: see `textclf.evaluation.confident_learning`.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf import __version__
from textclf.config import SuspectsConfig, TrainConfig
from textclf.dataset import finding, splits
from textclf.dataset.corrections import VERDICTS
from textclf.dataset.directory import UNSEEN, DataDirectory, Part
from textclf.dataset.originals import texts_of
from textclf.dataset.read_corpus import Progress
from textclf.errors import DataError, TextclfError
from textclf.evaluation import confident_learning
from textclf.models.arithmetic import sigmoid, softmax
from textclf.system import cache, checksums, files, listing, locks, requirements
from textclf.system.wording import counted, form
from textclf.training.setup import set_up

HELD_BACK: Final = 10
"""One in so many of the documents that are trained on tells when to stop."""

COLUMNS: Final = ("id", "split", "given", "suggested", "score", "label", "drop", "text")
"""Of a list of suspects; those of VERDICTS are empty, for whoever reviews it."""
COLUMNS_OF_SEVERAL: Final = ("id", "split", "given", "missing", "wrong", "score", "add", "remove", "drop", "text")


class Suspect(NamedTuple):
    """A document with a label that is probably wrong, or of several a label that it lacks or should not have."""

    id: str
    """The source's: from the id column, a file name or a row number."""
    split: str
    given: str | tuple[str, ...]
    """Its label, or all its labels."""
    suggested: str | None
    """The most probable label, where a document has one."""
    missing: str | None
    """The label that a document of several seems to lack."""
    wrong: str | None
    """The label that a document of several seems to have wrongly."""
    score: float
    """The probability that the label is right, by a model that has not seen the document."""
    text: str | None
    """As the source has it; None if the source cannot be read as it was."""
    document: str
    """The id in the data directory, such as train-0000017."""


@dataclass(frozen=True, slots=True)
class Suspects:
    """What was found in a data directory."""

    found: list[Suspect]
    """The most suspect first."""
    documents: int
    """All documents."""
    estimate: int
    """Labels that are wrong by confident learning's estimate."""
    accuracy: float
    """Share of the labels that are as the models predict, which have not seen them; of several, of all pairs."""
    is_multi: bool
    """Whether documents may have several labels."""
    notes: list[str]
    """What was left out, and why."""
    separator: str
    """Between several labels in a cell."""

    def write(self, output: str | PathLike[str] | None) -> None:
        """Write the list as CSV or, if the file ends in .jsonl, as JSON lines; None: as CSV to stdout."""
        path = None if output is None else Path(output)
        columns = COLUMNS_OF_SEVERAL if self.is_multi else COLUMNS
        empty: dict[str, Any] = dict.fromkeys(VERDICTS)
        listing.write((empty | each._asdict() for each in self.found), columns, path, separator=self.separator)


def find_suspects(
    config: SuspectsConfig,
    *,
    progress: Progress = lambda items, _title, _total: items,
    tell: Callable[[str], None] = lambda _line: None,
) -> Suspects:
    """Train a model for each fold, and list the labels that are probably wrong.

    What each fold's model predicts is kept in the user's cache folder until all are done, so that the same call resumes
    a killed one; no run is written. Raises UsageError if there is no such data, DataError if it has too few documents,
    and what `textclf.training.train` raises.
    """
    requirements.need("suspects", requirements.TRAINING, install=requirements.ALL)
    data = DataDirectory.open(finding.find(config.data, config.data_dir))
    fold = divide(data, folds=config.folds, seed=config.seed)
    with locks.one_thread("training"), _kept(data, config) as folder:
        logits = _predict(data, fold, config, folder, progress=progress, tell=tell)
    list_them = _of_several if data.is_multi else _of_one
    return list_them(data, logits, fold, config.limit)


# Folds


def divide(data: DataDirectory, *, folds: int, seed: int) -> NDArray[np.int8]:
    """The fold of each document, shape (D,): stratified by label, and the same for copies, by their token ids.

    Raises DataError if there are fewer different documents than two for each fold.
    """
    documents = data.documents
    keys = documents.crc32.astype(np.int64) << 31 | documents.tokens
    _, first, copy = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) < 2 * folds:
        raise DataError(
            f"{data.layout.root} has {counted(len(first), 'different document')}, too few for {folds} folds; "
            "name fewer: --folds"
        )
    ordered = np.sort(first)
    fold = np.zeros(len(documents), dtype=np.int8)
    order = splits.nested_order(_strata(data)[ordered], seed=seed)
    fold[ordered[order]] = np.arange(len(ordered)) % folds
    of_copies: NDArray[np.int8] = fold[first[copy]]
    return of_copies


def _strata(data: DataDirectory) -> NDArray[np.int32]:
    """What folds are stratified by: the label of each document, of several the rarest."""
    label = data.documents.label
    return data.label_sets().strata(label, counts=data.label_sets().counts(label)) if data.is_multi else label


def _parts(data: DataDirectory, fold: NDArray[np.int8], number: int, *, seed: int) -> dict[str, Part]:
    """The documents that are trained on, those that tell when to stop, and the fold's."""
    classes, lengths = data.classes(), data.documents.tokens
    is_known = np.ones(len(fold), dtype=bool) if data.is_multi else classes > UNSEEN
    others = np.flatnonzero((fold != number) & is_known)
    order = others[splits.nested_order(_strata(data)[others], seed=seed)]
    held_back = max(len(order) // HELD_BACK, 1)
    rows = {"train": order[:-held_back], "validation": order[-held_back:], "test": np.flatnonzero(fold == number)}
    sorted_rows = {name: np.sort(some).astype(np.int32) for name, some in rows.items()}
    return {name: Part(some, classes[some], lengths[some]) for name, some in sorted_rows.items()}


def _predict(
    data: DataDirectory,
    fold: NDArray[np.int8],
    config: SuspectsConfig,
    folder: Path,
    *,
    progress: Progress,
    tell: Callable[[str], None],
) -> NDArray[np.float32]:
    """Logits (D, C) of all documents, each by the model that was trained without its fold."""
    logits = np.zeros((len(fold), len(data.manifest.labels)), dtype=np.float32)
    paths = {number: folder / f"{number}.npy" for number in range(config.folds)}
    shapes = {number: (int((fold == number).sum()), logits.shape[1]) for number in paths}
    found = {number: _read(path, shape=shapes[number]) for number, path in paths.items()}
    if done := sum(each is not None for each in found.values()):
        tell(f"resuming: {done} of {counted(config.folds, 'fold')} {form(done, 'is', 'are')} done")
    for number, before in found.items():
        if before is None:
            title = f"fold {number + 1} of {config.folds}"
            logits[fold == number] = _train(data, _parts(data, fold, number, seed=config.seed), config, title, progress)
            _write(paths[number], logits[fold == number])
        else:
            logits[fold == number] = before
    return logits


def _train(
    data: DataDirectory, parts: Mapping[str, Part], config: SuspectsConfig, title: str, progress: Progress
) -> NDArray[np.float32]:
    """Logits of a fold's documents, by the default model. Without label smoothing, which blurs its probabilities."""
    settings = TrainConfig.create(
        tier="full",
        data=str(data.layout.root),
        seed=config.seed,
        device=config.device,
        label_smoothing=0.0,
        refit=False,
        test=False,
        num_workers=0,
    )
    setup = set_up(settings, data, parts=parts)
    from textclf.training.out_of_fold import predict_unseen

    steps = -(-len(parts["train"]) // (setup.config.batch_size or 1))
    return predict_unseen(setup, watch=lambda batches, _meter: progress(batches, title, steps))


# Kept until all folds are done


@contextmanager
def _kept(data: DataDirectory, config: SuspectsConfig) -> Iterator[Path]:
    """The folder of what the folds' models predict, which is removed at the end, unless it comes early.

    A temporary one, which nobody resumes, if the user has no home, or another process predicts the same just now.
    """
    parent = cache.folder("suspects")
    if not parent.is_absolute():
        with _temporary() as folder:
            yield folder
        return
    origin = {
        "textclf": __version__,
        "data": data.manifest.fingerprint,
        "folds": config.folds,
        "seed": config.seed,
        "device": config.device,
    }
    place = parent / checksums.digest(origin)[:32]
    cache.remove_old(parent)
    with ExitStack() as held:
        if _hold(place, held):
            yield place
            files.remove(place)
        else:
            yield held.enter_context(_temporary())


def _hold(place: Path, held: ExitStack) -> bool:
    """Make a folder and keep it to this process; False if another one has it."""
    while True:
        files.make_folder(place)
        with suppress(FileNotFoundError):  # another process has removed it just now, as it has ended
            return held.enter_context(locks.holding(place)) is not False


@contextmanager
def _temporary() -> Iterator[Path]:
    with TemporaryDirectory(prefix="textclf-suspects-") as folder:
        yield Path(folder)


def _write(path: Path, logits: NDArray[np.float32]) -> None:
    content = io.BytesIO()
    np.save(content, logits, allow_pickle=False)
    files.write_bytes(path, content.getvalue())


def _read(path: Path, *, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """The logits of a fold; None if they are not there, or not as they were written."""
    try:
        with files.open_to_read(path) as file:
            found = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.dtype == np.float32 and found.shape == shape else None


# Lists


def _of_one(data: DataDirectory, logits: NDArray[np.float32], fold: NDArray[np.int8], limit: int | None) -> Suspects:
    """The suspects of documents with one label each."""
    classes, names = data.classes().astype(np.int64), data.manifest.labels
    notes = []
    is_known = classes > UNSEEN
    if unseen := int((~is_known).sum()):
        notes.append(f"{counted(unseen, 'document has', 'documents have')} a label that no training document has")
    elsewhere = _documents_elsewhere(classes, fold, classes=len(names))
    if alone := int((is_known & (elsewhere == 0)).sum()):
        notes.append(f"{counted(alone, 'document is', 'documents are')} the only one of its label")
    rows = np.flatnonzero(is_known & (elsewhere > 0))
    labels, probabilities = classes[rows], softmax(logits[rows])
    own, answers = confident_learning.self_confidence(labels, probabilities), probabilities.argmax(axis=1)
    estimate = int(confident_learning.wrong_labels(labels, probabilities).sum())
    differing = np.flatnonzero(answers != labels)
    order = differing[np.argsort(own[differing], kind="stable")][: estimate if limit is None else limit]
    texts, note = _texts(data, rows[order])
    found = [
        _suspect(data, row, score, texts)._replace(suggested=names[answer])
        for row, score, answer in zip(rows[order].tolist(), own[order].tolist(), answers[order].tolist(), strict=True)
    ]
    accuracy = float((answers == labels).mean()) if len(labels) else 0.0
    return _suspects(data, found, estimate, accuracy, [*(f"{each}: left out" for each in notes), *note])


def _documents_elsewhere(labels: NDArray[np.int64], fold: NDArray[np.int8], *, classes: int) -> NDArray[np.int64]:
    """How many documents of other folds have each document's label, shape (D,)."""
    known = np.maximum(labels, 0)
    pairs = known * (int(fold.max()) + 1) + fold
    same_label, same_pair = np.bincount(known, minlength=classes), np.bincount(pairs)
    elsewhere: NDArray[np.int64] = same_label[known] - same_pair[pairs]
    return elsewhere


def _of_several(
    data: DataDirectory, logits: NDArray[np.float32], _fold: NDArray[np.int8], limit: int | None
) -> Suspects:
    """The suspect pairs of a document and a label, where a document may have several."""
    names = data.manifest.labels
    truth = data.label_sets().matrix(names)[data.documents.label]  # (D, C)
    probabilities = sigmoid(logits)
    own = np.where(truth, probabilities, 1 - probabilities)
    estimate = int(confident_learning.wrong_pairs(truth, probabilities).sum())
    places = confident_learning.rank_pairs(truth, probabilities)[: estimate if limit is None else limit]
    rows, labels = np.unravel_index(places, truth.shape)
    texts, note = _texts(data, rows)
    found = [
        _suspect(data, row, float(own[row, label]), texts)._replace(
            wrong=names[label] if truth[row, label] else None, missing=None if truth[row, label] else names[label]
        )
        for row, label in zip(rows.tolist(), labels.tolist(), strict=True)
    ]
    return _suspects(data, found, estimate, float((own >= 0.5).mean()), note)


def _suspect(data: DataDirectory, row: int, score: float, texts: Mapping[int, str]) -> Suspect:
    documents = data.documents
    return Suspect(
        documents.source[row],
        documents.split_of(row),
        documents.label_of(row),
        suggested=None,
        missing=None,
        wrong=None,
        score=score,
        text=texts.get(row),
        document=documents.id_of(row),
    )


def _suspects(data: DataDirectory, found: list[Suspect], estimate: int, accuracy: float, notes: list[str]) -> Suspects:
    return Suspects(found, len(data.documents), estimate, accuracy, data.is_multi, notes, data.separator)


def _texts(data: DataDirectory, rows: NDArray[np.integer]) -> tuple[Mapping[int, str], list[str]]:
    """The texts of documents, as the source has them, and a note if they cannot be had."""
    try:
        return texts_of(data, dict.fromkeys(rows.tolist())), []
    except (TextclfError, ImportError) as error:  # datasets may not be installed
        return {}, [f"rows have no text: {error}"]
