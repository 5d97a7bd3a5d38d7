import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from textclf.errors import ResourceError
from textclf.system import files


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [True, False])
def test_the_content_takes_the_place_of_the_old_one(tmp_path, durable):
    path = tmp_path / "file"
    for content in (b"old and longer", b"new", b""):
        files.write_bytes(path, content, durable=durable)
        assert path.read_bytes() == content
    assert listing(tmp_path) == ["file"]


def test_text_is_utf_8_whatever_the_locale(tmp_path):
    path = tmp_path / "file"
    files.write_text(path, "né 猫\n")
    assert path.read_bytes() == b"n\xc3\xa9 \xe7\x8c\xab\n"


def test_json_is_for_people_and_programs(tmp_path):
    path = tmp_path / "file.json"
    files.write_json(path, {"né": [1, None]})
    assert path.read_text(encoding="utf-8") == '{\n  "né": [\n    1,\n    null\n  ]\n}\n'


def test_json_is_read_as_it_was_written(tmp_path):
    value = {"né": [1, 2.5, None, True], "猫": {}}
    files.write_json(tmp_path / "file.json", value)
    assert files.read_json(tmp_path / "file.json") == value


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 200_000])
def test_what_is_no_json_is_a_value_error(tmp_path, content):
    (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011  of json or of the codec; either says what it is
        files.read_json(tmp_path / "file.json")


def test_a_missing_json_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.read_json(tmp_path / "file.json")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}, "half a pair: \ud800"])
def test_what_json_cannot_hold_leaves_the_old_file(tmp_path, value):
    path = tmp_path / "file.json"
    files.write_json(path, "old")
    with pytest.raises(ValueError):  # noqa: PT011  of json or of the codec; either says what it is
        files.write_json(path, value)
    assert json.loads(path.read_text()) == "old"
    assert listing(tmp_path) == ["file.json"]


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), OSError(errno.EINVAL, "no")])
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, error, before):
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)

    def write_half():
        with files.replacing(path) as file:
            file.write(b"half of the n")
            raise error

    with pytest.raises(type(error)) as caught:
        write_half()
    assert caught.value is error
    assert listing(tmp_path) == ([] if before is None else ["file"])
    assert before is None or path.read_bytes() == before


def test_the_old_file_can_be_read_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with files.replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_the_temporary_file_is_hidden_next_to_the_file_and_has_a_name_that_nobody_can_guess(tmp_path):
    names = set()
    for _ in range(2):
        with files.replacing(tmp_path / "file"):
            names |= set(listing(tmp_path))
        (tmp_path / "file").unlink()
    assert len(names) == 2
    assert all(re.fullmatch(r"\.file\.[0-9a-f]{16}\.tmp", name) for name in names)


@pytest.mark.parametrize(("durable", "expected"), [(True, ["fsync", "replace"]), (False, ["replace"])])
def test_a_durable_file_is_on_the_disk_before_it_is_in_its_place(tmp_path, monkeypatch, durable, expected):
    called = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, original=original: (called.append(name), original(*a))[1])
    files.write_bytes(tmp_path / "file", b"new", durable=durable)
    assert called == expected


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("failing", [(os, "fsync"), (Path, "replace")], ids=["fsync", "replace"])
def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path, monkeypatch, code, failing):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(*failing, refuse)
    with pytest.raises(ResourceError) as caught:
        files.write_bytes(path, b"new")
    advice = "free some (3 bytes are needed) and run the command again"
    why = ", as the disk quota is used up" if code == errno.EDQUOT else ""
    assert str(caught.value) == f"no space left to write {path}{why}; {advice}"
    assert path.read_bytes() == b"old"
    assert listing(tmp_path) == ["file"]


def test_a_file_that_does_not_fit_is_named_and_leaves_the_old_one(tmp_path, request):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    request.getfixturevalue("full_disk")
    with pytest.raises(ResourceError, match="no space left"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert listing(tmp_path) == ["file"]


def test_a_process_killed_while_it_writes_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    killed = (
        "import os, signal, sys; from pathlib import Path; from textclf.system import files\n"
        "with files.replacing(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half of the n')\n"
        "    file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(path)], check=False).returncode == -9
    assert path.read_bytes() == b"old"
    assert len(listing(tmp_path)) == 2
    files.write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert listing(tmp_path) == ["file"]  # what the killed process left is gone


def test_only_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for path, kind in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe"), (tmp_path / "device", "a device")):
        with pytest.raises(ValueError, match=rf"^it is {kind}, not a file$"):
            files.open_to_read(path)
        with pytest.raises(ValueError, match=rf"^it is {kind}, not a file$"):
            files.refuse_other_kind(path)
    with pytest.raises(FileNotFoundError):
        files.open_to_read(tmp_path / "gone")
    assert files.read_bytes(tmp_path / "link") == b"content"


def test_a_file_with_more_bytes_than_allowed_is_not_read(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    assert files.read_bytes(tmp_path / "file", most=7) == b"content"
    with pytest.raises(ValueError, match=r"^it has 7 bytes$"):
        files.read_bytes(tmp_path / "file", most=6)


@pytest.mark.parametrize(("size", "data", "is_read"), [
    (files.LARGE - 1, 0, True), (files.LARGE, 0, False), (files.LARGE, files.LARGE // 8, True),
    (2 * files.LARGE, files.LARGE // 8, False),
])  # fmt: skip
def test_a_large_file_must_not_be_a_hole(size, data, is_read, tmp_path):
    with (tmp_path / "file").open("wb") as file:
        file.seek(size // 2)
        file.write(b"x" * data)
        file.truncate(size)
    if is_read:
        with files.open_to_read(tmp_path / "file") as file:
            assert file.tell() == 0
    else:
        with pytest.raises(ValueError, match=r"nearly all a hole, of [0-9,]+ bytes"):
            files.open_to_read(tmp_path / "file")


@pytest.mark.parametrize("content", [b"NaN", b"[-Infinity]", b"1e999", b'"\\ud800"', b'{"\\uDFFF": 1}'])
def test_what_other_programs_could_not_read_is_no_json(content):
    with pytest.raises(ValueError):  # noqa: PT011  of json or of the codec; either says what it is
        files.parse_json(content)


def test_a_whole_surrogate_pair_is_a_character():
    assert files.parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"
