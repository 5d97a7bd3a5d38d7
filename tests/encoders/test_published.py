import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.encoders import tiny
from textclf.encoders import encoder, published
from textclf.encoders.wordpiece import SPECIAL
from textclf.errors import DataError


def read(folder: Path) -> encoder.Encoder:
    return encoder.parse(published.read(folder, name="x"), folder)


def with_tensors(folder: Path, change) -> None:
    arrays = load_file(folder / "model.safetensors")
    save_file(change(arrays), folder / "model.safetensors")


def test_licence_source_and_length_are_those_of_the_folder(small, folder):
    assert (small.name, small.source, small.licence) == ("small", str(folder), "Apache-2.0")
    assert (small.dimension, small.max_length) == (tiny.HIDDEN, 16)
    assert bytes(small.files["LICENSE"]) == b"a licence"


def test_a_licence_is_unknown_if_no_file_says_it(folder):
    (folder / "README.md").write_text("license: mit")
    assert read(folder).licence == "unknown"
    (folder / "README.md").unlink()
    assert read(folder).licence == "unknown"


def test_only_three_files_are_needed(folder):
    for path in folder.iterdir():
        if path.name not in {"config.json", "vocab.txt", "model.safetensors"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    bare = read(folder)
    assert bare.max_length == tiny.POSITIONS
    ids = bare.tokenizer.encode("the cat sat", 99)
    reference = tiny.reference(folder, ids, normalises=False)
    found = bare.encode(["The CAT sat"])[0]
    assert found @ reference / np.linalg.norm(found) / np.linalg.norm(reference) > 0.99


def test_weights_may_be_in_float16_and_have_the_prefix_of_a_larger_model(folder, small):
    with_tensors(folder, lambda arrays: {f"bert.{name}": array.astype(np.float16) for name, array in arrays.items()})
    assert (read(folder).encode(["the cat"]) * small.encode(["the cat"])).sum() > 0.999


def test_the_vocabulary_may_be_in_tokenizer_json(folder, small):
    (folder / "vocab.txt").unlink()
    ids = {piece: number for number, piece in enumerate(tiny.PIECES)}
    normalizer = {"type": "BertNormalizer", "lowercase": True, "strip_accents": None, "handle_chinese_chars": True}
    write_json(folder / "tokenizer.json", {"model": {"type": "WordPiece", "vocab": ids}, "normalizer": normalizer})
    assert read(folder).hash == small.hash
    (folder / "tokenizer_config.json").unlink()
    write_json(
        folder / "tokenizer.json",
        {"model": {"type": "WordPiece", "vocab": ids}, "normalizer": {**normalizer, "lowercase": False}},
    )
    assert read(folder).tokenizer.encode("The the", 9) == [2, 1, 5, 3]


def test_line_ends_of_windows_and_rows_without_a_piece_are_fine(folder, small):
    (folder / "vocab.txt").write_bytes("\r\n".join([*tiny.PIECES, ""]).encode())
    assert read(folder).hash == small.hash
    pad = {"embeddings.word_embeddings.weight": np.zeros((64, tiny.HIDDEN), np.float32)}
    with_tensors(folder, lambda arrays: arrays | pad)
    tiny.rewrite(folder / "config.json", vocab_size=64)
    assert read(folder).encode(["the cat"]).shape == (1, tiny.HIDDEN)


def test_special_pieces_may_have_other_names(folder):
    names = dict(zip(SPECIAL, ("<unk>", "<s>", "</s>"), strict=True))
    (folder / "vocab.txt").write_text("\n".join([names.get(piece, piece) for piece in tiny.PIECES]))
    tiny.rewrite(folder / "tokenizer_config.json", unk_token="<unk>", cls_token={"content": "<s>"}, sep_token="</s>")
    assert read(folder).tokenizer.encode("the \u03b1", 9) == [2, 5, 1, 3]


@pytest.mark.parametrize("written", [{"pooling_mode": "mean"}, {"pooling_mode_mean_tokens": True}])
def test_pooling_is_read_as_old_and_new_versions_write_it(written, folder, small):
    write_json(folder / "1_Pooling" / "config.json", {"embedding_dimension": tiny.HIDDEN, **written})
    assert read(folder).hash == small.hash


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def without(name):
    return lambda folder: (folder / name).unlink()


def config(**changes):
    return lambda folder: tiny.rewrite(folder / "config.json", **changes)


def tensors(change):
    return lambda folder: with_tensors(folder, change)


def only_a_pickle(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def half_a_download(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def dropped(name):
    return lambda arrays: {key: array for key, array in arrays.items() if key != name}


def not_finite(arrays):
    arrays["encoder.layer.1.output.dense.weight"][0, 0] = np.nan
    return arrays


def in_whole_numbers(arrays):
    return {name: array.astype(np.int32) for name, array in arrays.items()}


UNUSABLE = {
    "no config": (without("config.json"), "it has no config.json"),
    "no vocabulary": (without("vocab.txt"), "it has no vocab.txt"),
    "no weights": (without("model.safetensors"), "it has no model.safetensors"),
    "a pickle": (only_a_pickle, "its weights are a pickle, pytorch_model.bin, which is never read"),
    "half a download": (half_a_download, "its model.safetensors cannot be read"),
    "another file": (
        lambda folder: (folder / "model.safetensors").write_bytes(b"<html>404</html>" * 9),
        "its model.safetensors cannot be read",
    ),
    "no JSON": (lambda folder: (folder / "config.json").write_text("{"), "Expecting"),
    "another architecture": (config(model_type="mpnet"), "its model is of the type 'mpnet', not 'bert'"),
    "other positions": (config(position_embedding_type="relative_key"), "its positions are 'relative_key'"),
    "another activation": (config(hidden_act="swish"), "its activation is 'swish', not one of gelu"),
    "heads that do not divide": (config(num_attention_heads=3), "its hidden_size is 8, which 3 heads cannot share"),
    "no size": (config(hidden_size=None), "its config.json says that hidden_size is None"),
    "a huge size": (config(vocab_size=10**15), "its vocabulary has 44 pieces, and config.json says 1,000,000,000,000"),
    "more layers": (config(num_hidden_layers=3), "its model.safetensors has no encoder.layer.2"),
    "another width": (
        config(hidden_size=16),
        r"its embeddings.word_embeddings.weight has the shape \(44, 8\), and config.json says \(44, 16\)",
    ),
    "another length": (
        config(max_position_embeddings=25),
        r"position_embeddings.weight has the shape",
    ),
    "a tensor is missing": (
        tensors(dropped("encoder.layer.1.intermediate.dense.bias")),
        "its model.safetensors has no encoder.layer.1.intermediate.dense.bias",
    ),
    "a number that is none": (
        tensors(not_finite),
        "its encoder.layer.1.output.dense.weight has numbers that are not finite",
    ),
    "weights that are no fractions": (tensors(in_whole_numbers), "has numbers that are not"),
    "a shorter vocabulary": (
        lambda folder: (folder / "vocab.txt").write_text("\n".join([*tiny.PIECES, *map(str, range(9))])),
        "its vocabulary has 53 pieces, and config.json says 44",
    ),
    "no special piece": (
        lambda folder: (folder / "vocab.txt").write_text("\n".join(tiny.PIECES).replace("[CLS]", "[cls]")),
        r"its vocabulary has no \[CLS\]",
    ),
    "another tokenizer": (
        lambda folder: write_json(folder / "tokenizer.json", {"model": {"type": "Unigram"}}),
        "its tokenizer is Unigram, not WordPiece",
    ),
    "another normalizer": (
        lambda folder: write_json(
            folder / "tokenizer.json", {"model": {"type": "WordPiece"}, "normalizer": {"type": "NFKC"}}
        ),
        "its tokenizer has a normalizer NFKC, not BertNormalizer",
    ),
    "another module": (
        lambda folder: write_json(folder / "modules.json", [*tiny.MODULES, {"path": "3", "type": "x.models.Dense"}]),
        "it has a module Dense",
    ),
    "another pooling": (
        lambda folder: tiny.rewrite(folder / "1_Pooling" / "config.json", pooling_mode_max_tokens=True),
        "its pooling is pooling_mode_mean_tokens and pooling_mode_max_tokens, not one of",
    ),
    "modules of another shape": (lambda folder: write_json(folder / "modules.json", {"a": 1}), "is no encoder"),
    "a config of another shape": (lambda folder: write_json(folder / "config.json", []), "a JSON object was expected"),
    "a vocabulary that is no text": (lambda folder: (folder / "vocab.txt").write_bytes(b"\xff\xfe"), "utf-8"),
    "an empty folder": (lambda folder: [without(path.name)(folder) for path in folder.glob("*.*")], "no config.json"),
}


@pytest.mark.parametrize("why", UNUSABLE)
def test_what_cannot_be_used_is_one_line_with_the_reason(why, folder):
    spoil, reason = UNUSABLE[why]
    spoil(folder)
    with pytest.raises(DataError, match=reason) as caught:
        published.read(folder, name="x")
    assert str(caught.value).startswith(f"{folder} is no encoder that textclf can use: ")
    assert "\n" not in str(caught.value)
