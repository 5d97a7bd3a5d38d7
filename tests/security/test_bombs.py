"""Small files that would take much memory or time are refused before they do."""

import io
import json
import shutil
import struct
import sys
import zipfile
from pathlib import Path
from time import process_time

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tests.reliability import memory
from textclf.artefacts import loading, model_folder, runs
from textclf.cli import main
from textclf.dataset import manifest, tensors
from textclf.dataset.directory import DataDirectory
from textclf.dataset.documents import DocumentNames
from textclf.dataset.parts import Parts
from textclf.dataset.table import read_table
from textclf.errors import ArtefactError
from textclf.system import checksums, tensor_files
from textclf.text.tokenizer import Tokenizer
from textclf.training.checkpoint import load_best

MUCH = 100 * memory.MB
MANY = 10**12

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")


@pytest.fixture
def data(data_dir, tmp_path):
    """A data directory to be tampered with."""
    return manifest.DataLayout(Path(shutil.copytree(data_dir, tmp_path / "data" / "d")))


@pytest.fixture
def run(run_dir, tmp_path):
    """A run to be tampered with."""
    return runs.RunLayout(Path(shutil.copytree(run_dir, tmp_path / "runs" / "r")))


def refuses(act):
    """Assert that this is refused in one line, without much memory or time."""
    started = process_time()
    with memory.at_most(MUCH), pytest.raises(ArtefactError) as caught:
        act()
    assert process_time() - started < 5
    assert "\n" not in str(caught.value)


def huge(path, size=MANY):
    """A file that says it has so many bytes, and takes none."""
    with path.open("wb") as file:
        file.truncate(size)


def test_the_limit_holds():
    with memory.at_most(MUCH), pytest.raises(MemoryError):
        bytes(2 * MUCH)
    bytes(2 * MUCH)


def saved(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def inflating(content, member, size):
    """The archive with one member that is so many zeros, compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(buffer, "w") as made:
        for info in archive.infolist():
            if not info.filename.endswith(member):
                made.writestr(info.filename, archive.read(info))
                continue
            entry = zipfile.ZipInfo(info.filename)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with made.open(entry, "w") as file:
                for _ in range(size // memory.MB):
                    file.write(bytes(memory.MB))
    return buffer.getvalue()


TENSORS = {
    "inflates": lambda: inflating(saved(torch.zeros(3, dtype=torch.int32)), "data/0", 2 * MUCH),
    "has a pickle that inflates": lambda: inflating(saved(torch.zeros(3, dtype=torch.int32)), "data.pkl", 2 * MUCH),
    "repeats one number": lambda: saved(torch.zeros(1, dtype=torch.int32).expand(MANY)),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_a_tensor_that_would_be_far_larger_than_its_file(kind, tmp_path):
    path = tmp_path / "x.pt"
    path.write_bytes(TENSORS[kind]())
    assert path.stat().st_size < memory.MB
    refuses(lambda: tensors.read_tensor(path))
    assert tensors.as_written(path, length=3) is None


def vouch_for_model(layout):
    config = json.loads(layout.config.read_text(encoding="utf-8"))
    files = (layout.weights, layout.labels, layout.tokenizer)
    config["crc32"] = {path.name: checksums.crc32(path) for path in files}
    config["crc32"][layout.config.name] = model_folder.own_checksum(config)
    layout.config.write_text(json.dumps(config))


def test_a_config_that_asks_for_many_rows(run):
    layout = model_folder.Layout(run.model)
    whole = json.loads(layout.config.read_text(encoding="utf-8"))
    for name in whole["inputs"]:
        if name != "max_length":  # that is no size: texts are as long as they are
            layout.config.write_text(json.dumps({**whole, "inputs": {**whole["inputs"], name: MANY}}))
            vouch_for_model(layout)
            refuses(lambda: loading.load(run.model))


@pytest.mark.parametrize("shape", [[MANY, 8], [MANY], [2**62, 4], [0, MANY]])
def test_weights_that_say_they_have_many_rows(shape, run):
    layout = model_folder.Layout(run.model)
    content = layout.weights.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["embedding.weight"]["shape"] = shape
    changed = json.dumps(header).encode()
    layout.weights.write_bytes(struct.pack("<Q", len(changed)) + changed + content[8 + size :])
    vouch_for_model(layout)
    refuses(lambda: loading.load(run.model))


@pytest.mark.parametrize("claimed", [10 * 2**30, 2**63, 2**64 - 1])
def test_weights_that_say_they_have_a_long_header(claimed, run, tmp_path):
    layout = model_folder.Layout(run.model)
    content = layout.weights.read_bytes()
    layout.weights.write_bytes(struct.pack("<Q", claimed) + content[8:])
    vouch_for_model(layout)
    refuses(lambda: loading.load(run.model))


def test_weights_that_have_a_long_header(tmp_path):
    path = tmp_path / "model.safetensors"
    header = b"{" + b" " * tensor_files.MOST_HEADER + b"}"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ValueError, match="header"):
        tensor_files.read(path)


@pytest.mark.parametrize("name", ["config.json", "labels.json", "tokenizer.json"])
def test_a_huge_file_of_a_model(name, run):
    huge(run.model / name)
    refuses(lambda: loading.load(run.model))


def test_a_large_file_of_a_model_is_compared_before_it_is_in_memory(run):
    layout = model_folder.Layout(run.model)
    huge(layout.weights, 3 * MUCH)
    huge(layout.tokenizer, 2 * MUCH)
    with memory.at_most(4 * MUCH), pytest.raises(ArtefactError):  # what is mapped counts, 3 * MUCH of it
        loading.load(run.model)


@pytest.mark.parametrize("name", ["manifest.json", "tokenizer.json", "report.json", "documents/part-00000.parquet"])
def test_a_huge_file_of_data(name, data):
    huge(data.root / name, 200 * memory.MB if name != "manifest.json" else MANY)
    refuses(lambda: DataDirectory.open(data.root))


@pytest.mark.parametrize("name", ["config.json", "metrics.json"])
def test_a_huge_file_of_a_run(name, run):
    huge(run.root / name)
    refuses(lambda: runs.read_json(run.root / name))


def test_a_huge_packed_copy_is_made_again(data):
    before = data.packed.part(0).read_bytes()
    huge(data.packed.part(0))
    opened = DataDirectory.open(data.root)
    with memory.at_most(MUCH):
        opened.packed()
    assert data.packed.part(0).read_bytes() == before


@pytest.mark.parametrize("depth", [b"[" * 1_000_000, b'{"a":' * 1_000_000])
def test_deep_json(depth, data, run):
    for path in (run.config, run.metrics, run.history, run.checksums):
        path.write_bytes(depth)
    for act in (lambda: runs.read_json(run.config), lambda: runs.read_lines(run.history), lambda: runs.sealed(run)):
        refuses(act)
    data.manifest.write_bytes(depth)
    refuses(lambda: manifest.read_manifest(data.root))


def table(path, rows, **columns):
    """A table of documents of which some columns were chosen to be small on the disk."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = [f"train-{number:07}" for number in range(rows)] if "id" not in columns else None
    usual = {"id": ids, "source": ["x"], "label": ["x"], "split": ["train"], "tier": ["full"]}
    texts = {name: columns.get(name, values) for name, values in usual.items()}
    arrays = {
        name: pa.array(values)
        if len(values) == rows
        else pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), pa.array(values))
        for name, values in texts.items()
    }
    for name, kind in (("tokens", np.int32), ("crc32", np.uint32)):
        arrays[name] = pa.array(np.ones(rows, dtype=kind))
    pq.write_table(pa.table(arrays), path, compression="zstd", compression_level=19)


