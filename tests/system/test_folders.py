import errno
import subprocess
import sys
from pathlib import Path
from threading import Barrier, Thread
from time import sleep

import pytest

from textclf.errors import ResourceError
from textclf.system import files, folders


def fill(root, content):
    with folders.replacing(root) as folder:
        (folder / "inside").mkdir()
        (folder / "inside" / "file").write_text(content)
        assert not (root / "inside" / "file").exists() or (root / "inside" / "file").read_text() != content


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_complete_and_replaces_the_old_one(tmp_path):
    root = tmp_path / "data" / "films"
    for content in ("one", "two"):
        fill(root, content)
        assert (root / "inside" / "file").read_text() == content
        assert names(root.parent) == ["films"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, "broken"), ResourceError("no space")])
def test_after_a_failure_the_old_folder_stays_and_nothing_is_left(tmp_path, error):
    root = tmp_path / "data" / "films"
    with pytest.raises(type(error)), folders.replacing(root):
        raise error
    assert not root.parent.exists()
    fill(root, "old")
    with pytest.raises(type(error)), folders.replacing(root):
        raise error
    assert names(root.parent) == ["films"]
    assert (root / "inside" / "file").read_text() == "old"


def test_an_existing_parent_folder_stays_even_if_empty(tmp_path):
    with pytest.raises(KeyboardInterrupt), folders.replacing(tmp_path / "films"):
        raise KeyboardInterrupt
    assert tmp_path.exists()


def test_an_error_names_the_final_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ResourceError) as caught, folders.replacing(Path("data/films")) as folder:
        raise ResourceError(f"no space left to write {folder}/a.pt; free some")
    assert str(caught.value) == "no space left to write data/films/a.pt; free some"


def test_folders_of_killed_runs_are_removed_and_nothing_else(tmp_path):
    others = [".films.x.12.tmp", ".films2.12.tmp", ".films.12.tmp.txt", "films.12.tmp"]
    for name in (".films.12.tmp", ".films.12.old.tmp", *others):
        (tmp_path / name).mkdir()
    fill(tmp_path / "films", "new")
    assert names(tmp_path) == sorted(["films", *others])


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "large_disk").mkdir()
    link = tmp_path / "films"
    link.symlink_to(tmp_path / "large_disk", target_is_directory=True)
    fill(link, "new")
    assert link.is_symlink()
    assert names(tmp_path / "large_disk") == ["inside"]


def test_removing_does_not_follow_links(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "mine", target_is_directory=True)
    for _ in range(2):
        files.remove(link)
        assert names(tmp_path) == ["mine"]
    assert names(tmp_path / "mine") == ["file"]


HOLD = """
import os, sys, time
from pathlib import Path
from textclf.system import folders
from textclf.system.files import make_folder
with folders.replacing(Path(sys.argv[1])) as folder:
    (folder / "begun").touch()
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_folder_that_another_process_fills_is_refused_and_taken_over_once_it_was_killed(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "films"], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "ready\n"
    before = names(tmp_path)
    with pytest.raises(ResourceError, match="another textclf is making"), folders.replacing(tmp_path / "films"):
        pytest.fail("both fill it")
    assert names(tmp_path) == before
    other.kill()
    other.communicate()
    with folders.replacing(tmp_path / "films") as folder:
        assert names(folder) == ["begun"]
        assert folder.name not in before


def test_of_two_at_once_not_both_fill_the_folder(tmp_path):
    inside, refused, together = [], [], Barrier(2)

    def work():
        together.wait()
        try:
            with folders.replacing(tmp_path / "films"):
                inside.append(True)
                assert len(inside) == 1
                sleep(0.3)  # longer than a process tries to get a lock
                inside.pop()
        except ResourceError as error:
            refused.append(error)

    for _ in range(3):
        threads = [Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not inside
    assert refused


def test_a_folder_that_another_takes_over_before_it_is_locked_is_left_to_it(tmp_path, monkeypatch):
    make_folder = files.make_folder

    def make_and_lose(path):
        make_folder(path)
        if path.suffix == ".tmp":
            path.rename(tmp_path / "theirs")

    monkeypatch.setattr(folders, "make_folder", make_and_lose)
    with pytest.raises(ResourceError, match="another textclf is making"), folders.replacing(tmp_path / "films"):
        pass


@pytest.mark.parametrize("place", ["tensors", "tensors/1a", "tensors/1a/train-0000001.pt", "begun.json"])
def test_a_left_folder_with_a_link_in_it_is_not_taken_over(place, tmp_path):
    """Textclf makes none, and what it writes there would land elsewhere."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    left = tmp_path / ".films.0123456789abcdef.tmp"
    (left / place).parent.mkdir(parents=True)
    (left / place).symlink_to(tmp_path / "mine")
    with folders.replacing(tmp_path / "films") as folder:
        assert names(folder) == []
    assert names(tmp_path) == ["films", "mine"]
    assert (tmp_path / "mine" / "file").read_text() == "mine"


def test_a_link_that_looks_like_a_left_folder_is_neither_taken_over_nor_followed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / ".films.0123456789abcdef.tmp").symlink_to(tmp_path / "mine")
    fill(tmp_path / "films", "new")
    assert names(tmp_path / "mine") == []


def test_the_size_of_a_folder_is_that_of_its_files_and_no_link_is_followed(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(bytes(1000))
    (tmp_path / "file").write_bytes(bytes(10))
    (tmp_path / "a/loop").symlink_to(tmp_path)
    assert folders.size_of(tmp_path) == 1010 + (tmp_path / "a/loop").lstat().st_size
