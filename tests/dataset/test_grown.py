import pytest

from tests.conftest import TEXTS
from tests.dataset.growing import NEW, add, rows_of, write
from textclf.config import PreprocessConfig
from textclf.dataset import grown as growing
from textclf.dataset.build import preprocess
from textclf.dataset.data_report import read_report
from textclf.dataset.directory import DataDirectory
from textclf.errors import ArtefactError


def test_the_report_says_what_was_added(base, tmp_path):
    root = base()
    report = add(root, write(tmp_path / "more.csv", rows_of({**TEXTS, **NEW}, range(10, 12), word="v")))
    assert report == read_report(root / "report.json")
    assert report.notes[-1].endswith("more.csv: 24 to train, 3 to validation, 3 to test; new labels: art")
    assert report.splits["train"].documents == DataDirectory.open(root).manifest.splits["train"]
    assert report.name == root.name


def test_parts_that_stay_are_linked_and_others_are_written(base, tmp_path):
    path = write(tmp_path / "base.csv", rows_of(TEXTS, range(8)))
    config = PreprocessConfig(source=str(path), data_dir=tmp_path / "data", num_workers=1)
    root = preprocess(config, part_size=25)[0]
    parts = [file.stat().st_ino for file in sorted((root / "packed").iterdir())]
    assert len(parts) == 4
    add(root, write(tmp_path / "more.csv", rows_of(TEXTS, range(10, 12), word="v")))
    after = [file.stat().st_ino for file in sorted((root / "packed").iterdir())]
    assert after[:3] == parts[:3]  # of the 76 documents of train, 75 are in these
    assert after[3] != parts[3]
    assert len(after) == 5


def test_what_is_stopped_leaves_the_old_directory_whole(base, tmp_path, monkeypatch):
    root = base()
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    more = write(tmp_path / "more.csv", rows_of(NEW, range(4)))

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(growing, "write_manifest", stop)
        with pytest.raises(KeyboardInterrupt):
            add(root, more)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_damaged_directory_is_not_grown(base, tmp_path):
    root = base()
    next(root.glob("tensors/*/*.pt")).unlink()
    with pytest.raises(ArtefactError, match=r"\.pt is missing; rebuild it"):
        add(root, write(tmp_path / "more.csv", rows_of(NEW, range(3))))
    assert (root / "manifest.json").exists()
