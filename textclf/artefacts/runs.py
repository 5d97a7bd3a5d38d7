"""Run directories: their names, their files, and which one is the newest. Knows nothing about training."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from textclf.artefacts import containers
from textclf.errors import ArtefactError, ResourceError, UsageError
from textclf.system import checksums, failures, files, locks, names
from textclf.system.names import Home
from textclf.system.wording import counted, percent

RUNS: Final = Path("runs")
"""The folder of runs in which names are looked up."""

LATEST: Final = "latest"
"""File in the folder of runs that holds the name of the newest finished run."""

_TIME: Final = "%Y%m%dT%H%M%SZ"
_STAMP: Final = re.compile(r"-(\d{8}T\d{6}Z)(?:-\d{1,3})?$", re.ASCII)
"""The end of a run's name."""

_MOST_BYTES: Final = 300
"""Bytes of that file that are read."""


@dataclass(frozen=True, slots=True)
class RunLayout:
    """The files of ``runs/<name>-<tier>-<model>-<UTC time>/``; TensorBoard's event file is next to them."""

    root: Path

    @property
    def config(self) -> Path:
        """All settings, library versions and the fingerprint of the data; written before the first step."""
        return self.root / "config.json"

    @property
    def history(self) -> Path:
        """One JSON object per epoch."""
        return self.root / "history.jsonl"

    @property
    def metrics(self) -> Path:
        """The metrics of the finished run."""
        return self.root / "metrics.json"

    @property
    def checksums(self) -> Path:
        """SHA-256 of each file of the finished run; written last."""
        return self.root / "checksums.json"

    @property
    def report(self) -> Path:
        """The report that `textclf report` writes."""
        return self.root / "report.html"

    @property
    def last(self) -> Path:
        """Checkpoint to resume from."""
        return self.root / "checkpoints" / "last.pt"

    @property
    def best(self) -> Path:
        """Weights of the epoch with the lowest validation loss."""
        return self.root / "checkpoints" / "best.pt"

    @property
    def model(self) -> Path:
        """The model artefact."""
        return self.root / "model"


def create(run_dir: Path, *, corpus: str, tier: str, model: str) -> RunLayout:
    """Create a run directory whose name sorts by corpus, tier, model and time."""
    stem = f"{corpus}-{tier}-{model}-{datetime.now(UTC):{_TIME}}"
    for name in (stem, *(f"{stem}-{count}" for count in range(2, 1000))):
        try:
            (run_dir / name).mkdir(parents=True)
        except FileExistsError:
            continue  # another run started in the same second
        (run_dir / name / "checkpoints").mkdir()
        return RunLayout(run_dir / name)
    raise UsageError(f"too many runs named {stem} in {run_dir}")


def part_of(figures: Mapping[str, Any]) -> str:
    """The tier, and of how many documents of each label, in words; ``figures`` are metrics.json or settings."""
    shots = figures.get("shots")
    return str(figures["tier"]) if shots is None else f"{figures['tier']}, {shots:,} per label"


@contextmanager
def training(run: RunLayout) -> Iterator[None]:
    """Keep a run to this process while it trains; raises ResourceError if another one does."""
    with locks.holding(run.root) as is_held:
        if is_held is False:
            raise ResourceError(f"another textclf is training {run.root} just now; wait until it has ended")
        yield


def next_step(root: Path) -> str:
    """What to do about an unfinished run: wait for it, or resume it."""
    if locks.is_held(root):
        return "it is being trained just now: wait until it has ended"
    return f"finish it: textclf train --resume {root}"


def clear_temporaries(run: RunLayout) -> None:
    """Remove files that a killed process had not finished writing."""
    for folder in (run.root, run.last.parent, run.model):
        for path in filter(is_temporary, folder.glob("*")):
            path.unlink(missing_ok=True)


def is_temporary(path: Path) -> bool:
    """Whether a file has a name that files have until they are complete."""
    return path.name.startswith(".") and path.suffix == ".tmp"


