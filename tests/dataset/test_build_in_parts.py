"""Data directories of several parts."""

from pathlib import Path

import numpy as np
import pytest

from tests.dataset import tables
from textclf.artefacts import integrity
from textclf.artefacts.integrity import DAMAGED, MISSING, UNEXPECTED, Finding
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.errors import ArtefactError, InterruptedRunError


def make(corpus, folder="data", *, tensors="none", size=25, tell=lambda _line: None, num_workers=1):
    config = PreprocessConfig(source=str(corpus), data_dir=Path(folder), tensors=tensors, num_workers=num_workers)
    return preprocess(config, part_size=size, tell=tell)[0]


def files_in(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("tensors", ["all", "none"])
def test_the_documents_are_those_of_one_part(tensors, corpus_csv, data_dir):
    root = make(corpus_csv, tensors=tensors)
    assert len(list((root / "documents").iterdir())) == len(list((root / "packed").iterdir())) == 3
    assert list(integrity.of_data(root)) == []
    divided, whole = DataDirectory.open(root), DataDirectory.open(data_dir)
    assert tables.columns(divided.documents) == tables.columns(whole.documents)
    rows = np.random.default_rng(0).permutation(60)
    for one, other in zip(divided.packed().gather(rows), whole.packed().gather(rows), strict=True):
        assert one.tolist() == other.tolist()
    assert divided.tokens(59).tolist() == whole.tokens(59).tolist()


def test_two_processes_write_the_same_bytes(corpus_csv):
    one, two = (make(corpus_csv, f"data{count}", num_workers=count) for count in (1, 2))
    assert files_in(one) == files_in(two)


def killed(*_, **__):
    raise InterruptedRunError("stopped")


def test_the_parts_of_a_killed_run_are_reused(corpus_csv, monkeypatch):
    expected, said = files_in(make(corpus_csv, "expected")), []
    with monkeypatch.context() as patched:
        patched.setattr("textclf.dataset.build.describe", killed)
        with pytest.raises(InterruptedRunError):
            make(corpus_csv)
    (hidden,) = Path("data").iterdir()
    (hidden / "packed" / "part-00001.bin").unlink()
    root = make(corpus_csv, tell=said.append)
    assert said == ["resuming an earlier run: 2 of 3 parts are there"]
    assert files_in(root) == expected


@pytest.mark.parametrize("change", [{"size": 20}, {"tensors": "all"}])
def test_the_parts_of_a_killed_run_with_other_settings_are_not(change, corpus_csv, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("textclf.dataset.build.describe", killed)
        with pytest.raises(InterruptedRunError):
            make(corpus_csv)
    said = []
    root = make(corpus_csv, tell=said.append, **change)
    assert said == []
    assert files_in(root) == files_in(make(corpus_csv, "expected", **change))


def test_only_a_damaged_part_is_rebuilt_from_the_tensors(corpus_csv):
    root = make(corpus_csv, tensors="all")
    before = files_in(root)
    (root / "packed" / "part-00001.bin").write_bytes(b"damaged")
    assert list(integrity.of_data(root)) == [Finding(root / "packed" / "part-00001.bin", DAMAGED)]
    DataDirectory.open(root).packed()
    assert files_in(root) == before


def test_each_damaged_missing_or_unexpected_file_is_named(corpus_csv):
    root = make(corpus_csv)
    for name in ("documents/part-00002.parquet", "packed/part-00001.bin"):
        path, content = root / name, (root / name).read_bytes()
        path.unlink()
        assert Finding(path, MISSING) in list(integrity.of_data(root))
        with pytest.raises(ArtefactError, match=f"{path.name} is damaged; rebuild it"):
            DataDirectory.open(root).packed()
        path.write_bytes(content)
    for name in ("documents/part-00003.parquet", "packed/part-00003.bin", "packed/tokens.bin"):
        (root / name).touch()
        assert list(integrity.of_data(root)) == [Finding(root / name, UNEXPECTED)]
        (root / name).unlink()
