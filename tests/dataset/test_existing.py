import re
import shlex
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from tests.dataset.test_build import LARGE, SMALL, make, tree, write_csv
from textclf.config import PreprocessConfig
from textclf.dataset import manifest
from textclf.dataset.directory import DataDirectory
from textclf.dataset.existing import BY_CONTENT, COLUMNS, LEAVES_DATA_ALONE, refuse_default_source
from textclf.errors import ArtefactError, DataError, UsageError
from textclf.sources import Columns


def test_every_setting_is_kept_or_leaves_the_data_alone(data_dir):
    kept = set(manifest.read_manifest(data_dir).settings)
    columns = set(COLUMNS.values())
    assert kept | LEAVES_DATA_ALONE | BY_CONTENT | columns == {field.name for field in fields(PreprocessConfig)}
    assert not kept & (LEAVES_DATA_ALONE | BY_CONTENT)
    assert not columns & (kept | LEAVES_DATA_ALONE)
    assert {*COLUMNS, "quote_was_asked_for"} == {field.name for field in fields(Columns)}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"num_workers": 2},
        {"strict": True},
        {"name": "films"},
        {"text_column": ("text",)},
        {"label_column": "label"},
        {"text_column": ("text",), "label_column": "label", "encoding": "UTF8"},
    ],
    ids=" ".join,
)
def test_the_same_settings_again_change_nothing(change):
    root, report = make(SMALL)
    before = {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]}
    assert make(**change) == (root, report)
    assert {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]} == before


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"max_vocab": 5},
        {"max_parts": 5},
        {"min_count": 2},
        {"lowercase": False},
        {"test_size": 0.2},
        {"validation_size": 0.2},
        {"encoding": "cp1252"},
        {"text_column": ("label",), "label_column": "text"},
        {"text_column": ("text", "text")},
        {"test": Path("test.csv")},
    ],
    ids=" ".join,
)
def test_other_settings_are_refused_and_named(change):
    write_csv("test.csv", SMALL)
    root, _ = make(SMALL)
    before = tree(root)
    with pytest.raises(UsageError, match=r"made from other settings .*replace it with --overwrite") as caught:
        make(**change)
    assert all(f"--{name.replace('_', '-')} was " in str(caught.value) for name in change)
    assert "[" not in str(caught.value)
    assert tree(root) == before


def test_all_other_settings_are_named_at_once():
    root, _ = make(SMALL)
    with pytest.raises(UsageError) as caught:
        make(seed=1, max_vocab=5)
    assert str(caught.value) == (
        f"{root} was made from other settings (--max-vocab was 100000 and is 5, --seed was 0 and is 1); "
        "replace it with --overwrite, or choose another --name"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text_column": ("label",), "label_column": "text"}, "--text-column was text and is label"),
        ({"text_column": ("text", "key")}, "--text-column was text and is text and key"),
        ({"id_column": "key"}, "--id-column was not given and is key"),
        ({"lowercase": False}, "--lowercase was on and is off"),
        ({"encoding": "latin-1"}, "--encoding was utf-8 and is iso8859-1"),
        ({"quote": "'"}, """--quote was '"' and is "'\""""),
        ({"quote": ""}, "--quote was '\"' and is none"),
    ],
    ids=repr,
)
def test_settings_are_named_as_the_command_line_has_them(change, said):
    write_csv("films.csv", [(*row, f"k{number}") for number, row in enumerate(SMALL)], ("text", "label", "key"))
    make()
    with pytest.raises(UsageError, match=re.escape(said)):
        make(**change)


def test_a_source_that_changed_is_refused():
    make(SMALL)
    with pytest.raises(UsageError, match=r"films was made from other settings \(the revision was \w+ and is \w+\)"):
        make([*SMALL, ("one more", "a")])


@pytest.mark.parametrize("change", [{}, {"seed": 1}, {"max_vocab": 2, "test_size": 0.2}], ids=repr)
def test_overwrite_gives_the_same_as_a_first_build(change):
    fresh, _ = make(SMALL, data_dir=Path("fresh"), **change)
    root, _ = make(LARGE[:40])
    root, _ = make(SMALL, overwrite=True, **change)
    assert tree(root) == tree(fresh)


