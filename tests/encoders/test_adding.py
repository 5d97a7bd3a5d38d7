import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.encoders import tiny
from tests.encoders.test_encoder import reseal
from tests.encoders.test_known import PLACES, Network
from textclf.encoders import adding, find, store
from textclf.errors import ArtefactError, DataError, ResourceError, UsageError
from textclf.system import user_data


@pytest.fixture
def home() -> Path:
    return Path(os.environ["TEXTCLF_ENCODERS"])


@pytest.fixture
def network(folder, monkeypatch):
    """A package index with an encoder called small."""
    network = Network(folder, monkeypatch)
    monkeypatch.setattr(adding, "KNOWN", {"small": network.known})
    return network


def contents(home: Path) -> dict[str, bytes]:
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_a_folder_is_added_found_listed_and_removed(folder, home, small):
    added = adding.add(str(folder), name="mine")
    assert sorted(path.name for path in home.iterdir()) == ["mine"]
    assert sorted(path.name for path in (home / "mine").iterdir()) == [
        "LICENSE",
        "encoder.json",
        "vocab.txt",
        "weights.safetensors",
    ]
    assert (added.name, added.path, added.dimension) == ("mine", home / "mine", tiny.HIDDEN)
    assert (added.precision, added.licence, added.source, added.error) == ("int10", "Apache-2.0", str(folder), "")
    assert store.summaries() == [added]
    for given in ("mine", "mi", home / "mine", str(folder)):
        assert find(given).hash == added.hash == small.hash
    assert store.remove("mine") == added
    assert store.summaries() == []
    assert list(home.iterdir()) == []


def test_the_name_is_that_of_the_folder_unless_one_is_given(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert adding.add(".").name == "small"


def test_a_folder_of_ours_is_taken_under_another_name(folder, home):
    first = adding.add(str(folder))
    again = adding.add(str(home / "small"), name="copy")
    assert (again.name, again.hash, again.source) == ("copy", first.hash, first.source)
    assert find("copy").name == "copy"


def test_a_known_one_is_fetched_once_with_licence_and_notice(network, home):
    added = adding.add("small")
    assert (added.source, added.licence) == (PLACES[0], "Apache-2.0")
    assert (home / "small" / "NOTICE").read_text() == "a notice"
    assert b"Apache License" in (home / "small" / "LICENSE").read_bytes()
    assert [path.name for path in home.iterdir()] == ["small"]
    asked = len(network.asked)
    assert adding.add("small") == added
    assert len(network.asked) == asked


def test_a_damaged_one_is_fetched_again(network, home):
    added = adding.add("small")
    (home / "small" / "vocab.txt").write_text("x")
    with pytest.raises(ArtefactError, match="is damaged"):
        find("small")
    assert adding.add("small") == added
    assert find("small").hash == added.hash


def test_one_of_an_older_version_is_added_again(network, home):
    added = adding.add("small")
    reseal(home / "small", format_version=1)
    with pytest.raises(ArtefactError, match="add it again"):
        find("small")
    assert store.summaries()[0].error.startswith("the encoder small has format 1, and this textclf reads 2: add it")
    assert adding.add("small") == added
    assert find("small").hash == added.hash


def test_another_encoder_of_the_name_stays(folder, home, network, tmp_path):
    other = tiny.write(tmp_path / "other", seed=5)
    adding.add(str(other), name="small")
    before = contents(home)
    for what in ("small", str(folder)):
        with pytest.raises(UsageError, match="another encoder has the name small: give this one another --name, or"):
            adding.add(what, name="small")
    assert contents(home) == before
    adding.add(str(other), name="small")
    assert contents(home) == before


@pytest.mark.parametrize("name", ["../x", ".x", "", "a/b", "-x", "a b", "x" * 101, "\u202ex"])
def test_a_name_that_is_a_path_or_hides_is_refused(name, folder, home):
    with pytest.raises(UsageError):
        adding.add(str(folder), name=name) if name else store.remove(name)
    assert not home.exists()


def test_what_is_not_there_is_named(home):
    with pytest.raises(UsageError, match="no folder nowhere, and no encoder of that name is known; known: minilm"):
        adding.add("nowhere")
    with pytest.raises(UsageError, match="no encoder nowhere; add one: textclf encoder add minilm"):
        find("nowhere")
    with pytest.raises(UsageError, match=r"no encoder nowhere to remove from .*; there is none"):
        store.remove("nowhere")
    assert not home.exists()


def test_without_a_home_a_folder_must_be_named(folder, monkeypatch, tmp_path):
    monkeypatch.delenv("TEXTCLF_ENCODERS")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(user_data.os.path, "expanduser", lambda path: path)
    with pytest.raises(UsageError, match="there is no home folder for encoders: name a folder in TEXTCLF_ENCODERS"):
        adding.add(str(folder))
    assert store.summaries() == []
    monkeypatch.setenv("TEXTCLF_ENCODERS", "here")
    assert adding.add(str(folder)).path == Path("here/small")


def test_nothing_is_left_of_what_cannot_be_used(folder, home):
    (folder / "vocab.txt").unlink()
    with pytest.raises(DataError):
        adding.add(str(folder))
    assert not home.exists()


def test_nothing_is_left_without_network_or_of_another_file(network, home):
    network.reached = set()
    with pytest.raises(DataError):
        adding.add("small")
    assert not home.exists()
    network.reached = {*PLACES}
    (network.folder / "vocab.txt").write_text("another")
    with pytest.raises(DataError, match="another file"):
        adding.add("small")
    assert not home.exists()


def test_a_full_disk_leaves_nothing_and_is_exit_code_5(home, folder, request):
    request.getfixturevalue("full_disk")
    with pytest.raises(ResourceError, match="no space left to write"):
        adding.add(str(folder))
    assert not home.exists()


def test_of_a_file_that_is_too_large_nothing_is_left(folder, home):
    """A real limit of the system, in the middle of the weights."""
    done = run(folder, "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))")
    assert (done.returncode, done.stderr.count("\n")) == (5, 1), done.stderr
    assert not home.exists()


def test_two_at_once_do_not_meet(folder, home):
    from textclf.system import folders

    with folders.replacing(home / "small"), pytest.raises(ResourceError, match="another textclf is making"):
        adding.add(str(folder))
    adding.add(str(folder))
    assert find("small").name == "small"


KILLED = """
import os, signal
from textclf.encoders import encoder
save = encoder.files.write_bytes
def write(path, content, **given):
    if path.name == {name!r}:
        os.kill(os.getpid(), signal.{signal})
    save(path, content, **given)
encoder.files.write_bytes = write
"""


@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM"])
@pytest.mark.parametrize("name", ["LICENSE", "encoder.json"])
def test_a_killed_one_adds_nothing_and_the_next_one_works(name, number, folder, home):
    done = run(folder, KILLED.format(name=name, signal=number))
    assert done.returncode == {"SIGKILL": -signal.SIGKILL, "SIGTERM": 143}[number], done.stderr
    assert store.summaries() == []
    with pytest.raises(UsageError, match="no encoder small"):
        find("small")
    adding.add(str(folder))
    assert [path.name for path in home.iterdir()] == ["small"]


def run(folder: Path, before: str) -> subprocess.CompletedProcess[str]:
    """Add a folder in another process, which first runs this code."""
    code = f"{before}\nfrom textclf.cli import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", code, "encoder", "add", str(folder)], capture_output=True, text=True, check=False
    )
