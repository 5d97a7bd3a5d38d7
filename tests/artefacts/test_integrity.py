import shutil
import zipfile
from pathlib import Path

import pytest

from textclf.artefacts import integrity, runs
from textclf.artefacts.integrity import DAMAGED, MISSING, UNCHECKED, UNEXPECTED, Finding
from textclf.cli import main
from textclf.dataset import manifest, tensors
from textclf.errors import ArtefactError, DataError

OF_DATA = ["tokenizer.json", "documents/part-00000.parquet", "report.json", "packed/part-00000.bin"]
OF_DATA += ["tensors"]
OF_A_RUN = ["config.json", "history.jsonl", "metrics.json", "checkpoints/best.pt", "projector_config.pbtxt", "events"]
OF_A_RUN += ["model/README.md", "model/config.json", "model/labels.json", "model/model.safetensors"]
OF_A_RUN += ["model/tokenizer.json"]


@pytest.fixture
def data(data_dir, tmp_path):
    """A data directory to be damaged."""
    return Path(shutil.copytree(data_dir, tmp_path / "data" / data_dir.name))


@pytest.fixture
def run(run_dir, tmp_path):
    """A finished run to be damaged."""
    return runs.RunLayout(Path(shutil.copytree(run_dir, tmp_path / "runs" / run_dir.name)))


