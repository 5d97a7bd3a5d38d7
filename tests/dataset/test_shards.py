"""Tasks write the bytes that one process writes, and find what is wrong as it does."""

import csv
import json
import pickle
import random
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.odd_texts import odd_texts
from textclf.config import PreprocessConfig
from textclf.dataset import shards
from textclf.dataset.build import preprocess
from textclf.dataset.read_corpus import refuse_many
from textclf.errors import DataError, ResourceError, TextclfError, UsageError
from textclf.system import checksums
from textclf.text.tokenizer import PIECE_CHARACTERS

LABELS = ["a", "b", "c d"]


class Tasks:
    """A cluster that sends all there is by pickle, and can do its tasks in any order, twice, or stop at one."""

    def __init__(self, *, seed=None, stop_at=None):
        self._draw = random.Random(seed) if seed is not None else None
        self._stop_at = stop_at
        self.done = []

    def map(self, function, items):
        function, items = self._sent(function), list(items)
        order = list(range(len(items)))
        if self._draw:
            self._draw.shuffle(order)
            order += order[:1]  # as when a node is believed to be dead
        results = {}
        for place in order:
            if len(self.done) == self._stop_at:
                raise ResourceError("a node died")
            results[place] = self._sent(self._sent(function)(self._sent(items[place])))
            self.done.append(str(items[place]))
        yield from (results[place] for place in range(len(items)))

    def _sent(self, value):
        return pickle.loads(pickle.dumps(value))


def config(folder, source, **given):
    return PreprocessConfig(source=source, data_dir=Path(folder), name="all", num_workers=1, **given)


def sums(folder):
    return {str(path.relative_to(folder)): checksums.sha256(path) for path in Path(folder).rglob("*") if path.is_file()}


def compare(source, *, part_size=7, tasks=None, **given):
    here, report = preprocess(config("here", source, **given), part_size=part_size)
    there, other = preprocess(config("there", source, **given), part_size=part_size, cluster=tasks or Tasks())
    assert sums(there) == sums(here)
    assert other == report
    assert not list(Path("there").glob(".*"))


def plain(count, seed=0):
    """Texts of few words, with labels."""
    draw = random.Random(seed)
    words = ["rain", "sun", "snow", "İstanbul", "naïve", "日本語"]
    return [
        (" ".join(draw.choices([*words, f"n{number}"], k=draw.randint(1, 6))), draw.choice(LABELS))
        for number in range(count)
    ]


def texts(count, seed=0):
    """The same, half of them odd in every way that UTF-8 allows."""
    odd = odd_texts(count, words=["cat", "dog"], seed=seed)
    odd = [text.encode("utf-8", "replace").decode() for text in odd]
    return [
        (other if text.isspace() or number % 2 else text or other, label)
        for number, (text, (other, label)) in enumerate(zip(odd, plain(count, seed), strict=True))
    ]


def write_parquet(path, rows, **columns):
    path.parent.mkdir(exist_ok=True)
    texts, labels = ([row[place] for row in rows] for place in (0, 1))
    pq.write_table(pa.table({"text": texts, "label": pa.array(labels, pa.string()), **columns}), path)


def write_csv(path, rows):
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


@pytest.fixture
def files():
    """Five files of unequal size, one of them without rows."""
    rows = texts(80)
    for number, (first, last) in enumerate([(0, 31), (31, 31), (31, 33), (33, 70), (70, 80)]):
        write_parquet(Path(f"rows/part-{number}.parquet"), rows[first:last])
    return ("rows/*.parquet",)


@pytest.mark.parametrize("part_size", [7, 1000])
@pytest.mark.parametrize("given", [{}, {"tensors": "none"}, {"lowercase": False, "min_count": 2, "seed": 3}], ids=str)
def test_the_bytes_are_those_of_one_process(files, part_size, given):
    compare(files, part_size=part_size, **given)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_tasks_and_a_task_that_runs_twice_change_nothing(files, seed):
    compare(files, tasks=Tasks(seed=seed))


def test_splits_of_their_own_and_ids_are_kept():
    for name, count in (("part-0", 40), ("part-1", 20), ("held", 10)):
        ids = [f"{name} \n{number}" * (1 + number % 3) for number in range(count)]
        write_parquet(Path(f"rows/{name}.parquet"), texts(count, seed=count), id=pa.array(ids, pa.string()))
    compare(("rows/part-0.parquet", "rows/part-1.parquet"), test=("rows/held.parquet",), id_column="id")