def seal(run: RunLayout) -> None:
    """Write the checksum of each file of a finished run."""
    found = sorted(path for path in run.root.rglob("*") if path.is_file() and not path.is_symlink())
    kept = [path for path in found if path not in (run.checksums, run.report)]
    values = {"files": {path.relative_to(run.root).as_posix(): checksums.sha256(path) for path in kept}}
    files.write_bytes(run.checksums, checksums.seal(values))


def complete(run: RunLayout) -> bool:
    """Whether a run has ended; what was stopped after that, its checksums or its name in `latest`, is done now."""
    if not run.metrics.exists():
        return False
    if sealed(run) is None:
        seal(run)
    set_latest(run)
    return True


def sealed(run: RunLayout) -> dict[str, str] | None:
    """Checksums that `seal` wrote, by file name; None if it wrote none. Raises ArtefactError if they are damaged."""
    try:
        content = files.read_bytes(run.checksums, most=files.MAX_JSON_BYTES)
        kept = files.parse_object(content)["files"]
        if not checksums.is_sealed(content) or not all(map(_is_inside, kept)):
            raise ValueError("it is not what was written")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        damage = ArtefactError(f"{run.checksums} is damaged ({error}); train a new model: textclf train")
        raise failures.refused(error, run.checksums) or damage from error
    return dict(kept)


def refuse_links(run: RunLayout) -> None:
    """Raise ArtefactError if a folder of the run is a link, as files would land elsewhere, or no folder at all."""
    for folder in (run.best.parent, run.model):
        if folder.is_symlink():
            raise ArtefactError(f"{folder} is a link, which textclf does not make; put the folder itself there")
        if folder.exists() and not folder.is_dir():
            raise ArtefactError(f"{folder} is not a folder; remove it, and resume the run again")


def _is_inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def set_latest(run: RunLayout) -> None:
    """Make this the run that `predict` and `evaluate` use by default, unless a run has the name `latest`."""
    if (run.root.parent / LATEST).is_dir():
        return
    files.write_text(run.root.parent / LATEST, run.root.name + "\n")


def started(root: Path) -> float:
    """When a run was started, in seconds since 1970: as its name says, else when its settings were written."""
    if stamp := _STAMP.search(root.name):
        with suppress(ValueError):
            return datetime.strptime(stamp[1], _TIME).replace(tzinfo=UTC).timestamp()
    return names.time_of(RunLayout(root).config) or names.time_of(root)


def is_run(path: Path) -> bool:
    """Whether a folder is a run, however far it got, or a model; so is one that may not be read."""
    layout = RunLayout(path)
    try:
        return layout.config.exists() or layout.last.parent.exists()
    except OSError:
        return True


def home(folder: Path = RUNS) -> Home:
    """The folder of runs, to look up names in it."""
    return Home(folder, "run", "runs", "train one: textclf train", started, is_run)


def resolve(path: Path) -> RunLayout:
    """The run of a path, of a name under runs/, or of a unique beginning of it.

    The path leads to its directory, its ``model/`` folder, or the file ``runs/latest`` that names it. Raises UsageError
    that lists the newest runs if there is no such one.
    """
    if is_one_file(path):
        raise UsageError(f"{path} is a model in one file, without a run; name the run that it was exported from")
    if path.name == LATEST and not path.is_dir():
        path = _latest(path if path.exists() or not names.is_name(path) else RUNS / LATEST)
    elif path.name == "model" and not path.is_dir() and RunLayout(path.parent).config.exists():
        path = path.parent  # which is unfinished, or has something else in the place of its model
    path = names.find(path, home())
    root = path.parent if path.name == "model" and not (path / "model").exists() else path
    return RunLayout(root.resolve() if root.name in {"", ".."} else root)


def is_one_file(path: Path) -> bool:
    """Whether a path leads to a model in one file, not to a folder."""
    return path.is_file() and containers.is_archive(path)


def _latest(file: Path) -> Path:
    """The run that a file ``latest`` names; raises UsageError if there is none."""
    if not file.exists():
        raise UsageError(f"no finished run in {file.parent}; train one: textclf train")
    path = file.parent / _named(file)
    if not path.is_dir():
        raise UsageError(f"no run {path}, which {file} names; list the runs: textclf runs")
    return path