def file_of(root, name):
    """A file by its name; of several with a name that begins so, one in the middle."""
    files = sorted(path for path in root.rglob(f"{name}*" if name != "tensors" else "tensors/*/*.pt") if path.is_file())
    return root / name if (root / name).is_file() else files[len(files) // 2]


def flip(path, place=-1):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_new_data_and_runs_have_no_findings(data, run):
    assert list(integrity.of_data(data)) == list(integrity.of_run(run)) == list(integrity.of_model(run.model)) == []


@pytest.mark.parametrize("name", OF_DATA)
def test_a_damaged_file_of_data_is_named_and_no_other(name, data):
    path = file_of(data, name)
    flip(path)
    found = list(integrity.of_data(data))
    assert [finding for finding in found if finding.what != UNCHECKED] == [Finding(path, DAMAGED)]
    hidden = {data / "tensors", data / "packed"} if name == "documents/part-00000.parquet" else set()
    assert {finding.path for finding in found} == {path} | hidden
    path.unlink()
    assert Finding(path, MISSING) in integrity.of_data(data)


def test_a_damaged_manifest_is_named(data):
    path = manifest.DataLayout(data).manifest
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(ArtefactError, match=r"manifest\.json"):
        list(integrity.of_data(data))


def test_a_manifest_with_equal_content_in_other_bytes_is_damaged(data):
    path = manifest.DataLayout(data).manifest
    path.write_bytes(path.read_bytes() + b"\n")
    assert list(integrity.of_data(data)) == [Finding(path, DAMAGED)]


def test_several_damaged_files_are_all_named(data):
    paths = {file_of(data, name) for name in OF_DATA if name != "documents/part-00000.parquet"}
    for path in paths:
        flip(path)
    found = {finding.path for finding in integrity.of_data(data)}
    assert found == paths


def test_a_tensor_of_another_document_is_damaged(data):
    first, second = sorted(data.glob("tensors/*/*.pt"))[:2]
    shutil.copyfile(first, second)
    assert list(integrity.of_data(data)) == [Finding(second, DAMAGED)]


def test_a_tensor_of_the_same_ids_in_other_bytes_is_damaged(data):
    path = file_of(data, "tensors")
    content = bytearray(path.read_bytes())
    content[content.index(b"FB") + 10] ^= 1  # padding
    path.write_bytes(content)
    assert len(tensors.read_tensor(path))
    assert list(integrity.of_data(data)) == [Finding(path, DAMAGED)]


def test_without_the_packed_copy_nothing_is_missing(data):
    shutil.rmtree(data / "packed")
    assert list(integrity.of_data(data)) == []


@pytest.mark.parametrize("name", ["notes.txt", "tensors/ab/train-9999999.pt", "packed/more", "tensors/x.pt"])
def test_an_unexpected_file_of_data_is_named(name, data):
    (data / name).parent.mkdir(exist_ok=True)
    (data / name).touch()
    assert list(integrity.of_data(data)) == [Finding(data / name, UNEXPECTED)]


def test_a_link_is_unexpected_even_to_the_right_file_and_is_not_followed(data, tmp_path):
    path = file_of(data, "tensors")
    shutil.move(path, tmp_path / "elsewhere.pt")
    path.symlink_to(tmp_path / "elsewhere.pt")
    (data / "loop").symlink_to(data)
    assert set(integrity.of_data(data)) == {Finding(path, UNEXPECTED), Finding(data / "loop", UNEXPECTED)}


def test_data_of_an_earlier_version_is_checked_as_far_as_it_has_checksums(data):
    layout = manifest.DataLayout(data)
    made = manifest.parse_manifest(data)
    del made.checksums["report.json"]
    manifest.write_manifest(layout, made)
    assert list(integrity.of_data(data)) == [Finding(layout.report, UNCHECKED)]


def test_unfinished_data_is_named(data):
    manifest.DataLayout(data).manifest.unlink()
    with pytest.raises(DataError, match="unfinished"):
        list(integrity.of_data(data))


@pytest.mark.parametrize("name", OF_A_RUN)
def test_a_damaged_file_of_a_run_is_named_and_no_other(name, run):
    path = file_of(run.root, name)
    flip(path)
    assert list(integrity.of_run(run)) == [Finding(path, DAMAGED)]
    path.unlink()
    assert list(integrity.of_run(run)) == [Finding(path, MISSING)]


def test_damaged_checksums_are_named(run):
    flip(run.checksums, 60)
    with pytest.raises(ArtefactError, match=r"checksums\.json"):
        list(integrity.of_run(run))


def test_an_unexpected_file_of_a_run_is_named(run):
    run.report.touch()
    (run.root / "checkpoints" / "old.pt").touch()
    (run.model / "modeling.py").touch()
    (run.root / "link").symlink_to("config.json")
    assert {finding.path.name for finding in integrity.of_run(run)} == {"old.pt", "modeling.py", "link"}
    assert {finding.what for finding in integrity.of_run(run)} == {UNEXPECTED}


def test_only_visible_damage_is_found_in_an_unfinished_run(run):
    run.checksums.unlink()
    run.metrics.unlink()
    assert {finding.what for finding in integrity.of_run(run)} == {UNCHECKED}
    with zipfile.ZipFile(run.best) as archive:
        member = max(archive.infolist(), key=lambda member: member.file_size)
    flip(run.best, member.header_offset + 200)  # where only the CRC in the archive tells
    flip(run.model / "labels.json")
    run.history.write_text("{")
    (run.root / "notes.txt").touch()
    bad = {(finding.path, finding.what) for finding in integrity.of_run(run) if finding.what != UNCHECKED}
    damaged = {(path, DAMAGED) for path in (run.best, run.model / "labels.json", run.history)}
    assert bad == damaged | {(run.root / "notes.txt", UNEXPECTED)}


@pytest.mark.parametrize("name", ["README.md", "labels.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_file_of_a_model_is_named(name, run):
    flip(run.model / name)
    assert list(integrity.of_model(run.model)) == [Finding(run.model / name, DAMAGED)]
    (run.model / name).unlink()
    assert list(integrity.of_model(run.model)) == [Finding(run.model / name, MISSING)]


def test_check_says_whether_a_run_or_a_model_is_whole_or_unfinished(run, runner):
    for path, said in ((run.root, "no problems\n"), (run.model, "no problems\n")):
        result = runner.invoke(main, ["check", str(path)])
        assert (result.exit_code, result.stdout) == (0, said)
    (run.model / "modeling.py").touch()
    assert runner.invoke(main, ["check", str(run.model)]).exit_code == 4
    shutil.rmtree(run.model)
    run.checksums.unlink()
    run.metrics.unlink()
    result = runner.invoke(main, ["check", str(run.root)])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        0,
        f"unfinished; finish it: textclf train --resume {run.root}",
    )
