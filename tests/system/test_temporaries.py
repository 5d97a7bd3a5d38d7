import os
import subprocess
import sys
from contextlib import suppress

import pytest

from textclf.system import locks, temporaries

LEAVE = """
import os, signal, sys
from pathlib import Path
from textclf.system import temporaries

with temporaries.new_file(Path(sys.argv[1])) as (path, file):
    file.write(b"half of it")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("name", ["x", "a" * 255, "猫" * 80, ".hidden", "[a-z]*"])
def test_a_name_is_hidden_random_and_found_again(name, tmp_path):
    place = tmp_path / name
    names = {temporaries.name_for(place, ending) for ending in ("", ".old") for _ in range(50)}
    assert len(names) == 100
    for path in names:
        path.touch()
        assert (path.parent, path.name[0], path.suffix) == (tmp_path, ".", ".tmp")
    assert set(temporaries.leftovers(place)) == names
    assert temporaries.leftovers(tmp_path / "other") == []


def test_a_link_or_a_file_that_has_the_name_is_not_written_to(tmp_path, monkeypatch):
    """Nobody can guess a name of 64 random bits; here somebody did."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    monkeypatch.setattr(os, "urandom", bytes)
    planted = temporaries.name_for(tmp_path / "x")
    for plant in (planted.symlink_to, planted.hardlink_to):
        plant(victim)
        with suppress(FileExistsError), temporaries.new_file(tmp_path / "x") as (_, file):
            file.write(b"theirs")
        assert victim.read_bytes() == b"mine"
        planted.unlink(missing_ok=True)


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_is_not(tmp_path):
    place = tmp_path / "x"
    assert subprocess.run([sys.executable, "-c", LEAVE, place], check=False).returncode == -9
    assert len(temporaries.leftovers(place)) == 1
    with temporaries.new_file(place) as (first, _):
        assert temporaries.leftovers(place) == [first]
        with temporaries.new_file(place) as (second, _):
            assert {*temporaries.leftovers(place)} == {first, second}
    assert list(tmp_path.iterdir()) == []


def test_other_things_of_such_a_name_stay(tmp_path):
    place = tmp_path / "x"
    folder, link, pipe = (temporaries.name_for(place) for _ in range(3))
    folder.mkdir()
    link.symlink_to(tmp_path / "target")
    os.mkfifo(pipe)
    with temporaries.new_file(place):
        pass
    assert {*tmp_path.iterdir()} == {folder, link, pipe}


def test_a_file_that_another_process_takes_for_a_leftover_is_made_again(tmp_path, monkeypatch):
    usual, removed = locks.holding, []

    def remove_the_first(path):
        if not removed:
            removed.append(path)
            path.unlink()
        return usual(path)

    monkeypatch.setattr(locks, "holding", remove_the_first)
    with temporaries.new_file(tmp_path / "x") as (path, file):
        file.write(b"all of it")
        file.flush()
        assert path.read_bytes() == b"all of it"
    assert removed


def test_a_file_is_of_the_mode_that_the_user_has_chosen(tmp_path):
    before = os.umask(0o027)
    try:
        with temporaries.new_file(tmp_path / "x") as (path, _):
            assert path.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_a_folder_that_is_not_there_is_the_error(tmp_path):
    with suppress(FileNotFoundError), temporaries.new_file(tmp_path / "gone" / "x"):
        pytest.fail("a file was made")