TABLES = {
    "a label of 50 MB": (60, {"label": ["x" * 50 * memory.MB]}),
    "a tier of 1 MB, in each row": (1000, {"tier": ["x" * memory.MB]}),
}


def read(path, rows):
    return read_table([path], Parts(rows, rows), DocumentNames((rows, 0, 0)))


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_that_would_be_far_larger_than_its_file(kind, tmp_path):
    rows, columns = TABLES[kind]
    path = tmp_path / "part-00000.parquet"
    table(path, rows, **columns)
    assert path.stat().st_size < 100_000
    refuses(lambda: read(path, rows))


def test_a_label_that_many_documents_have_is_in_memory_once(tmp_path):
    path = tmp_path / "part-00000.parquet"
    table(path, 5000, label=["x" * 500_000])
    with memory.at_most(MUCH):
        assert read(path, 5000).label_of(4999) == "x" * 500_000


@pytest.mark.parametrize("column", ["id", "split"])
def test_a_column_that_is_not_read_takes_no_memory(column, tmp_path):
    path = tmp_path / "part-00000.parquet"
    table(path, 1000, **{column: ["x" * memory.MB]})
    with memory.at_most(MUCH):
        assert read(path, 1000).id_of(999) == "train-0000999"


def test_a_source_id_that_many_documents_have_is_in_memory_once(tmp_path):
    path = tmp_path / "part-00000.parquet"
    table(path, 5000, source=["x" * 500_000])
    with memory.at_most(MUCH):
        assert read(path, 5000).source[4999] == "x" * 500_000


def test_a_table_of_more_rows_than_the_manifest_counts(data):
    values = json.loads(data.manifest.read_bytes())
    values.pop(checksums.OWN)
    values["splits"]["train"] = MANY
    data.manifest.write_bytes(checksums.seal(values))
    refuses(lambda: DataDirectory.open(data.root))


def test_a_checkpoint_that_would_be_far_larger_than_its_file(run):
    model = torch.nn.Linear(2, 2)
    run.best.write_bytes(saved({"model": {"weight": torch.zeros(1).expand(MANY), "bias": torch.zeros(2)}}))
    refuses(lambda: load_best(run.best, model))


def test_check_takes_no_memory_for_what_is_huge(data, run):
    huge(data.report, 3 * MUCH)
    huge(next(data.tensors.glob("*/*.pt")))
    huge(data.packed.part(0))
    huge(run.model / "labels.json", 3 * MUCH)
    huge(run.best, 3 * MUCH)
    for root in (data.root, run.root):
        with memory.at_most(MUCH):
            assert CliRunner().invoke(main, ["check", str(root)]).exit_code == 4


ADVERSARIAL = {
    "one word": "a",
    "dots": "a.",
    "spaces": " ",
    "marks": "e\u0301",
    "endless marks": "\u0301",
    "zero width": "\u200b",
    "joiners": "\u200d",
    "emoji": "👩\u200d",
    "Han": "漢",
    "Hindi": "हि",
    "underscores": "_-",
    "upper case": "İ",
    "digits": "1,",
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_time_grows_with_the_text_and_not_with_its_square(name):
    tokenizer = Tokenizer(["a", "."], parts=["aa", "<a"])

    def seconds(characters):
        text = (ADVERSARIAL[name] * characters)[:characters]
        best = float("inf")
        for _ in range(3):
            started = process_time()
            tokenizer.encode(text)
            best = min(best, process_time() - started)
        return best

    size = 1000
    while (short := seconds(size)) < 0.02 and size < 2_000_000:  # too short to measure
        size *= 2
    assert seconds(8 * size) < 24 * short + 0.005  # its square would take 64 times as long
