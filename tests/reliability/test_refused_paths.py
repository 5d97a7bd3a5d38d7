"""Paths, folders and splits that cannot be used: devices, broken links, folders without documents, odd names."""

import os
from pathlib import Path

import pytest

from tests.reliability.tables import PLAIN, ROWS, delimited, preprocess, refuses
from textclf.dataset.directory import DataDirectory


def link_to(target):
    def make(path):
        path.symlink_to(target)

    return make


def folder(**files):
    def make(path):
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)

    return make


SENTENCES = {f"{label}/{number}.txt": f"{text}".encode() for number, (text, label) in enumerate(ROWS)}

PLACES = [
    ("nothing", "bad.csv", lambda _: None, 2, "no such file or folder: bad.csv"),
    ("a name too long for a file", f"{'n' * 300}.csv", lambda _: None, 2, "no such file or folder: nnn"),
    ("a pipe", "bad.csv", os.mkfifo, 2, "bad.csv is not a file but a pipe or a device"),
    ("a pipe for Parquet", "bad.parquet", os.mkfifo, 2, "bad.parquet is not a file but a pipe or a device"),
    ("/dev/zero", "bad.jsonl", link_to("/dev/zero"), 2, "bad.jsonl is not a file but a pipe or a device"),
    ("/dev/null", "bad.txt", link_to("/dev/null"), 2, "bad.txt is not a file but a pipe or a device"),
    ("/dev/zero as it is", "/dev/zero", lambda _: None, 2, "/dev/zero is not a file but a pipe or a device"),
    ("a link to nothing", "bad.csv", link_to("gone.csv"), 2, "no such file or folder: bad.csv"),
    ("a link to itself", "bad.csv", link_to("bad.csv"), 2, "no such file or folder: bad.csv"),
    ("a file that fails when it is read", "bad.csv", link_to("/proc/self/mem"), 3, "cannot read bad.csv: Input/output"),
    ("an empty folder", "bad", Path.mkdir, 3, "bad: no class folders and no train file or folder in it"),
    ("a folder of files", "bad", folder(**{"data.csv": PLAIN.encode()}), 3, "bad: no class folders"),
    ("empty class folders", "bad", lambda path: (path / "a").mkdir(parents=True), 3, "bad: no documents in it"),
    ("one class folder", "bad", folder(**{"a/1.txt": b"x", "a/2.txt": b"y"}), 3, "needs at least two classes"),
    ("an image in a class folder", "bad", folder(**SENTENCES, **{"a/x.png": b"\x89PNG\r\n"}), 3, "a/x.png is not text"),
    ("a text of cp1252 in a class", "bad", folder(**SENTENCES, **{"a/x.txt": b"one\n\x80"}), 3, "a/x.txt:2: byte"),
    ("a text without end in a class", "bad", folder(**SENTENCES, **{"a/x": b"n" * 10**7}), 3, "a/x:1: the line is"),
    ("a file name that is not UTF-8", "bad", folder(**SENTENCES, **{"a/\udcff.txt": b"x"}), 3, "half a surrogate pair"),
    ("a class that is not UTF-8", "bad", folder(**SENTENCES, **{"\udcff/x.txt": b"x"}), 3, "half a surrogate pair"),
    ("two train files", "bad", folder(**{"train.csv": b"", "training.jsonl": b""}), 2, "bad has two train parts"),
    ("a split that cannot be read", "bad", folder(**{"train.csv": PLAIN.encode(), "test.csv": b"text,label\nx\n"}), 3,
     "bad/test.csv:2: 1 field,"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "make", "code", "part"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_a_path_that_is_not_a_source_is_refused(path: str, make, code: int, part: str) -> None:
    make(Path(path))
    refuses(preprocess(path), code, part)


def test_a_file_without_read_permission_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad.csv").write_text(PLAIN, encoding="utf-8")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    refuses(preprocess("bad.csv"), 2, "no permission to read or write bad.csv")


def test_a_source_whose_name_is_not_utf8_is_refused() -> None:
    Path("\udcff.csv").write_text(PLAIN, encoding="utf-8")
    refuses(preprocess("\udcff.csv"), 2, "\\udcff.csv: the name is not UTF-8")
    Path("good.csv").write_text(PLAIN, encoding="utf-8")
    refuses(preprocess("good.csv", "--test", "\udcff.csv"), 2, "the name is not UTF-8")


def test_an_unread_file_in_a_folder_may_have_any_name() -> None:
    folder(**SENTENCES, **{"\udcff.md": b"x"})(Path("good"))
    done = preprocess("good")
    assert done.exit_code == 0, (done.output, done.exception)
    assert "note: not read: \\xff.md" in done.stderr


def test_labels_of_one_split_only_are_listed_or_refused() -> None:
    for name, label in (("train", "a"), ("validation", "only validation"), ("test", "only test")):
        rows = ROWS if name == "train" else [*ROWS, ("a text", label)]
        Path(f"{name}.csv").write_bytes(delimited(rows))
    options = ["--validation", "validation.csv", "--test", "test.csv"]
    refuses(preprocess("train.csv", *options, "--strict"), 3, "'only test' (1)", "'only validation' (1)")
    done = preprocess("train.csv", *options)
    assert done.exit_code == 0
    assert "problem: no training document has these labels" in done.stderr


def test_texts_may_all_be_empty_if_no_split_is_drawn() -> None:
    for name in ("train", "validation", "test"):
        Path(f"{name}.csv").write_bytes(delimited([("", "a"), ("  ", "b")]))
    done = preprocess("train.csv", "--validation", "validation.csv", "--test", "test.csv")
    assert done.exit_code == 0, (done.output, done.exception)
    assert DataDirectory.open(Path("data/made")).documents.tokens.tolist() == [1] * 6


@pytest.mark.parametrize("size", ["nan", "inf", "-0.1", "0", "1"])
def test_a_test_size_that_leaves_no_split_is_refused(size: str) -> None:
    Path("good.csv").write_text(PLAIN, encoding="utf-8")
    refuses(preprocess("good.csv", f"--test-size={size}"), 2, "is not a number above 0 and below 1")


def test_no_case_was_lost() -> None:
    assert len({name for name, *_ in PLACES}) == 21
