import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.encoders import tiny
from textclf.encoders import encoder, published
from textclf.errors import ArtefactError
from textclf.system import checksums

TEXTS = ["the cat sat on the mat.", "", "a dog barking in the rain!", "the cat sat on the mat."]


@pytest.fixture
def kept(small, tmp_path) -> Path:
    path = tmp_path / "kept"
    path.mkdir()
    small.save(path)
    return path


def reseal(folder: Path, **changes: object) -> None:
    """Change encoder.json, and make its checksum right."""
    values = {**json.loads((folder / "encoder.json").read_text()), **changes}
    del values[checksums.OWN]
    (folder / "encoder.json").write_bytes(checksums.seal(values))


def test_texts_become_vectors_of_length_1(small):
    vectors = small.encode(TEXTS)
    assert (vectors.dtype, vectors.shape) == (np.float32, (4, small.dimension))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors[0], vectors[3], atol=1e-5)  # to the bit with AVX-512
    assert np.abs(vectors[0] - vectors[2]).max() > 0.1
    assert small.encode([]).shape == (0, small.dimension)


def test_tokens_are_counted_as_they_are_read(small):
    long = "the cat " * 50
    assert small.count([*TEXTS, long]).tolist() == [9, 2, 10, 9, small.max_length]


def test_what_was_saved_is_the_same_encoder(small, kept):
    again = encoder.load(kept)
    np.testing.assert_array_equal(again.encode(TEXTS), small.encode(TEXTS))
    about = ("name", "source", "licence", "hash", "dimension", "max_length")
    assert [getattr(again, name) for name in about] == [getattr(small, name) for name in about]
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
        name: bytes(content) for name, content in small.files.items()
    }


def test_a_matrix_takes_less_than_half_of_float32(small, folder):
    whole = encoder.parse(published.read(folder, name="small", precision="float32"), folder)
    numbers = sum(array.size for array in _arrays(whole))
    assert sum(array.nbytes for array in _arrays(whole)) == 4 * numbers
    assert sum(array.nbytes for array in _arrays(small)) < 2.7 * numbers  # eight wide, the scales are many
    assert small.hash != whole.hash


def _arrays(of):
    from textclf.system import tensor_files

    return tensor_files.parse(memoryview(of.files["weights.safetensors"]), "").values()


def test_the_hash_is_of_what_decides_a_vector_and_not_of_the_name(small, folder, tmp_path):
    renamed = encoder.parse(encoder.renamed(small.files, "other"), "")
    assert (renamed.name, renamed.hash) == ("other", small.hash)
    (folder / "LICENSE").write_text("another licence")
    assert published_hash(folder) == small.hash
    other = tiny.write(tmp_path / "other", seed=1)
    assert published_hash(other) != small.hash
    tiny.rewrite(folder / "tokenizer_config.json", do_lower_case=False)
    assert published_hash(folder) != small.hash


def published_hash(folder: Path) -> str:
    return encoder.parse(published.read(folder, name="small"), folder).hash


@pytest.mark.parametrize("name", ["vocab.txt", "weights.safetensors", "LICENSE", "encoder.json"])
@pytest.mark.parametrize("change", ["cut", "flipped", "gone", "empty"])
def test_a_damaged_file_is_one_line_with_the_remedy(name, change, kept):
    path = kept / name
    content = path.read_bytes()
    if change == "gone":
        path.unlink()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"cut": content[:-1], "flipped": flipped, "empty": b""}[change])
    with pytest.raises(ArtefactError) as caught:
        encoder.load(kept)
    assert str(caught.value).startswith(f"the encoder in {kept} is damaged (")
    assert str(caught.value).endswith("); add it again: textclf encoder add")
    assert "\n" not in str(caught.value)


def test_one_of_a_newer_version_is_refused(kept):
    reseal(kept, format_version=encoder.FORMAT_VERSION + 1)
    with pytest.raises(ArtefactError, match="an encoder has format 3, and this textclf reads 2: update textclf"):
        encoder.load(kept)


def test_one_of_an_older_version_is_refused_and_added_again(kept, folder):
    reseal(kept, format_version=1)
    with pytest.raises(ArtefactError) as caught:
        encoder.load(kept)
    assert str(caught.value) == (
        "the encoder small has format 1, and this textclf reads 2: add it again, textclf encoder add, and train models "
        "that have it again"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": {"vocabulary": 3, "positions": 24, "hidden": 8, "inner": 16, "layers": 2}},
        {"sizes": {"vocabulary": 10**12, "positions": 24, "hidden": 8, "inner": 16, "layers": 2}},
        {"sizes": {"hidden": 8}},
        {"settings": {}},
        {"settings": None},
        {"crc32": {"../vocab.txt": 1}},
        {"crc32": {}},
        {"crc32": 3},
        {"sizes": None},
        {"format_version": "1"},
    ],
    ids=str,
)
def test_a_config_made_by_hand_is_refused_in_one_line(changes, kept):
    reseal(kept, **changes)
    with pytest.raises(ArtefactError, match="damaged"):
        encoder.load(kept)


def test_weights_that_give_no_finite_vector_are_refused(kept, small):
    from textclf.system import tensor_files

    arrays = {name: array.copy() for name, array in tensor_files.read(kept / "weights.safetensors")[0].items()}
    arrays["norm.weight"][:] = np.inf
    content = tensor_files.serialise(arrays)
    (kept / "weights.safetensors").write_bytes(content)
    config = json.loads((kept / "encoder.json").read_text())
    reseal(kept, crc32={**config["crc32"], "weights.safetensors": zlib.crc32(content)})
    with pytest.raises(ArtefactError, match="the encoder small gives vectors that are not finite numbers"):
        encoder.load(kept).encode(["the cat"])
