"""Any dataset of the Hugging Face Hub, read through the datasets library. No code of a dataset is ever run."""

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from textclf.errors import DataError, UsageError
from textclf.sources.catalogue import PARQUET_BRANCH
from textclf.sources.columns import SAMPLED_RECORDS, find_columns, follow, to_row
from textclf.sources.document import Columns, Corpus, Document, Rows, documents
from textclf.sources.layouts import split_of
from textclf.sources.opening import is_there
from textclf.system import failures

PROBE_SECONDS: Final = 10.0
"""Timeout of the first request."""


def read_hub(
    repository: str,
    *,
    columns: Columns,
    config: str | None = None,
    revision: str | None = None,
    splits: Mapping[str, str] | None = None,
) -> Corpus:
    """Download, or find in the cache, the dataset ``owner/name``; ``splits`` maps our split names to theirs.

    Raises UsageError if there is no such dataset, configuration, revision or column, DataError if the Hub cannot be
    reached or what it holds cannot be used.
    """
    _refuse_folder(repository)
    with _explained(repository, revision), _quiet():
        commit = _commit(repository, revision)
        data = _load(repository, config, commit or revision)
    found, notes = from_dataset_dict(data, columns=columns, splits=splits, where=repository)
    name = repository.replace("/", "-")
    return Corpus(
        name,
        source=repository,
        revision=commit or revision or "main",
        splits=found,
        notes=notes,
        columns=found["train"].columns,
    )


def _refuse_folder(repository: str) -> None:
    """Raise UsageError where the datasets library would read a folder of this name in place of the Hub."""
    if is_there(Path(repository)):
        raise UsageError(
            f"{repository} would be read from the folder of that name here, and not from the Hugging Face Hub: run the "
            f"command in another folder, or name files, such as '{repository}/*.csv'"
        )


def from_dataset_dict(
    data: Mapping[str, Any], *, columns: Columns, where: str, splits: Mapping[str, str] | None = None
) -> tuple[dict[str, "HubDocuments"], tuple[str, ...]]:
    """Return the documents of a ``datasets.DatasetDict`` by split, and notes about the splits that are left out."""
    chosen = splits or _usual_splits(data)
    missing = sorted(set(chosen.values()) - set(data))
    if missing or "train" not in chosen:
        raise DataError(f"{where} has no {(missing or ['train'])[0]} split; it has {', '.join(data)}")
    notes = [f"the split {name!r} is not used" for name in data if name not in chosen.values()]
    found = {}
    for split, name in chosen.items():
        documents = HubDocuments(data[name], columns, f"{where}/{name}")
        if documents.are_labelled():
            found[split] = documents
        else:
            notes.append(f"the split {name!r} is left out: it has no labels")
    if "train" not in found:
        raise DataError(f"{where}: the split {chosen['train']!r} has no labels")
    return found, tuple(notes)


