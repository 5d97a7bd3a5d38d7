import json
import os
import pickle
import random
import shutil
import zlib
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from textclf.artefacts import loading, model_folder, runs
from textclf.artefacts.artefact import Abstention
from textclf.artefacts.model_folder import FORMAT_VERSION, Layout
from textclf.errors import ArtefactError, UsageError
from textclf.inference.classifier import load_model
from textclf.models import MODELS
from textclf.text.tokenizer import PAD_ID
from textclf.text.word_hashes import HASH_BITS

TEXTS = ["the cat sat on the mat", "bread, butter and rain", "", "unheardof", "catty", "wind " * 50]
FILES = ["config.json", "labels.json", "model.safetensors", "tokenizer.json"]


@pytest.fixture
def model(run_dir, tmp_path):
    """A copy of an artefact, elsewhere, to be damaged."""
    return Layout(shutil.copytree(runs.RunLayout(run_dir).model, tmp_path / "elsewhere"))


def edit(path, change):
    """Change what a JSON file says, as one would who wants to be believed."""
    path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")
    seal(Layout(path.parent))


def edit_weights(layout, change):
    write_weights(layout, change(load_file(layout.weights)))


def write_weights(layout, arrays):
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, layout.weights)
    seal(layout)


def seal(layout):
    """Make the checksums right again, so that whatever else is wrong must be found by itself."""
    try:
        config = json.loads(layout.config.read_text(encoding="utf-8"))
        checked = (layout.weights, layout.labels, layout.tokenizer)
        checksums = {path.name: zlib.crc32(path.read_bytes()) for path in checked}
        config["crc32"] = checksums
        own = {layout.config.name: model_folder.own_checksum(config)}
        layout.config.write_text(json.dumps(config | {"crc32": checksums | own}))
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass  # a config that is none cannot be believed


def refuses(layout):
    """Assert that loading says, in one line, that this artefact cannot be used."""
    with pytest.raises(ArtefactError) as caught:
        load_model(layout.root)
    assert caught.value.exit_code == 4
    assert str(layout.root) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_thresholds_are_loaded_as_saved_and_a_model_without_any_is_refused(model):
    trained = loading.load(model.root)
    assert 0.5 <= trained.abstention.unlike <= 1
    given = Abstention({"0.9": 0.5, "0.95": 0.75}, unlike=0.625, coverage={"0.9": 0.5}, precision={"0.9": 0.9375})
    model_folder.save(model.root, replace(trained, abstention=given), card="")
    assert loading.load(model.root).abstention == given
    edit(model.config, lambda config: {key: value for key, value in config.items() if key != "abstention"})
    refuses(model)


@pytest.mark.parametrize(
    "wrong",
    [
        {"thresholds": {"0.9": 1.5}},
        {"thresholds": {"0.9": "high"}},
        {"thresholds": {"much": 0.5}},
        {"thresholds": [0.5]},
        {"unlike": -1},
        {"unlike": None},
        {"coverage": {"0.9": 2}},
        {"precision": {"0.9": None}},
        {"thresholds": {"0.9": 0.5}, "coverage": {"0.95": 0.5}},
        {"another": 1},
        [],
    ],
)
def test_thresholds_that_are_none_are_refused(wrong, model):
    edit(model.config, lambda config: config | {"abstention": wrong})
    refuses(model)


def test_without_a_config_there_is_no_model(model):
    model.config.unlink()
    with pytest.raises(UsageError, match=r"no model in .*elsewhere.*; train one: textclf train"):
        loading.load(model.root)


DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "two bytes short": lambda content: content.rstrip()[:-2],
    "random": lambda content: random.Random(0).randbytes(500),
    "zeros": lambda content: bytes(len(content)),
    "not UTF-8": lambda content: b'"\xff"',
    "null": lambda content: b"null",
    "number": lambda content: b"7",
    "list": lambda content: b"[]",
    "object": lambda content: b"{}",
    "text": lambda content: b'"words"',
    "deep": lambda content: b"[" * 100_000,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("sealed", [False, True], ids=["by accident", "on purpose"])
def test_a_damaged_file_is_refused(name, damage, sealed, model):
    path = model.root / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    if sealed:
        seal(model)
    refuses(model)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_missing_file_is_refused(name, model):
    (model.root / name).unlink()
    with pytest.raises(ArtefactError, match="elsewhere"):
        loading.load(model.root)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_folder_in_place_of_a_file_is_refused(name, model):
    (model.root / name).unlink()
    (model.root / name).mkdir()
    refuses(model)