def latest_in(folder: Path) -> str:
    """The name of the run that ``latest`` in a folder of runs means; empty if there is none."""
    file = folder / LATEST
    try:
        return LATEST if file.is_dir() else _named(file)
    except (OSError, ArtefactError):
        return ""


def _named(latest: Path) -> str:
    """The name of the newest run; raises ArtefactError unless it is a plain name of a folder next to the file."""
    try:
        with files.open_to_read(latest) as file:
            name = file.read(_MOST_BYTES).decode(errors="replace").strip()
    except ValueError:
        name = ""
    if name in {"", ".."} or name != Path(name).name or not name.isprintable():
        raise ArtefactError(f"{latest} does not name a run; name one: --run {latest.parent}/NAME")
    return name


def model_dir(path: Path) -> Path:
    """The artefact at a path: that of a run, the folder itself, wherever it was copied to, or one file with it."""
    if is_one_file(path):
        return path
    return path if (path / "config.json").exists() and (path / "labels.json").exists() else resolve(path).model


def model_name(model: Path) -> str:
    """What a model is called: as its run, or as the folder or the file that it was copied to."""
    path = model.resolve()
    of_run = path.parent.name if path.name == "model" else ""
    return of_run or (path.name if path.is_dir() else path.stem)


class TrainingData(NamedTuple):
    """The data directory that a run was trained on, as it was then."""

    path: Path
    fingerprint: str
    described: Mapping[str, Any]
    """Its source and size."""


def data_of(run: RunLayout) -> TrainingData:
    """The data a run was trained on; raises what `read_json` raises."""
    try:
        data = read_json(run.config)["data"]
        return TrainingData(Path(data["path"]), str(data["fingerprint"]), data.get("described", {}))
    except (LookupError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{run.config} is damaged: it does not name the data the run was trained on") from error


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object of a run; raises UsageError if the file does not exist yet, ArtefactError if it is damaged."""
    values: Mapping[str, Any] = _read(path, files.read_object)
    return values


def read_lines(path: Path) -> list[Any]:
    """Read a file of JSON lines of a run; raises what `read_json` raises."""
    lines: list[Any] = _read(path, files.read_lines)
    return lines


def read_history(run: RunLayout) -> bytes:
    """The content of a run's history; empty if it has none. Raises ArtefactError if something else is in its place."""
    try:
        return files.read_bytes(run.history, most=files.MAX_JSON_BYTES)
    except FileNotFoundError:
        return b""
    except ValueError as error:
        raise ArtefactError(f"{run.history} is damaged ({error})") from error


def _read(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except FileNotFoundError as error:
        raise UsageError(f"{path.parent} has no {path.name}; {next_step(path.parent)}") from error
    except (OSError, ValueError, TypeError) as error:
        raise failures.refused(error, path) or ArtefactError(f"{path} is damaged ({error})") from error


def more_training(refit: Mapping[str, int]) -> str:
    """What was learned from train and validation together, after the best epoch."""
    epochs = refit["epochs"]
    others = "the other classifiers" if "encoder" in refit else "the linear classifier"
    return f"{counted(epochs, 'more epoch') if epochs else others} on train and validation"


def vectors_line(vectors: Mapping[str, Any]) -> str:
    """The word vectors of metrics.json on one line."""
    frozen = ", frozen" if vectors["is_frozen"] else ""
    return (
        f"{vectors['name']} (licence {vectors['licence']}, from {vectors['source']}, {vectors['dimension']} dimensions"
        f"{frozen}): {percent(vectors['found']['vocabulary'])} of the vocabulary, "
        f"{percent(vectors['found']['tokens'])} of the training tokens"
    )


def encoder_line(encoder: Mapping[str, Any]) -> str:
    """A sentence encoder of metrics.json on one line."""
    source = f", from {encoder['source']}" if encoder["source"] else ""
    return f"{encoder['name']} (licence {encoder['licence']}{source}, hash {encoder['hash'][:12]})"