def test_overwrite_repairs_damage():
    root, _ = make(SMALL)
    before = tree(root)
    (root / "manifest.json").write_bytes(b"{")
    (root / "report.json").unlink()
    shutil.rmtree(root / "tensors")
    with pytest.raises(ArtefactError, match="--overwrite"):
        make()
    make(overwrite=True)
    assert tree(root) == before


@pytest.mark.parametrize("name", ["notes.txt", "folder/", ".hidden"])
@pytest.mark.parametrize("finished", [True, False])
def test_a_directory_with_other_files_is_refused_and_left_unchanged(name, finished):
    root, _ = make(SMALL)
    if name.endswith("/"):
        (root / name).mkdir()
        (root / name / "inside").write_text("mine")
    else:
        (root / name).write_text("mine")
    if not finished:
        (root / "manifest.json").unlink()
    before = tree(root)
    with pytest.raises(UsageError) as caught:
        make(overwrite=True)
    listed = name.rstrip("/")
    assert str(caught.value) == f"{root} has files that textclf did not write ({listed}); choose another --name"
    assert tree(root) == before


def test_a_file_in_the_place_of_the_directory_is_refused_and_stays():
    Path("data").mkdir()
    Path("data/films").write_text("mine")
    with pytest.raises(UsageError, match="films"):
        make(SMALL)
    assert Path("data/films").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_link_is_not_followed_to_what_lies_outside(overwrite):
    root, _ = make(SMALL)
    before = tree(root)
    outside = Path("outside")
    (root / "tensors").rename(outside)
    (outside / "mine").write_text("mine")
    (root / "tensors").symlink_to(outside.resolve(), target_is_directory=True)
    (root / "manifest.json").unlink()
    make(overwrite=overwrite)
    assert (outside / "mine").read_text() == "mine"
    assert tree(root) == before


@pytest.mark.parametrize(
    "missing",
    [
        ["manifest.json"],
        ["manifest.json", "documents/part-00000.parquet", "report.json"],
        ["manifest.json", "documents/part-00000.parquet", "report.json", "packed", "tensors/1a"],
        ["manifest.json", "documents/part-00000.parquet", "report.json", "packed", "tensors", "tokenizer.json"],
    ],
    ids=len,
)
def test_an_unfinished_directory_is_finished(missing):
    root, _ = make(SMALL)
    before = tree(root)
    for name in missing:
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match="unfinished"):
        DataDirectory.open(root)
    make()
    assert tree(root) == before


def test_leftovers_of_a_killed_process_are_removed():
    root, _ = make(SMALL)
    before = tree(root)
    for name in ("manifest.json", "packed/part-00000.bin", "tensors/1a/train-0000001.pt"):
        path = root / name
        path.with_name(f".{path.name}.4711.tmp").write_bytes(b"half of it")
    (root / "manifest.json").unlink()
    hidden = root.with_name(".films.4711.tmp")
    (hidden / "tensors").mkdir(parents=True)
    make()
    assert tree(root) == before
    assert not hidden.exists()


def test_a_directory_is_not_replaced_by_the_default_corpus():
    root, _ = make(SMALL)
    with pytest.raises(UsageError) as caught:
        refuse_default_source(root, default="bbc_news")
    assert str(caught.value).startswith(f"{root} is not bbc_news, which is read if no source is named; name its own: ")
    command = str(caught.value).rpartition(": ")[2]
    assert shlex.split(command) == ["textclf", "preprocess", "films.csv", "--name", root.name, "--overwrite"]
    refuse_default_source(root, default="films.csv")
    refuse_default_source(root.with_name("nothing"), default="bbc_news")
    manifest.DataLayout(root).manifest.write_text("{}")
    with pytest.raises(UsageError, match="textclf preprocess SOURCE --name"):
        refuse_default_source(root, default="bbc_news")
