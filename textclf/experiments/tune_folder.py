"""The folder of a search for settings, in the folder of the runs: its settings, its journal, its trials.

``tune.json`` is written first, and says what is searched; ``journal.log`` is Optuna's, a line for each thing that
happened. Each trial has a folder with what TensorBoard shows of it and, if it came to its end, the logits that it gives
the validation documents. ``runs.json`` names the runs that are trained at the end.
"""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf import __version__
from textclf.artefacts import runs
from textclf.config import TuneConfig
from textclf.dataset.directory import DataDirectory
from textclf.errors import ArtefactError, ResourceError, UsageError
from textclf.system import failures, files, locks

FORMAT: Final = 2
"""Version of the files; others are refused."""
PREFIX: Final = "tune-"
_TIME: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class TuneFolder:
    """The files of ``runs/tune-<name>-<tier>-<model>-<UTC time>/``."""

    root: Path

    @property
    def settings(self) -> Path:
        """What is searched, and the fingerprint of the data."""
        return self.root / "tune.json"

    @property
    def journal(self) -> Path:
        """What Optuna knows about the trials."""
        return self.root / "journal.log"

    @property
    def runs(self) -> Path:
        """The runs that are trained at the end, by what they are."""
        return self.root / "runs.json"

    def trial(self, number: int) -> Path:
        """What there is of a trial."""
        return self.root / "trials" / f"{number:04}"

    def logits(self, number: int) -> Path:
        """Its logits, shape (D, C), of the validation documents."""
        return self.trial(number) / "logits.npy"


Hashes = Mapping[str, str | None]
"""Of the vectors that a search learns from, by what they are; None: of none."""


def create(config: TuneConfig, data: DataDirectory, *, hashes: Hashes) -> TuneFolder:
    """A new folder for a search."""
    model = re.sub(r"[^\w-]+", "-", Path(config.model).name).strip("-")
    stem = f"{PREFIX}{data.manifest.name}-{config.tier}-{model}-{datetime.now(UTC):{_TIME}}"
    for name in (stem, *(f"{stem}-{count}" for count in range(2, 1000))):
        try:
            (config.run_dir / name).mkdir(parents=True)
        except FileExistsError:
            continue
        folder = TuneFolder(config.run_dir / name)
        write_settings(folder, config, data, hashes=hashes)
        return folder
    raise UsageError(f"too many searches named {stem} in {config.run_dir}")


def write_settings(folder: TuneFolder, config: TuneConfig, data: DataDirectory, *, hashes: Hashes) -> None:
    """Write what is searched."""
    settings = {name: str(each) if isinstance(each, Path) else each for name, each in asdict(config).items()}
    record = {
        "format_version": FORMAT,
        "textclf": __version__,
        "settings": settings,
        "hashes": dict(hashes),
        "data": {
            "path": str(data.layout.root.resolve()),
            "fingerprint": data.manifest.fingerprint,
            "described": data.manifest.described(),
        },
    }
    files.write_json(folder.settings, record)


def started_with(root: Path) -> tuple[TuneConfig, DataDirectory]:
    """The settings and the data of a search; raises UsageError if there is none or the data has changed.

    Raises ArtefactError if its tune.json is damaged or from another version.
    """
    folder = TuneFolder(root)
    if not root.is_dir():
        raise UsageError(f"no search {root}; start one: textclf tune")
    if not folder.settings.exists():
        raise UsageError(
            f"{root} has no tune.json: it is no search, or stopped before it began; start one: textclf tune"
        )
    try:
        record = files.read_object(folder.settings)
        if record["format_version"] != FORMAT:
            raise ArtefactError(
                f"{folder.settings} has format {record['format_version']}, and this version reads {FORMAT}; "
                "start a new search: textclf tune"
            )
        made = record["data"]
        config = TuneConfig(**{**record["settings"], "data": str(made["path"]), "run_dir": root.parent})
        path, fingerprint, described = Path(made["path"]), str(made["fingerprint"]), made["described"]
    except (OSError, LookupError, TypeError, ValueError, UsageError) as error:
        damage = ArtefactError(f"{folder.settings} is damaged ({error}); start a new search: textclf tune")
        raise failures.refused(error, folder.settings) or damage from error
    return config, DataDirectory.open(path, fingerprint=fingerprint, described=described)


def refuse_other_vectors(folder: TuneFolder, hashes: Hashes) -> None:
    """Raise UsageError if a search began with other vectors than there are now, as its trials would not compare."""
    if files.read_object(folder.settings)["hashes"] != hashes:
        raise UsageError(
            f"the encoder, word vectors or texts without labels have changed since {folder.root} began; put the first "
            "ones there again, or start a new search: textclf tune"
        )


def with_limits(config: TuneConfig, *, time: float | None, trials: int | None) -> TuneConfig:
    """The settings with other limits, if any is given."""
    return config if time is None and trials is None else replace(config, time=time, trials=trials)


@contextmanager
def held(folder: TuneFolder) -> Iterator[None]:
    """Keep a search to this process meanwhile; raises ResourceError if another one has it."""
    with locks.holding(folder.root) as is_held:
        if is_held is False:
            raise ResourceError(f"another textclf is searching in {folder.root} just now; wait until it has ended")
        yield


def mend_journal(folder: TuneFolder) -> None:
    """Cut off a line that a killed process had not finished, as Optuna would write the next one right after it."""
    try:
        content = files.read_bytes(folder.journal)
    except FileNotFoundError:
        return
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        files.write_bytes(folder.journal, whole)


def write_logits(folder: TuneFolder, number: int, logits: NDArray[np.float32]) -> None:
    """Keep the logits of a trial."""
    content = io.BytesIO()
    np.save(content, logits, allow_pickle=False)
    files.write_bytes(folder.logits(number), content.getvalue())


def read_logits(folder: TuneFolder, number: int, *, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The logits of a trial; raises ArtefactError if they are not as they were written."""
    path = folder.logits(number)
    try:
        with files.open_to_read(path) as file:
            found = np.load(file, allow_pickle=False)
        if found.dtype != np.float32 or found.shape != shape or not np.isfinite(found).all():
            raise ValueError("it is not what was written")
    except (OSError, ValueError, EOFError) as error:
        damage = ArtefactError(f"{path} is damaged ({error}); start a new search: textclf tune")
        raise failures.refused(error, path) or damage from error
    logits: NDArray[np.float32] = found
    return logits


def read_runs(folder: TuneFolder) -> Mapping[str, str]:
    """The names of the runs that were begun at the end, by what they are; none if the file is not as it was written."""
    try:
        found = files.read_object(folder.runs)
    except (OSError, ValueError):
        return {}
    return {what: name for what, name in found.items() if isinstance(name, str) and name == Path(name).name}


def remember_run(folder: TuneFolder, what: str, run: runs.RunLayout) -> None:
    """Note that a run was begun, so that a search that is resumed resumes it."""
    files.write_json(folder.runs, {**read_runs(folder), what: run.root.name})