def test_lists_of_labels_and_long_texts_are_the_same():
    for number in range(3):
        lines = []
        for place, (text, _) in enumerate(texts(20, seed=number)):
            labels = LABELS[: (place + number) % 4]
            lines.append(
                json.dumps(
                    {
                        "text": f"{text} " * (1 + PIECE_CHARACTERS // len(text) * (place == number == 1)),
                        "labels": labels,
                    }
                )
                + "\n"
            )
        Path(f"part-{number}.jsonl").write_text("".join(lines))
    compare(("part-0.jsonl", "part-1.jsonl", "part-2.jsonl"))


@pytest.mark.parametrize("form", ["class folders", "class files", "side by side", "several files"])
def test_files_that_belong_together_are_read_by_one_task(form):
    rows = plain(60)
    for place, (text, label) in enumerate(rows):
        path = Path(f"corpus/{label}/{place}.txt" if form == "class folders" else f"corpus/{label}.txt")
        if form == "side by side":
            path = Path("corpus/train_text.txt")
            path.parent.mkdir(exist_ok=True)
            with Path("corpus/train_labels.txt").open("a") as file:
                file.write(f"{label}\n")
        path.parent.mkdir(exist_ok=True, parents=True)
        if form != "several files":
            with path.open("a") as file:
                file.write(f"{text}\n")
    if form == "several files":
        for number in range(3):
            write_csv(Path(f"corpus/train-0000{number}-of-00003.csv"), rows[number * 20 : number * 20 + 20])
    tasks = Tasks()
    compare(("corpus",), tasks=tasks)
    assert sum("corpus" in name and "numbers" not in name for name in tasks.done) == (
        3 if form == "several files" else 1
    )


WRONG = {
    "no label": (lambda: write_parquet(Path("rows/part-3.parquet"), [("x", "a"), ("y", None)]), {}),
    "cut off": (lambda: Path("rows/part-2.parquet").write_bytes(Path("rows/part-2.parquet").read_bytes()[:-100]), {}),
    "one class": (lambda: [write_parquet(path, [("x", "a")]) for path in Path("rows").iterdir()], {}),
    "no rows": (lambda: [write_parquet(path, []) for path in Path("rows").iterdir()], {}),
    "same id": (
        lambda: [
            write_parquet(
                Path(f"rows/part-{number}.parquet"), [("x", "a"), ("y", "b")], id=[f"k{number}", f"m{number % 2}"]
            )
            for number in range(5)
        ],
        {"id_column": "id"},
    ),
    "same long id": (
        lambda: [
            write_parquet(Path(f"rows/part-{number}.parquet"), [("x", "a")], id=["a long name of a document" * 3])
            for number in range(5)
        ],
        {"id_column": "id"},
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_as_in_one_process(files, what):
    spoil, given = WRONG[what]
    spoil()
    with pytest.raises(TextclfError) as here:
        preprocess(config("here", files, **given))
    with pytest.raises(TextclfError) as there:
        preprocess(config("there", files, **given), cluster=Tasks())
    assert (type(there.value), str(there.value)) == (type(here.value), str(here.value))


def test_notes_of_the_source_are_kept():
    for number in range(3):
        rows = "".join(
            f"{['café', 'thé', 'noir'][place % 3]} {number}{place},{'ab'[place % 2]}\n" for place in range(9)
        )
        Path(f"part-{number}.csv").write_bytes(f"text,label\n{rows}".encode("cp1252"))
    compare(("part-0.csv", "part-1.csv", "part-2.csv"), encoding="cp1252")


@pytest.mark.parametrize("stop_at", [0, 1, 4, 5, 7, 10, 11, 14, 21])
def test_what_is_there_is_not_read_again(files, stop_at):
    whole = Tasks()
    compare(files, tasks=whole, tensors="none")
    shutil.rmtree("there")
    with pytest.raises(ResourceError, match="a node died"):
        preprocess(config("there", files, tensors="none"), part_size=7, cluster=Tasks(stop_at=stop_at))
    kept = {path.name: path.stat().st_mtime_ns for path in Path("there").glob(".all.*/scratch/*.npz")}
    assert len(kept) == min(stop_at, 5)
    again = Stamps()
    preprocess(config("there", files, tensors="none"), part_size=7, cluster=again)
    assert sums("there") == sums("here")
    assert kept.items() <= again.stamps.items()


class Stamps(Tasks):
    """Also looks at the files of the shards at the end of each round."""

    def map(self, function, items):
        yield from super().map(function, items)
        self.stamps = {path.name: path.stat().st_mtime_ns for path in Path("there").glob(".all.*/scratch/*.npz")}


@pytest.mark.parametrize("change", ["file", "settings", "cut off", "numbers"])
def test_what_was_read_from_something_else_is_read_again(files, change):
    given = {"lowercase": False} if change == "settings" else {}
    with pytest.raises(ResourceError):
        preprocess(config("there", files), part_size=7, cluster=Tasks(stop_at=5))
    (scratch,) = Path("there").glob(".all.*/scratch")
    if change == "file":
        write_parquet(Path("rows/part-3.parquet"), texts(9, seed=9))
    if change == "cut off":
        (scratch / "shard-00003.npz").write_bytes((scratch / "shard-00003.npz").read_bytes()[:-9])
    if change == "numbers":
        (scratch / "shard-00003.numbers").write_bytes(b"")
    preprocess(config("there", files, **given), part_size=7, cluster=Tasks())
    preprocess(config("here", files, **given), part_size=7)
    assert sums("there") == sums("here")


def test_a_process_alone_reads_again_what_tasks_have_read(files):
    with pytest.raises(ResourceError):
        preprocess(config("there", files), part_size=7, cluster=Tasks(stop_at=8))
    preprocess(config("there", files), part_size=7)
    preprocess(config("here", files), part_size=7)
    assert sums("there") == sums("here")
    assert not list(Path("there").glob(".*"))


def test_a_folder_that_nodes_do_not_share_is_named(files, monkeypatch):
    real = shards.read_shard
    monkeypatch.setattr(shards, "read_shard", nothing)
    with pytest.raises(UsageError, match=r"shard-00000.npz was written on another node: --data-dir must be a folder"):
        preprocess(config("there", files), cluster=Tasks())
    shard = shards.Shard(None, 0, Path("nowhere/shard-00000"))
    with pytest.raises(UsageError, match=r"^nowhere is not there: --data-dir must be a folder that all nodes share$"):
        real(True, None, shard)


def nothing(_lowercase, _batch, _shard):
    """Write elsewhere."""


def test_what_is_no_file_is_refused():
    with pytest.raises(UsageError, match=r"^--engine ray reads files, and .+ is none: leave out --engine ray$"):
        preprocess(PreprocessConfig(source="bbc_news", data_dir=Path("there")), cluster=Tasks())
    with pytest.raises(UsageError, match=r"^--engine ray reads files"):
        preprocess(PreprocessConfig(data_dir=Path("there")), held=[("x", "a"), ("y", "b")] * 9, cluster=Tasks())
    assert not Path("there").exists()


def test_shards_that_were_damaged_meanwhile_are_named(files):
    class Damaging(Tasks):
        def map(self, function, items):
            yield from super().map(function, items)
            for path in Path("there").glob(".all.*/scratch/shard-00003.npz"):
                path.write_bytes(b"PK")

    with pytest.raises(DataError, match=r"shard-00003.npz is damaged: run the command again$"):
        preprocess(config("there", files), cluster=Damaging())


def test_too_many_documents_in_all_are_refused(files, monkeypatch):
    monkeypatch.setattr(shards, "refuse_many", partial(refuse_many, most=79))
    with pytest.raises(DataError, match=r"^the source has more than 79 documents; preprocess it in pieces$"):
        preprocess(config("there", files), cluster=Tasks())


@pytest.mark.slow
def test_ray_writes_the_same_bytes(files, ray_nodes):
    here, _ = preprocess(config("here", files))
    options = ["--engine", "ray", "--ray-address", ray_nodes.address, "--name", "all", "--data-dir", "there"]
    command = [sys.executable, "-m", "textclf", "preprocess", "rows/*.parquet", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert (done.returncode, done.stdout) == (0, "there/all\n"), done.stderr
    assert sums("there/all") == sums(here)
    write_parquet(Path("rows/part-3.parquet"), [("x", None)])
    done = subprocess.run([*command, "--overwrite"], capture_output=True, text=True, timeout=90, check=False)
    assert (done.returncode, done.stderr) == (3, "textclf: rows/part-3.parquet:1: no value in the column 'label'\n")
    assert sums("there/all") == sums(here)
