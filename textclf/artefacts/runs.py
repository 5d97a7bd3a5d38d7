"""Run directories: their names, their files, and which run is the newest. Knows nothing about what trains there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from textclf.errors import ArtefactError, UsageError
from textclf.system import checksums, files

LATEST: Final = "latest"
"""File in the folder of runs that holds the name of the newest finished one."""

_LONGEST_NAME: Final = 300  # bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of ``runs/<name>-<tier>-<model>-<UTC time>/``; TensorBoard's event file lies beside them."""

    root: Path

    @property
    def config(self) -> Path:
        """Every setting, the versions of the libraries, and the data's fingerprint; written before the first step."""
        return self.root / "config.json"

    @property
    def history(self) -> Path:
        """One JSON object an epoch."""
        return self.root / "history.jsonl"

    @property
    def metrics(self) -> Path:
        """The figures of the finished run."""
        return self.root / "metrics.json"

    @property
    def checksums(self) -> Path:
        """SHA-256 of each file of the finished run; written last of all."""
        return self.root / "checksums.json"

    @property
    def report(self) -> Path:
        """What `textclf report` makes of the run."""
        return self.root / "report.html"

    @property
    def last(self) -> Path:
        """Checkpoint to go on from."""
        return self.root / "checkpoints" / "last.pt"

    @property
    def best(self) -> Path:
        """Weights of the epoch with the lowest validation loss."""
        return self.root / "checkpoints" / "best.pt"

    @property
    def model(self) -> Path:
        """The artefact that predicts."""
        return self.root / "model"


def create(run_dir: Path, *, corpus: str, tier: str, model: str) -> Layout:
    """Make a new run directory whose name sorts by corpus, tier, model and time."""
    stem = f"{corpus}-{tier}-{model}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for name in (stem, *(f"{stem}-{count}" for count in range(2, 1000))):
        try:
            (run_dir / name).mkdir(parents=True)
        except FileExistsError:
            continue  # another run began in the same second
        (run_dir / name / "checkpoints").mkdir()
        return Layout(run_dir / name)
    raise UsageError(f"too many runs named {stem} in {run_dir}")


def clear_temporaries(run: Layout) -> None:
    """Remove what a process was writing when it was killed."""
    for folder in (run.root, run.last.parent, run.model):
        for path in folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)


def seal(run: Layout) -> None:
    """Keep the checksum of each file of a run that has ended."""
    found = sorted(path for path in run.root.rglob("*") if path.is_file() and not path.is_symlink())
    kept = [path for path in found if path not in (run.checksums, run.report)]
    values = {"files": {path.relative_to(run.root).as_posix(): checksums.sha256(path) for path in kept}}
    files.write_bytes(run.checksums, checksums.seal(values))


def sealed(run: Layout) -> dict[str, str] | None:
    """The checksum of each file by its name in the run; None if there are none; raises ArtefactError on damage."""
    try:
        content = run.checksums.read_bytes()
        kept = files.parse_object(content)["files"]
        if not checksums.is_sealed(content) or not all(map(_is_inside, kept)):
            raise ValueError("it is not what was written")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ArtefactError(f"{run.checksums} is damaged ({error}); train a new model: textclf train") from error
    return dict(kept)


def refuse_links(run: Layout) -> None:
    """Raise ArtefactError if a folder of the run is a link: what would be written to it lies elsewhere."""
    for folder in (run.best.parent, run.model):
        if folder.is_symlink():
            raise ArtefactError(f"{folder} is a link, which textclf does not make; put the folder itself there")


def _is_inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def set_latest(run: Layout) -> None:
    """Make the run the one that `predict` and `evaluate` use."""
    files.write_text(run.root.parent / LATEST, run.root.name + "\n")


def resolve(path: Path) -> Layout:
    """The run that a path means: its directory, its ``model/`` folder, or the file ``runs/latest`` that names it."""
    if path.name == LATEST and not path.is_dir():
        if not path.exists():
            raise UsageError(f"no finished run in {path.parent}; train one: textclf train")
        path = path.parent / _named(path)
    if not path.is_dir():
        raise UsageError(f"no run {path}; see those there are: ls {path.parent}")
    root = path.parent if path.name == "model" and not (path / "model").exists() else path
    return Layout(root.resolve() if root.name in {"", ".."} else root)


def _named(latest: Path) -> str:
    """The name of the newest run; raises ArtefactError unless it is that of something beside the file."""
    with latest.open("rb") as file:
        name = file.read(_LONGEST_NAME).decode(errors="replace").strip()
    if name in {"", ".."} or name != Path(name).name or not name.isprintable():
        raise ArtefactError(f"{latest} does not name a run; name one: --run {latest.parent}/NAME")
    return name


def model_dir(path: Path) -> Path:
    """The artefact that a path means: a run's, or the folder itself, wherever it was copied."""
    return path if (path / "config.json").exists() and (path / "labels.json").exists() else resolve(path).model


class Made(NamedTuple):
    """The data directory that a run is of, as it was then."""

    path: Path
    fingerprint: str
    described: Mapping[str, Any]
    """What it was made from and how large it was."""


def data_of(run: Layout) -> Made:
    """Which data a run is of; raises what `read_json` raises."""
    try:
        data = read_json(run.config)["data"]
        return Made(Path(data["path"]), str(data["fingerprint"]), data.get("described", {}))
    except (LookupError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{run.config} is damaged: it does not say which data the run is of") from error


def read_json(path: Path) -> Mapping[str, Any]:
    """A JSON file of a run; raises UsageError if the run has none yet, ArtefactError if it is damaged."""
    values: Mapping[str, Any] = _read(path, files.read_object)
    return values


def read_lines(path: Path) -> list[Any]:
    """A file of JSON lines of a run; raises what `read_json` raises."""
    lines: list[Any] = _read(path, files.read_lines)
    return lines


def _read(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except FileNotFoundError as error:
        raise UsageError(
            f"{path.parent} has no {path.name}; finish it: textclf train --resume {path.parent}"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise ArtefactError(f"{path} is damaged ({error})") from error