class Payload:
    """Creates a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("sentinel",)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_unpickled(name, model, tmp_path):
    content = pickle.dumps(Payload())
    (model.root / name).write_bytes(content)
    seal(model)
    refuses(model)
    assert not (tmp_path / "sentinel").exists()
    pickle.loads(content)
    assert (tmp_path / "sentinel").exists()  # it would have worked


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_is_refused_in_every_array(value, model):
    whole = load_file(model.weights)
    for name in (name for name, array in whole.items() if array.dtype.kind == "f"):
        edit_weights(model, lambda arrays, name=name: arrays | {name: poisoned(arrays[name], value)})
        refuses(model)
        write_weights(model, whole)
    load_model(model.root)  # undamaged it loads


def poisoned(array, value):
    changed = array.copy()
    changed.flat[-1] = value
    return changed


def loads(layout):
    """Whether loading succeeds, where it must say, in one line, that this artefact cannot be used."""
    try:
        refuses(layout)
    except pytest.fail.Exception:
        return True
    return False


SHAPES = {
    "a row less": lambda array: array[:-1],
    "a row more": lambda array: np.concatenate((array, array[:1])),
    "a column more": lambda array: np.concatenate((array, array[..., :1]), axis=-1),
    "turned": lambda array: array.T if array.ndim > 1 else array[:, None],
    "empty": lambda array: array[:0],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_array_of_another_shape_is_refused(shape, model):
    whole = load_file(model.weights)
    accepted = []
    for name, array in whole.items():
        changed = SHAPES[shape](array)
        if changed.shape == array.shape:  # a square matrix, turned
            continue
        edit_weights(model, lambda arrays, name=name, changed=changed: arrays | {name: changed})
        if loads(model):
            accepted.append(name)
    assert accepted == []


def changed(name, place, value):
    """Puts a number into an array."""

    def change(arrays):
        array = arrays[f"inputs.{name}"].copy()
        array.flat[place] = value
        return arrays | {f"inputs.{name}": array}

    return change


def swapped(arrays):
    return arrays | {"inputs.pairs": arrays["inputs.pairs"][::-1]}


COUNTS = "subword_counts"

WRONG = {
    "a pair below zero": changed("pairs", 0, -1),
    "a pair that no hash gives": changed("pairs", -1, 2**HASH_BITS),
    "pairs that fall": swapped,
    "a pair twice": lambda arrays: changed("pairs", 0, arrays["inputs.pairs"][1])(arrays),
    "a run that no feature is": lambda arrays: arrays | {"inputs.runs": np.zeros(1, dtype=np.int32)},
    "a part below zero": changed("subwords", 5, -1),
    "a part too high": lambda arrays: changed("subwords", 5, arrays["inputs.subwords"].max() + 1_000)(arrays),
    "a word with a part too many": changed(COUNTS, -1, 50),
    "a word with less than no parts": lambda arrays: changed(COUNTS, 7, -arrays[f"inputs.{COUNTS}"][7])(arrays),
    "padding with a part": lambda arrays: changed(COUNTS, 0, 1)(changed(COUNTS, 2, 2)(arrays)),
    "a feature that weighs less than nothing": changed("rarity", 5, -0.5),
    "padding that weighs something": changed("rarity", PAD_ID, 0.5),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_numbers_that_the_inputs_cannot_have_are_refused(wrong, model):
    edit_weights(model, WRONG[wrong])
    refuses(model)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.bool_, np.complex64])
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_inputs_of_another_type_are_refused(dtype, model):
    whole = load_file(model.weights)
    for name in ("inputs.pairs", "inputs.runs", "inputs.subwords", "inputs.subword_counts"):
        edit_weights(model, lambda arrays, name=name: arrays | {name: arrays[name].astype(dtype)})
        refuses(model)
        write_weights(model, whole)


@pytest.mark.parametrize("name", ["pairs", "runs", "subwords", "subword_counts", "rarity"])
@pytest.mark.parametrize("value", [None, 3, [], {}, "words", [1, 2, 3]], ids=str)
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_the_config_has_no_arrays(name, value, model):
    edit(model.config, lambda config: config | {"inputs": config["inputs"] | {name: value}})
    refuses(model)


@pytest.mark.parametrize("value", ["many", None, 0, 1, -3, 2.5, {}, 10**9, "one less", "one more"], ids=str)
def test_the_number_of_words_must_be_the_one_that_was(value, model):
    words = json.loads(model.config.read_text())["inputs"]["words"]
    new = {"one less": words - 1, "one more": words + 1}.get(value, value) if isinstance(value, str) else value
    edit(model.config, lambda config: config | {"inputs": config["inputs"] | {"words": new}})
    refuses(model)


@pytest.mark.parametrize(
    "value", [0, -1.0, float("nan"), float("inf"), -float("inf"), 1e-50, 1e300, "warm", None, [], {}], ids=str
)
def test_the_temperature_must_be_a_positive_number(value, model):
    edit(model.config, lambda config: config | {"temperature": value})
    refuses(model)


def test_a_view_too_few_is_refused(model):
    whole = load_file(model.weights)
    layers = [name.removesuffix(".weight") for name in whole if name.startswith("output") and name.endswith(".weight")]
    assert layers
    for layer in layers:
        write_weights(model, {name: array for name, array in whole.items() if not name.startswith(f"{layer}.")})
        refuses(model)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_a_view_too_many_is_refused(model):
    more = {f"outputs.2.{name}": load_file(model.weights)[f"outputs.1.{name}"] for name in ("weight", "bias")}
    edit_weights(model, lambda arrays: arrays | more)
    refuses(model)


@pytest.mark.parametrize("shape", [(), (1,), (1, -1)], ids=str)
def test_a_bias_of_another_shape_is_refused_or_stands_for_one_of_the_right_shape(shape, model):
    """Numpy adds a number to a whole row: such an artefact is another model, but a model."""
    whole = load_file(model.weights)
    for name in (name for name in whole if "bias" in name):
        changed = whole[name].reshape(shape) if -1 in shape else whole[name][:1].reshape(shape)
        edit_weights(model, lambda arrays, name=name, changed=changed: arrays | {name: changed})
        try:
            predictions = load_model(model.root).predict(TEXTS, top_k=3)
        except ArtefactError:
            pass
        else:
            assert [len(prediction.top) for prediction in predictions] == [3] * len(TEXTS)
        write_weights(model, whole)


def test_a_missing_array_is_refused(model):
    whole = load_file(model.weights)
    for missing in whole:
        write_weights(model, {name: array for name, array in whole.items() if name != missing})
        refuses(model)


def test_words_and_labels_that_are_too_many_or_too_few_are_refused(model):
    changes = [
        (model.labels, lambda labels: labels[:-1]),
        (model.labels, lambda labels: [*labels, "more"]),
        (model.tokenizer, lambda data: data | {"words": data["words"].rpartition(" ")[0]}),
        (model.tokenizer, lambda data: data | {"words": data["words"] + " unheardof"}),
        (model.tokenizer, lambda data: data | {"words": ""}),
    ]
    accepted = []
    for number, (path, change) in enumerate(changes):
        before = path.read_bytes()
        edit(path, change)
        if loads(model):
            accepted.append(number)
        path.write_bytes(before)
        seal(model)
    assert accepted == []
    load_model(model.root)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [lambda parts: parts.rpartition(" ")[0], lambda parts: parts + " qqq", lambda parts: ""],
    ids=["less", "more", "none"],
)
def test_parts_that_are_too_many_or_too_few_are_refused(change, model):
    edit(model.tokenizer, lambda data: data | {"parts": change(data["parts"])})
    refuses(model)


@pytest.mark.parametrize(
    "labels",
    [["a", "b", 3], ["a", "b", None], ["a", "b", ["c"]], {"a": 0, "b": 1, "c": 2}, "abc", ["a", "b", "b"]],
    ids=str,
)
def test_labels_are_a_list_of_distinct_strings(labels, model):
    edit(model.labels, lambda _: labels)
    refuses(model)


def once_more(joined):
    """The last word is the first again."""
    first, *between, _ = joined.split(" ")
    return " ".join([first, *between, first])


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data | {"words": once_more(data["words"])},
        lambda data: data | {"words": data["words"].split()},
        lambda data: data | {"lowercase": "yes"},
        lambda data: data | {"type": "bytes"},
        lambda data: data | {"pattern": "(a+)+$"},
        lambda data: {"words": data["words"]},
        lambda data: data | {"parts": once_more(data["parts"])},
        lambda data: data | {"parts": data["parts"].split()},
        lambda data: data | {"parts": dict.fromkeys(data["parts"].split(), 0)},
        lambda data: data | {"parts": None},
    ],
    ids=[
        "a word twice",
        "a list",
        "lowercase yes",
        "another type",
        "a pattern",
        "words only",
        "a part twice",
        "a list of parts",
        "parts as keys",
        "no parts",
    ],
)
def test_a_tokenizer_of_another_kind_is_refused(change, model):
    edit(model.tokenizer, change)
    refuses(model)


@pytest.mark.parametrize("version", [FORMAT_VERSION - 1, FORMAT_VERSION + 1, 0, "1", None])
def test_another_format_is_refused(version, model):
    edit(model.config, lambda config: config | {"format_version": version})
    with pytest.raises(
        ArtefactError, match=f"has format {version}, and this textclf reads format {FORMAT_VERSION}; train"
    ):
        loading.load(model.root)


def test_an_unknown_model_is_refused_by_name(model):
    edit(model.config, lambda config: config | {"model": "transformer"})
    with pytest.raises(ArtefactError, match="names the model 'transformer', which this textclf does not know"):
        loading.load(model.root)


@pytest.mark.parametrize("name", [["mlp"], {"mlp": 1}, None, 3])
def test_a_model_that_is_no_name_is_refused(name, model):
    edit(model.config, lambda config: config | {"model": name})
    refuses(model)


def test_the_weights_of_another_model_are_refused(model):
    for other in MODELS.keys() - {json.loads(model.config.read_text())["model"]}:
        edit(model.config, lambda config, other=other: config | {"model": other})
        refuses(model)


@pytest.mark.parametrize("key", ["format_version", "precision", "model", "inputs", "temperature", "trained", "columns"])
def test_a_config_without_one_of_its_keys_is_refused(key, model):
    edit(model.config, lambda config: {name: value for name, value in config.items() if name != key})
    refuses(model)


@pytest.mark.parametrize("columns", [None, [], {"text": "message"}, {"text": [1]}, {"colour": "red"}], ids=str)
def test_columns_of_another_type_are_refused(columns, model):
    edit(model.config, lambda config: config | {"columns": columns})
    refuses(model)


@pytest.mark.parametrize("precision", ["float64", None, 16, ["int8"]], ids=str)
def test_an_unknown_precision_is_refused(precision, model):
    edit(model.config, lambda config: config | {"precision": precision})
    refuses(model)


@pytest.mark.parametrize("name", ["colour", "vocabulary"])
def test_settings_of_the_inputs_must_be_known(name, model):
    edit(model.config, lambda config: config | {"inputs": config["inputs"] | {name: 3}})
    refuses(model)


@pytest.mark.parametrize("value", ["many", None, 0, -3, 2.5, {}], ids=str)
@pytest.mark.parametrize("run_dir", ["lstm"], indirect=True)
def test_the_number_of_tokens_that_are_read_must_be_one(value, model):
    assert json.loads(model.config.read_text())["inputs"].keys() == {"words", "max_length", "size", "pieces"}
    edit(model.config, lambda config: config | {"inputs": config["inputs"] | {"max_length": value}})
    refuses(model)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sealed", [False, True], ids=["by accident", "on purpose"])
@pytest.mark.parametrize("name", FILES)
def test_changed_bytes_are_refused_or_with_the_right_checksum_harmless(name, sealed, seed, model):
    """Whatever the damage: an ArtefactError says so, or where someone vouches for it, the model predicts."""
    rng = random.Random(seed)
    path = model.root / name
    whole, config = path.read_bytes(), model.config.read_bytes()
    outcomes = {"refused": 0, "predicted": 0}
    for _ in range(25):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 1, 5))):
            # the header of a weights file is its first few hundred bytes; beyond it are numbers
            content[rng.randrange(min(len(content), 600))] = rng.choice(b'\x00"{}[],:019ax\xff')
        path.write_bytes(content)
        if sealed:
            seal(model)
        try:
            with np.errstate(all="ignore"):  # numbers may be huge
                predictions = load_model(model.root).predict(TEXTS)
        except ArtefactError:
            outcomes["refused"] += 1
        else:
            assert len(predictions) == len(TEXTS)
            assert sealed or content == whole
            outcomes["predicted"] += 1
        model.config.write_bytes(config)
    assert outcomes["refused"] > 0


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_bit_is_found(name, model):
    path = model.root / name
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(50):
        content = bytearray(whole)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        if name == "config.json" and as_json(content) == as_json(whole):
            continue  # white space
        refuses(model)


def as_json(content):
    try:
        return json.loads(content)
    except ValueError:
        return None


def test_predicting_changes_no_file(model):
    before = {path: path.read_bytes() for path in model.root.iterdir()}
    trained = loading.load(model.root)
    for array in trained.weights.values():
        array[...] = 0
    assert {path: path.read_bytes() for path in model.root.iterdir()} == before