def _usual_splits(names: Mapping[str, Any]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for name in names:
        if split := split_of(name):
            chosen.setdefault(split, name)
    return chosen


class HubDocuments:
    """The documents of one split, read each time they are iterated over."""

    def __init__(self, dataset: Any, columns: Columns, where: str) -> None:
        from textclf.sources.parquet import paths_of  # late: pyarrow, which files of text do not need

        paths = paths_of(dataset.features.arrow_schema)
        sample = partial(islice, _records(dataset), SAMPLED_RECORDS)
        self._roles = find_columns(columns, paths, sample, where=where, needs_label=True)
        self._dataset, self._where = dataset.select_columns(self._roles.within(dataset.column_names)), where
        self._label = self._roles.label

    @property
    def columns(self) -> Columns:
        """Those that are taken."""
        text, label, row_id, flags, separator = self._roles
        return Columns(text, label, row_id, flags=flags, separator=separator)

    def are_labelled(self) -> bool:
        """Tell whether any document has a label: a competition hides those of its test split, as None or -1."""
        label = self._label
        if label is None:
            return True
        roles = self._roles._replace(text=(), id=None)
        data = self._dataset.select_columns(roles.within(self._dataset.column_names))
        return any(follow(values, label) not in (None, -1) for values in _records(data))

    def __iter__(self) -> Iterator[Document]:
        return documents(self._rows(), where=self._where)

    def _rows(self) -> Rows:
        number = 0
        try:
            for values in labelled_records(self._dataset, self._label, where=self._where):
                number += 1
                yield to_row(f"{self._where}:{number}", values, self._roles)
        except (ValueError, OSError) as error:  # text that is not UTF-8; what pyarrow raises, and the disk
            damage = DataError(f"{self._where}:{number + 1}: cannot be read ({_reason(error)})")
            raise failures.refused(error, f"the cache of {self._where}") or damage from error


def labelled_records(dataset: Any, label: str | None, *, where: str) -> Iterator[dict[str, object]]:
    """Yield the rows of a ``datasets.Dataset``, with the names of its labels; raises DataError if one has none."""
    if label is None:
        yield from _records(dataset)
        return
    name_of = _label_names(dataset, label)
    for number, values in enumerate(_records(dataset), start=1):
        yield {**values, label: name_of(follow(values, label), f"{where}:{number}")}


def _label_names(dataset: Any, column: str) -> Callable[[Any, str], object]:
    """Return a function that names a label, or a list of them, as a ClassLabel does, and takes its place, too.

    It returns None for one that is hidden.
    """
    from datasets import ClassLabel

    feature = _feature(dataset.features, column)
    several = getattr(feature, "feature", None)
    if isinstance(several, ClassLabel):
        feature = several
    elif not isinstance(feature, ClassLabel):
        return lambda value, _: value

    def name(value: Any, place: str) -> object:
        if value is None or value < 0:
            return None
        if value >= feature.num_classes:
            raise DataError(f"{place}: the label {value} has no name; the dataset names {feature.num_classes}")
        return feature.int2str(value)

    if several is not None:
        return lambda values, place: values and [name(value, place) for value in values]
    return name


def _feature(features: Any, path: str) -> Any:
    """The feature at a dotted path, as `follow` finds the value."""
    if isinstance(features, Mapping) and path in features:
        return features[path]
    name, _, rest = path.partition(".")
    inner = features.get(name) if isinstance(features, Mapping) else getattr(features, "feature", None)
    return _feature(inner, rest) if rest else inner


def _records(dataset: Any) -> Iterator[dict[str, object]]:
    # in batches: iterating a Dataset row by row is ten times slower
    names = dataset.column_names
    for batch in dataset.iter(batch_size=1000):
        for values in zip(*(batch[name] for name in names), strict=True):
            yield dict(zip(names, values, strict=True))


def _commit(repository: str, revision: str | None) -> str | None:
    """Return the commit that the revision names now, or None when working offline.

    One request without retries comes first, so that an unreachable Hub is reported at once: load_dataset takes half a
    minute to give up.
    """
    import datasets
    from huggingface_hub import HfApi

    if datasets.config.HF_HUB_OFFLINE:
        return None
    return HfApi().dataset_info(repository, revision=revision, timeout=PROBE_SECONDS).sha


def _load(repository: str, config: str | None, revision: str | None) -> Mapping[str, Any]:
    import datasets

    data: Mapping[str, Any] = datasets.load_dataset(repository, name=config, revision=revision)
    return data


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' retries and advice off stderr; their progress bars are for a terminal only."""
    import datasets
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
        disable_progress_bars()
    levels = {name: logging.getLogger(name).level for name in ("datasets", "huggingface_hub")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _explained(repository: str, revision: str | None) -> Iterator[None]:
    """Turn what datasets and huggingface_hub raise into one line that says what to do."""
    from datasets.exceptions import DatasetNotFoundError, DatasetsError
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    # the HTTP library's: which library that is depends on the version of huggingface_hub
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # isort: skip

    try:
        yield
    except RevisionNotFoundError as error:
        raise UsageError(f"the dataset {repository!r} on the Hugging Face Hub has no revision {revision!r}") from error
    except (DatasetNotFoundError, RepositoryNotFoundError, HFValidationError) as error:
        hint = "if it is private or gated, log in: hf auth login"
        raise UsageError(f"no dataset {repository!r} on the Hugging Face Hub; {hint}") from error
    except (HTTPError, ConnectionError, TimeoutError) as error:
        raise _unreachable(repository, error) from error
    except (DatasetsError, OSError, ImportError, KeyError, TypeError) as error:
        lacking = failures.refused(error, getattr(error, "filename", None) or f"the cache of {repository}")
        raise lacking or DataError(f"cannot read the dataset {repository!r} ({_reason(error)})") from error
    except (ValueError, RuntimeError) as error:
        raise _refusal(repository, error) from error


def _unreachable(repository: str, error: Exception) -> DataError:
    import datasets

    offline = "HF_HUB_OFFLINE is set, and it was not downloaded before"
    reason = offline if datasets.config.HF_HUB_OFFLINE else f"{_reason(error)}; HF_HUB_OFFLINE=1 reads an old download"
    hint = "bbc_news needs no network: textclf preprocess bbc_news"
    return DataError(f"cannot reach the Hugging Face Hub for {repository!r} ({reason}); {hint}")


def _reason(error: Exception) -> str:
    """Return the first line of the innermost error: the outer ones do not say what is wrong."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return str(error).partition("\n")[0]


def _refusal(repository: str, error: Exception) -> DataError | UsageError:
    """Explain a built-in exception of load_dataset by its message, as it has no type of its own."""
    message = str(error)
    if configs := re.search(r"(?:Available|available configs): \[(.*)\]", message):
        names = configs[1].replace("'", "")
        return UsageError(f"choose a configuration of the dataset {repository!r} with --subset: {names}")
    if "scripts are no longer supported" in message:
        return DataError(
            f"the dataset {repository!r} is a loading script, which is not run; the Hub may have a Parquet copy: "
            f"add --revision {PARQUET_BRANCH}"
        )
    return DataError(f"cannot read the dataset {repository!r} ({_reason(error)})")
