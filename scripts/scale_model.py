"""What 10^6 to 10^9 documents take: measures runs of short documents, fits a model to them, and writes docs/scale.md.

    python scripts/scale_model.py                      write the tables from docs/scale.json
    python scripts/scale_model.py --measure 1000000    measure a run of a million documents first

The model of each quantity is a constant and a share per document, fitted to the relative errors of all measured runs.
"""

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import blocks
import click
import numpy as np
from numpy.typing import NDArray
from speed.processes import TEXTCLF, MemoryWatch, machine

from textclf.dataset.parts import Parts
from textclf.dataset.write_parts import BLOCK, FOLDERS, OTHER_FILES, PART_FILES

RECORD: Final = blocks.PROJECT / "docs" / "scale.json"
SHOWN: Final = (10**6, 10**7, 10**8, 10**9)  # documents
FILES: Final = 16  # of the corpus
LENGTH: Final = 20  # words of a document
WORDS: Final = 200_000  # of the language
LABELS: Final = ("arts", "economy", "science", "sport")
OF_LABEL: Final = 200  # words that occur with one label only; a document has two of them
AT_ONCE: Final = 100_000  # documents that are generated together

MEASURED: Final = blocks.Block("docs/scale.md", "<!-- runs: by scripts/scale_model.py -->", "<!-- end of runs -->")
MODEL: Final = blocks.Block("docs/scale.md", "<!-- model: by scripts/scale_model.py -->", "<!-- end of model -->")

Run = Mapping[str, Any]
"""A measured run: "documents", "corpus" in bytes, "preprocess" and "epoch" as `Command`, and bytes of the directory."""


class Command(NamedTuple):
    """What a command took."""

    seconds: float
    processor: float
    """Seconds of all processors."""
    process: int
    """Peak bytes of its largest process, mapped files included."""
    memory: float
    """Peak bytes of all its processes together; pages that they share count once."""


class Line(NamedTuple):
    """A quantity of N documents: fixed + each * N."""

    fixed: float
    each: float

    def at(self, documents: float) -> float:
        """The quantity."""
        return self.fixed + self.each * documents


def fit(runs: Sequence[Run], value: Callable[[Run], float]) -> Line:
    """The line with the least squares of relative errors; the constant is not below 0."""
    documents = np.array([run["documents"] for run in runs], dtype=np.float64)
    values = np.array([value(run) for run in runs])
    each, fixed = np.polyfit(documents, values, 1, w=1 / values)
    return Line(float(fixed), float(each)) if fixed > 0 else Line(0.0, float(np.mean(values / documents)))


QUANTITIES: Final[Mapping[str, Callable[[Run], float]]] = {
    "preprocess, processor seconds": lambda run: run["preprocess"]["processor"],
    "an epoch of the `mlp`, processor seconds": lambda run: run["epoch"]["processor"],
    "preprocess, bytes of memory": lambda run: run["preprocess"]["memory"],
    "an epoch, bytes of memory": lambda run: run["epoch"]["memory"],
    "corpus in Parquet, bytes": lambda run: run["corpus"],
    "data directory without tensors, bytes": lambda run: run["directory"],
}


