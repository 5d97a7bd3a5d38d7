import json
import re
from collections import Counter
from dataclasses import replace

import pytest

from textclf.dataset import manifest
from textclf.dataset.manifest import FORMAT_VERSION, DataLayout, Manifest
from textclf.dataset.parts import Parts
from textclf.errors import ArtefactError, DataError, UsageError
from textclf.sources import Columns
from textclf.system import checksums

MADE = Manifest(
    name="films",
    source="films.csv",
    revision="0123456789abcdef",
    settings={"seed": 0, "test": None},
    labels=["né", "x"],
    splits={"train": 3, "validation": 1, "test": 1},
    drawn=["validation"],
    tiers={"tiny": 2, "small": 3, "mid": 3, "full": 3},
    vocabulary=7,
    checksums={},
    packed=[2**32 - 1],
    columns=Columns(("título", "texto"), "tema", delimiter=";", quote="", encoding="cp1252"),
)


@pytest.fixture
def layout(tmp_path):
    """A finished data directory, as far as the manifest knows."""
    layout = DataLayout(tmp_path / "films")
    layout.root.mkdir()
    layout.tokenizer.write_bytes(b"{}")
    layout.documents.mkdir()
    layout.table(0).write_bytes(b"PAR1")
    named = {layout.name_of(path): checksums.sha256(path) for path in (layout.tokenizer, layout.table(0))}
    manifest.write_manifest(layout, replace(MADE, checksums=named))
    return layout


def test_a_manifest_survives_the_disk(layout):
    again = manifest.read_manifest(layout.root)
    assert replace(again, checksums={}) == MADE
    assert sorted(again.checksums) == ["documents/part-00000.parquet", "tokenizer.json"]
    assert all(re.fullmatch("[0-9a-f]{64}", checksum) for checksum in again.checksums.values())


def test_every_file_is_in_the_directory(tmp_path):
    layout = DataLayout(tmp_path)
    packed = layout.packed
    paths = [layout.manifest, *layout.tables(Parts(11, size=10)), layout.tokenizer, layout.report, packed.part(12345)]
    assert [layout.name_of(path) for path in (*paths, layout.tensor("train-0000017"))] == [
        "manifest.json",
        "documents/part-00000.parquet",
        "documents/part-00001.parquet",
        "tokenizer.json",
        "report.json",
        "packed/part-12345.bin",
        "tensors/93/train-0000017.pt",
    ]


def test_tensors_are_spread_over_256_folders(tmp_path):
    paths = [DataLayout(tmp_path).tensor(f"train-{number:07}") for number in range(10_000)]
    assert len(set(paths)) == len(paths)
    counts = Counter(path.parent.name for path in paths)
    assert set(counts) == {f"{number:02x}" for number in range(256)}
    assert max(counts.values()) < 80  # 39 on average


def test_a_directory_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(UsageError) as caught:
        manifest.read_manifest(tmp_path / "films")
    assert str(caught.value) == f"no data directory {tmp_path / 'films'}; make it: textclf preprocess"


def test_a_file_is_not_a_data_directory(tmp_path):
    (tmp_path / "films").touch()
    with pytest.raises(UsageError, match="no data directory"):
        manifest.read_manifest(tmp_path / "films")


def test_an_unfinished_directory_is_named(layout):
    layout.manifest.unlink()
    with pytest.raises(DataError) as caught:
        manifest.read_manifest(layout.root)
    hint = "(it has no manifest.json); finish it: textclf preprocess SOURCE --name films"
    assert str(caught.value) == f"{layout.root} is unfinished {hint}"


@pytest.mark.parametrize("version", [FORMAT_VERSION - 1, FORMAT_VERSION + 1, 99, str(FORMAT_VERSION), None])
def test_another_format_version_is_named_whatever_the_keys(layout, version):
    layout.manifest.write_text(json.dumps({"format_version": version, "what": "textclf does not know"}))
    with pytest.raises(ArtefactError) as caught:
        manifest.read_manifest(layout.root)
    assert str(caught.value) == (
        f"{layout.manifest} has format {version}, and this textclf reads format {FORMAT_VERSION}; "
        "upgrade textclf, or rebuild the directory: textclf preprocess SOURCE --overwrite"
    )


@pytest.mark.parametrize("change", [{"colour": "red"}, *({key: None} for key in ("labels", "checksums", "name"))])
def test_other_keys_are_refused(layout, change):
    values = json.loads(layout.manifest.read_text(encoding="utf-8"))
    ((name, value),) = change.items()
    if value is None:
        del values[name]
    else:
        values[name] = value
    layout.manifest.write_text(json.dumps(values))
    with pytest.raises(ArtefactError, match="not as it was written"):
        manifest.read_manifest(layout.root)


@pytest.mark.parametrize("columns", [None, [], {"text": "message"}, {"text": [1]}, {"colour": "red"}], ids=repr)
def test_columns_of_another_type_are_refused(layout, columns):
    values = json.loads(layout.manifest.read_text(encoding="utf-8"))
    layout.manifest.write_bytes(checksums.seal({**values, "columns": columns}))
    with pytest.raises(ArtefactError, match="not as it was written"):
        manifest.read_manifest(layout.root)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe{}", b"[" * 200_000, b"null", b"[]", b'"format_version"', b"{}", b'{"labels": []}']
)
def test_invalid_json_is_named(layout, content):
    layout.manifest.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"manifest\.json is damaged .*textclf preprocess SOURCE --overwrite"):
        manifest.read_manifest(layout.root)


def test_a_truncated_manifest_is_named(layout):
    content = layout.manifest.read_bytes().rstrip()
    for length in range(len(content)):
        layout.manifest.write_bytes(content[:length])
        with pytest.raises(ArtefactError, match="is damaged"):
            manifest.read_manifest(layout.root)


@pytest.mark.parametrize("checksums", [None, [], 3, "tokenizer.json", {}, {"tokenizer.json": None}], ids=repr)
def test_a_manifest_without_the_checksums_is_refused(layout, checksums):
    values = json.loads(layout.manifest.read_text(encoding="utf-8"))
    layout.manifest.write_text(json.dumps(values | {"checksums": checksums}))
    with pytest.raises(ArtefactError):
        manifest.read_manifest(layout.root)


@pytest.mark.parametrize("name", ["documents/part-00000.parquet", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["changed", "emptied", "missing"])
def test_a_changed_or_missing_file_is_named(layout, name, damage):
    path = layout.root / name
    path.write_bytes(b"" if damage == "emptied" else path.read_bytes().swapcase() + b" ")
    if damage == "missing":
        path.unlink()
    with pytest.raises(ArtefactError) as caught:
        manifest.read_manifest(layout.root)
    assert str(caught.value) == f"{path} is damaged; rebuild it: textclf preprocess SOURCE --name films --overwrite"


def test_the_fingerprint_does_not_depend_on_the_order_of_checksums():
    one = replace(MADE, checksums={"a": "1", "b": "2"})
    assert re.fullmatch("[0-9a-f]{16}", one.fingerprint)
    assert one.fingerprint == replace(MADE, checksums={"b": "2", "a": "1"}).fingerprint
    others = [{"a": "1", "b": "3"}, {"a": "2", "b": "1"}, {"a": "1"}, {"a": "1", "c": "2"}, {}]
    fingerprints = {replace(MADE, checksums=named).fingerprint for named in others}
    assert len(fingerprints | {one.fingerprint}) == len(others) + 1
