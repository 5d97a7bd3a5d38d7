"""A million documents on a cluster of two nodes, one of which is killed: the bytes that one process writes."""

import hashlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import small_config
from tests.ray_nodes import Nodes
from textclf.training import train

pytestmark = pytest.mark.long

DOCUMENTS = 1_000_000
FILES = 16
WORDS = 30_000


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Sixteen Parquet files of texts of 20 words, most of them rare, in five classes."""
    folder = tmp_path_factory.mktemp("million")
    (folder / "corpus").mkdir()
    draw = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(WORDS)], dtype=object)
    shares = 1 / np.arange(1, WORDS + 1)
    for number in range(FILES):
        some = draw.choice(WORDS, size=(DOCUMENTS // FILES, 20), p=shares / shares.sum())
        labels = draw.integers(5, size=len(some))
        some[:, 0] = 100 + labels
        texts = [" ".join(row) for row in words[some]]
        table = pa.table({"text": texts, "label": [f"class {label}" for label in labels]})
        pq.write_table(table, folder / "corpus" / f"part-{number:05}.parquet")
    return folder


@pytest.fixture(scope="module")
def whole(root):
    """What one process makes."""
    timed("one process", preprocess(root, "one", "--num-workers", "1"))
    return sums(root / "one")


def run(root, *arguments):
    command = [sys.executable, "-m", "textclf", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=root)


def preprocess(root, folder, *options):
    return run(root, "preprocess", "corpus/*.parquet", "--name", "all", "--data-dir", folder, *options)


def sums(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def ended(process):
    """The exit code of a process, and what it says is wrong."""
    said = process.communicate(timeout=1500)[1]
    return process.returncode, "".join(line for line in said.splitlines() if line.startswith("textclf: "))


def timed(what, process):
    start = time.perf_counter()
    assert ended(process) == (0, ""), what
    print(f"{what}: {time.perf_counter() - start:.0f} s")


def test_two_processes_and_two_nodes_write_the_same_bytes(root, whole):
    timed("two processes", preprocess(root, "two", "--num-workers", "2"))
    assert sums(root / "two") == whole
    nodes = Nodes(2, cpus=1)
    try:
        timed("two nodes", preprocess(root, "ray", "--engine", "ray", "--ray-address", nodes.address))
    finally:
        nodes.close()
    assert sums(root / "ray") == whole
    assert len([name for name in whole if name.startswith("all/packed/part-")]) == 4


MOMENTS = {
    "shards": lambda folder: len(list(folder.glob(".all.*/scratch/shard-*.npz"))) >= 3,
    "merge": lambda folder: any(folder.glob(".all.*/scratch/shard-*.map")),
    "encoding": lambda folder: any(folder.glob(".all.*/packed/.part-*")) or any(folder.glob(".all.*/packed/part-*")),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_node_that_is_killed_changes_nothing(root, whole, moment):
    folder = root / moment
    nodes = Nodes(2, cpus=1)
    try:
        options = ["--engine", "ray", "--ray-address", nodes.address]
        process = preprocess(root, moment, *options)
        while not MOMENTS[moment](folder):
            assert process.poll() is None, ended(process)
            time.sleep(0.01)
        nodes.kill_one()
        assert process.poll() is None
        code, said = ended(process)
        print(f"{moment}: exit code {code} {said}")
        if code == 5:
            assert "died 4 times; the same command resumes" in said
            timed("resumed", preprocess(root, moment, *options))
        else:
            assert (code, said) == (0, "")
    finally:
        nodes.close()
    assert sums(folder) == whole
    assert [path.name for path in folder.iterdir()] == ["all"]


def test_predicting_a_million_rows_loses_none_when_a_node_is_killed(root):
    Path(root / "rows").mkdir()
    draw = random.Random(0)
    for number in range(8):
        table = pa.concat_tables(
            pq.read_table(root / "corpus" / f"part-{2 * number + half:05}.parquet", columns=["text"]) for half in (0, 1)
        )
        keys = pa.array([f"{number}-{place}-{draw.random()}" for place in range(len(table))])
        pq.write_table(table.append_column("key", keys), root / "rows" / f"rows-{number}.parquet")
    (root / "few.csv").write_text(
        "text,label\n" + "".join(f"word{100 + n % 5} word{n},class {n % 5}\n" for n in range(500))
    )
    timed("a model", run(root, "preprocess", "few.csv", "--data-dir", "few"))
    model = train(small_config("mlp", root / "few" / "few", root / "runs", epochs=2)).root / "model"
    options = ["predict", "--run", model, "--input", "rows/*.parquet", "--format", "parquet", "--id-column", "key"]
    timed("one machine", run(root, *options, "--output", "here/"))
    nodes = Nodes(2, cpus=1)
    try:
        process = run(root, *options, "--output", "there/", "--engine", "ray", "--ray-address", nodes.address)
        while len(list(root.glob("there/rows-*.parquet"))) < 2:
            assert process.poll() is None, ended(process)
            time.sleep(0.01)
        nodes.kill_one()
        timed("one of two nodes killed", process)
    finally:
        nodes.close()
    for number in range(8):
        name = f"rows-{number}.parquet"
        assert (root / "here" / name).read_bytes() == (root / "there" / name).read_bytes()
        keys = [pq.read_table(root / folder / name, columns=["key"])["key"].to_pylist() for folder in ("rows", "there")]
        assert keys[0] == keys[1]
    assert sum(json.loads(path.read_text())["figures"]["rows"] for path in root.glob("there/.textclf/*")) == DOCUMENTS
