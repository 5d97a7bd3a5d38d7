import errno
from pathlib import Path

import pytest

from textclf.errors import ResourceError
from textclf.system import files


def fill(root, content):
    with files.replacing_folder(root) as folder:
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
    with pytest.raises(type(error)), files.replacing_folder(root):
        raise error
    assert not root.parent.exists()
    fill(root, "old")
    with pytest.raises(type(error)), files.replacing_folder(root):
        raise error
    assert names(root.parent) == ["films"]
    assert (root / "inside" / "file").read_text() == "old"


def test_an_existing_parent_folder_stays_even_if_empty(tmp_path):
    with pytest.raises(KeyboardInterrupt), files.replacing_folder(tmp_path / "films"):
        raise KeyboardInterrupt
    assert tmp_path.exists()


def test_an_error_names_the_final_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ResourceError) as caught, files.replacing_folder(Path("data/films")) as folder:
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