def measured_table(record: Mapping[str, Any]) -> str:
    """Each measured run."""
    head = ("documents", "command", "wall time", "processor time", "largest process", "all processes")
    rows = [
        (f"{run['documents']:,}", name, *_cells(Command(**run[key])))
        for run in record["runs"]
        for name, key in (("preprocess --tensors none", "preprocess"), ("train --epochs 1", "epoch"))
    ]
    about = record["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    speed = f"{about['cores']} cores at {about['gigahertz']} GHz"
    note = f"{record['date']}, {about['processor']}, {speed}, {about['system']}; {versions}."
    return "\n".join([*_markdown(head, rows), "", note])


def _cells(used: Command) -> tuple[str, ...]:
    return _seconds(used.seconds), _seconds(used.processor), _bytes(used.process), _bytes(used.memory)


def model_table(record: Mapping[str, Any]) -> str:
    """What the model says of SHOWN documents, and its constants."""
    lines = {name: fit(record["runs"], value) for name, value in QUANTITIES.items()}
    shown = [
        (name, *(_shown(name, line.at(documents)) for documents in SHOWN), _constants(name, line))
        for name, line in lines.items()
    ]
    directory, corpus = lines["data directory without tensors, bytes"], lines["corpus in Parquet, bytes"]
    network = [_bytes(corpus.at(documents) + 2 * directory.at(documents)) for documents in SHOWN]
    files = [_files(documents) for documents in SHOWN]
    shown += [
        (
            "scratch files while preprocessing",
            *(_bytes(4 * LENGTH * count) for count in SHOWN),
            "4 bytes for each word",
        ),
        ("files and folders (inodes) without tensors", *(f"{count:,}" for count in files), "exact"),
        (
            "files and folders with `--tensors all`",
            *(f"{count + documents + FOLDERS:,}" for count, documents in zip(files, SHOWN, strict=True)),
            "exact",
        ),
        ("room of these tensors", *(_bytes(BLOCK * documents) for documents in SHOWN), "a block for each"),
        ("network, if corpus and data directory are elsewhere", *network, "corpus + twice the directory"),
    ]
    head = ("", *(f"10^{round(np.log10(documents))} documents" for documents in SHOWN), "constant + share per document")
    return "\n".join(_markdown(head, shown))


def _files(documents: int) -> int:
    return OTHER_FILES + PART_FILES * Parts.of(documents).count


def _constants(name: str, line: Line) -> str:
    if "seconds" in name:
        return f"{_seconds(line.fixed)} + {line.each * 1e6:.1f} µs"
    return f"{_bytes(line.fixed)} + {line.each:.0f} bytes"


def _shown(name: str, value: float) -> str:
    return _seconds(value) if "seconds" in name else _bytes(value)


def _seconds(value: float) -> str:
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def _bytes(value: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= size:
            return f"{value / size:.{0 if value >= 100 * size or unit == 'MB' else 1}f} {unit}"
    return f"{value / 1e3:.0f} KB"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


# Measuring


def measure(documents: int) -> dict[str, Any]:
    """Generate documents, preprocess them and train an epoch on them, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="textclf-scale-") as name:
        folder = Path(name)
        (folder / "corpus").mkdir()
        generating = get_context("spawn").Process(target=generate, args=(documents, folder / "corpus"))
        generating.start()  # another process: the largest size of this one would count for the commands that it starts
        generating.join()
        read = run("preprocess", "corpus/part-*.parquet", "--name", "made", "--tensors", "none", folder=folder)
        epoch = run("train", "--data", "made", "--epochs", "1", folder=folder)
        return {
            "documents": documents,
            "corpus": _size(folder / "corpus"),
            "directory": _size(folder / "data" / "made"),
            "preprocess": read._asdict(),
            "epoch": epoch._asdict(),
        }


def run(*arguments: str, folder: Path) -> Command:
    """Run the command line in a folder; raises ClickException if it fails."""
    begin = perf_counter()
    with tempfile.TemporaryFile("w+") as messages:
        process = subprocess.Popen([*TEXTCLF, *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=messages)
        watch = MemoryWatch(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds, memory = perf_counter() - begin, watch.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            messages.seek(0)
            raise click.ClickException(messages.read()[-2000:])
    return Command(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, memory or 0.0)


def generate(documents: int, folder: Path) -> None:
    """Write a corpus in FILES Parquet files: word frequencies follow Zipf's law, and a twentieth has little signal."""
    import pyarrow.parquet as pq

    generator = np.random.default_rng(0)
    words, bounds = language(generator), np.linspace(0, documents, FILES + 1).astype(int).tolist()
    for number, (start, end) in enumerate(pairwise(bounds)):
        tables = [some(generator, words, size) for size in _sizes(end - start)]
        with pq.ParquetWriter(folder / f"part-{number:02}.parquet", tables[0].schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table)


def language(generator: np.random.Generator) -> list[str]:
    """WORDS distinct words, the most frequent first."""
    letters = np.array(list("etaoinshrdlucmfwypvbgkqjxz"))
    words: dict[str, None] = {}
    while len(words) < WORDS:
        lengths = generator.integers(2, 11, 10_000)
        words |= dict.fromkeys("".join(generator.choice(letters, length)) for length in lengths.tolist())
    return list(words)[:WORDS]


def some(generator: np.random.Generator, words: Sequence[str], documents: int) -> Any:
    """A table of documents."""
    import pyarrow as pa
    import pyarrow.compute as pc

    label = generator.integers(0, len(LABELS), documents)
    frequency = 1 / (np.arange(WORDS) + 10.0)
    total = np.cumsum(frequency / frequency.sum())
    ids: NDArray[np.int64] = np.minimum(np.searchsorted(total, generator.random((documents, LENGTH))), WORDS - 1)
    signal = 2_000 + generator.integers(0, OF_LABEL, (documents, 2)) * len(LABELS) + label[:, None]
    has_signal = generator.random(documents) >= 0.05
    for place, column in ((0, 0), (10, 1)):
        ids[:, place] = np.where(has_signal, signal[:, column], ids[:, place])
    offsets = np.arange(0, documents * LENGTH + 1, LENGTH, dtype=np.int32)
    lists = pa.ListArray.from_arrays(offsets, pa.array(words).take(pa.array(ids.ravel())))
    return pa.table({"text": pc.binary_join(lists, " "), "label": [LABELS[each] for each in label.tolist()]})


def gigahertz() -> float | None:
    """The speed of this machine's processor, as the kernel gives it; None where it does not."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = [float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")]
    return round(max(found) / 1000, 1) if found else None


def _sizes(documents: int) -> Iterator[int]:
    return (min(AT_ONCE, documents - start) for start in range(0, documents, AT_ONCE))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@click.command()
@click.option("--measure", "sizes", multiple=True, type=int, help="Measure a run of this many documents first.")
def main(sizes: Sequence[int]) -> None:
    """Write the tables of docs/scale.md from the runs in docs/scale.json."""
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {"runs": []}
    for size in sizes:
        runs = [*(run for run in record["runs"] if run["documents"] != size), measure(size)]
        record = {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": machine() | {"gigahertz": gigahertz()},
            "versions": {"Python": platform.python_version(), **{name: version(name) for name in ("torch", "numpy")}},
            "runs": sorted(runs, key=lambda run: run["documents"]),
        }
        RECORD.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    blocks.write(MEASURED, measured_table(record))
    blocks.write(MODEL, model_table(record))


if __name__ == "__main__":
    main()
