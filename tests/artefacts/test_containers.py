"""A model in one file is read as its folder is, and any damage to it is found before anything is made of it."""

import io
import json
import shutil
import stat
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import invoke
from textclf.artefacts import containers, loading, model_folder, runs
from textclf.artefacts.containers import DIGITS, MARK, Archive
from textclf.errors import ArtefactError, UsageError

CODE = {"__main__.py": b"raise SystemExit('never run')\n", "package/module.py": b"raise SystemExit(3)\n"}


def model_files(run):
    return {path.name: path.read_bytes() for path in sorted((run / "model").iterdir())}


@pytest.fixture
def packed(run_dir, tmp_path):
    path = tmp_path / "one.pyz"
    path.write_bytes(containers.pack(CODE, model_files(run_dir), mapped=[model_folder.WEIGHTS]))
    return path


def test_it_is_the_same_model(packed, run_dir):
    one, other = loading.load(packed), loading.load(run_dir / "model")
    assert one.weights.keys() == other.weights.keys()
    for name, array in one.weights.items():
        np.testing.assert_array_equal(array, other.weights[name])
    assert (one.labels, one.temperature, one.trained) == (other.labels, other.temperature, other.trained)
    assert model_folder.read_card(packed) == model_folder.read_card(run_dir / "model")
    assert runs.model_dir(packed) == packed


def test_files_in_memory_are_the_same_model_wherever_they_come_from(packed, run_dir):
    held, other = loading.hold(packed), loading.hold(run_dir / "model")
    assert held.sha256 == other.sha256
    one, expected = loading.restored(held, packed), loading.load(run_dir / "model")
    for name, array in one.weights.items():
        np.testing.assert_array_equal(array, expected.weights[name])
    damaged = held.files[model_folder.WEIGHTS].copy()
    damaged[-1] ^= 1
    other = replace(held, files={**held.files, model_folder.WEIGHTS: damaged})
    assert other.sha256 != held.sha256
    with pytest.raises(ArtefactError, match="is damaged"):
        loading.restored(other, packed)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_the_weights_are_mapped_where_numpy_is_fast_and_what_is_written_to_them_stays_in_memory(packed):
    before = packed.read_bytes()
    found = Archive.open(packed).mapped(model_folder.WEIGHTS)
    place = before.index(bytes(found))
    assert place % containers.ALIGNMENT == 0
    found[-4:] = b"1234"
    assert packed.read_bytes() == before


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_the_same_files_give_the_same_bytes_and_any_zip_program_reads_them(packed, run_dir):
    content = packed.read_bytes()
    assert containers.pack(CODE, model_files(run_dir), mapped=[model_folder.WEIGHTS]) == content
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        for name, expected in model_files(run_dir).items():
            assert archive.read(f"model/{name}") == expected
        assert {stat.S_IMODE(entry.external_attr >> 16) for entry in archive.infolist()} == {0o644}


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_a_flipped_bit_anywhere_is_refused(packed):
    content = packed.read_bytes()
    places = [*range(0, len(content), len(content) // 60), *range(len(content) - 40, len(content))]
    for place in places:
        packed.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        with pytest.raises(ArtefactError, match=r"one.pyz is damaged or no model .*textclf export"):
            loading.load(packed)
    for size in (0, 1, 20, len(content) // 2, len(content) - 1):
        packed.write_bytes(content[:size])
        with pytest.raises(ArtefactError, match="is damaged or no model"):
            loading.load(packed)


def sealed(entries):
    """An archive of ours with any content: its checksum is right."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
        archive.comment = MARK + bytes(DIGITS)
    content = file.getvalue()[:-DIGITS]
    return content + containers._checksum(memoryview(content))


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_an_archive_made_by_hand_is_refused_in_little_memory(run_dir, tmp_path):
    model = model_files(run_dir)
    path = tmp_path / "made.pyz"
    bomb = b'{"a": "' + b" " * 30_000_000 + b'"}'
    for content in (
        sealed([]),
        sealed((f"model/{name}", content) for name, content in model.items() if name != "labels.json"),
        sealed((f"model/{name}", bomb if name == "config.json" else content) for name, content in model.items()),
        sealed((f"model/{name}", bomb if name == "tokenizer.json" else content) for name, content in model.items()),
        sealed((f"model/{name}", bomb if name == model_folder.WEIGHTS else content) for name, content in model.items()),
        sealed((f"x{number}", b"") for number in range(containers.MOST_FILES + 1)),
        b"no archive" + MARK + containers._checksum(memoryview(b"no archive" + MARK)),
    ):
        path.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(ArtefactError, match=r"made\.pyz"):
            loading.load(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
        tracemalloc.stop()


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_a_length_that_is_no_longer_true_is_refused(packed):
    """The directory says how long a file is; what it unpacks to is longer."""
    content = bytearray(packed.read_bytes())
    with zipfile.ZipFile(packed) as archive:
        size = archive.getinfo("model/labels.json").file_size
    entry = content.rindex(b"PK\1\2", 0, content.rindex(b"model/labels.json"))
    content[entry + 24 : entry + 28] = (size + 1).to_bytes(4, "little")
    whole = bytes(content[:-DIGITS])
    packed.write_bytes(whole + containers._checksum(memoryview(whole)))
    with pytest.raises(ArtefactError, match=r"labels.json is not as long|not what was written"):
        loading.load(packed)


def test_too_large_a_file_for_python_is_refused():
    with pytest.raises(UsageError, match="Python runs none of more than 100"):
        containers.pack(CODE, {"x": bytes(200)}, mapped=["x"], most_bytes=100)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_other_files_are_no_archives(run_dir, tmp_path):
    shutil.copy(run_dir / "model" / "config.json", tmp_path / "some.json")
    (tmp_path / "empty").touch()
    for name in ("some.json", "empty", "nowhere"):
        assert not containers.is_archive(tmp_path / name)
    with pytest.raises(UsageError, match="no run"):
        runs.model_dir(tmp_path / "some.json")


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_commands_read_it_or_say_that_it_is_no_run(packed, run_dir, runner):
    for command in (["evaluate", "--run", packed], ["compare", packed, packed]):
        refused = invoke(runner, *command)
        assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
        assert "one.pyz is a model in one file, without a run" in refused.stderr
    assert invoke(runner, "check", packed).stdout == "no problems\n"
    of_file, of_run = (
        json.loads(invoke(runner, "info", path, "--format", "json").stdout) for path in (packed, run_dir)
    )
    assert of_file["bytes"] == packed.stat().st_size
    assert (of_file["columns"], of_file["corpus"]) == (of_run["columns"], of_run["corpus"])
    assert of_file["model"] in invoke(runner, "info", packed).stdout
    content = packed.read_bytes()
    packed.write_bytes(content[:5000] + b"x" + content[5001:])
    damaged = invoke(runner, "check", packed)
    assert (damaged.exit_code, damaged.stdout) == (4, f"damaged: {packed}\n")
    assert invoke(runner, "info", packed).exit_code == 4
