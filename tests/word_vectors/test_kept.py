import json

import numpy as np
import pytest

from textclf.errors import ArtefactError
from textclf.word_vectors import kept
from textclf.word_vectors.found import Wanted

ABOUT = {"name": "small", "source": "here", "licence": "PDDL-1.0"}


@pytest.fixture
def folder(tmp_path):
    table = np.array([[1, 2], [3, 4]], dtype=np.float32)
    kept.write(tmp_path, b"a\nb\n", table, about=ABOUT, texts={"NOTICE": b"thanks"})
    return tmp_path


def read(folder):
    return kept.read(folder, Wanted(["B", "c"]), lambda items, _title, _total: items)


def test_what_was_written_is_read(folder):
    found = read(folder)
    assert found.values.tolist() == [[3, 4], [0, 0]]
    assert (found.words, found.dimension) == (2, 2)
    config = kept.read_config(folder)
    assert {name: config[name] for name in ABOUT} == ABOUT
    assert (config["words"], config["dimension"], len(config["hash"])) == (2, 2, 64)
    assert sorted(path.name for path in folder.iterdir()) == [
        "NOTICE",
        "vectors.json",
        "vectors.safetensors",
        "words.txt",
    ]
    assert kept.is_one(folder)


@pytest.mark.parametrize("name", ["vectors.json", "vectors.safetensors", "words.txt"])
def test_a_damaged_file_is_refused(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[-3] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ArtefactError, match=r"the vectors in .* are damaged .*textclf vectors add"):
        read(folder)
    (folder / name).unlink()
    with pytest.raises(ArtefactError, match="are damaged"):
        read(folder)


def test_a_newer_format_is_refused(folder):
    config = json.loads((folder / "vectors.json").read_text()) | {"format_version": 2}
    (folder / "vectors.json").write_text(json.dumps(config))
    with pytest.raises(ArtefactError, match="update textclf"):
        kept.read_config(folder)
