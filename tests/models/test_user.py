"""A user's class as a model: the example of the docstring, settings from the signature, and what is recorded."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import MY_MODEL
from textclf.artefacts import loading
from textclf.cli import main
from textclf.config import TrainConfig
from textclf.errors import UsageError
from textclf.models import MODELS, find_user_model, is_known, user
from textclf.models.sequences.batch import Batch
from textclf.models.user import PRESET, Network, UserModel, of_record
from textclf.models.user.trial import build


def example():
    """The module in the docstring of `Network`."""
    block = inspect.getdoc(Network).split(".. code-block:: python\n", 1)[1]
    return inspect.cleandoc(re.split(r"\n(?=\S)", block)[0]).replace("'''", '"""') + "\n"


def test_the_example_of_the_docstring_trains_and_predicts(runner, data_dir):
    text = example()
    assert 20 <= len(text.splitlines()) <= 30
    Path("my_model.py").write_text(text)
    given = ["--data", str(data_dir), "--tier", "full", "--batch-size", "8", "--lr", "0.01", "--device", "cpu"]
    trained = runner.invoke(main, ["train", "--model", "my_model.py:MyModel", *given])
    assert trained.exit_code == 0, trained.output
    said = runner.invoke(main, ["predict", "--code", "my_model.py", "rain and wind", "bread with butter"])
    assert (said.exit_code, said.stdout) == (0, "weather\nfood\n"), said.output


def signed(signature, body="pass"):
    """A model whose constructor has that signature."""
    head = f"from torch import nn\n\n\nclass MyModel(nn.Module):\n    def __init__({signature}):\n        {body}\n"
    Path("my_model.py").write_text(head)
    return find_user_model("my_model.py:MyModel")


def test_a_default_of_the_signature_is_the_default_of_the_option():
    made = signed("self, *, vocabulary, classes, embedding_size=12, dropout, max_length=30, layers=2")
    assert made.PRESET.embedding_size == 12
    assert made.PRESET.dropout == PRESET.dropout
    assert made.PRESET.max_length == 30
    assert (made.PRESET.hidden_size, made.PRESET.word_dropout) == (None, None)
    config = TrainConfig.create(model="my_model.py:MyModel")
    complete = config.completed(documents=5000, tokens=500_000, length=400)
    assert (complete.model, complete.embedding_size, complete.hidden_size) == ("MyModel", 12, None)
    assert complete.max_length == 30
    assert TrainConfig.create(model="my_model.py:MyModel", embedding_size=7).embedding_size == 7


def test_documents_are_cut_though_the_class_does_not_name_it():
    signed("self, vocabulary, classes")
    config = TrainConfig.create(model="my_model.py:MyModel", max_length=5)
    assert config.completed(documents=5000, tokens=500_000, length=400).max_length == 5
    assert "max_length" not in config.kind.architecture().settings


@pytest.mark.parametrize("setting", ["embedding_size", "hidden_size", "dropout", "word_dropout"])
def test_a_setting_that_the_class_does_not_name_is_refused(setting):
    signed("self, vocabulary, classes, **more")
    option = setting.replace("_", "-")
    expected = f"--{option} is not a setting of MyModel; add {setting} to its __init__, or leave it out"
    with pytest.raises(UsageError, match=f"^{expected}$"):
        TrainConfig.create(model="my_model.py:MyModel", **{setting: 1})


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        ("self", "MyModel.__init__ must take vocabulary and classes as keyword arguments"),
        ("self, *, vocabulary", "MyModel.__init__ must take classes as keyword arguments"),
        ("self, vocabulary, classes, /", "MyModel.__init__ must take vocabulary and classes as keyword arguments"),
        ("self, vocabulary, classes, filters", "MyModel.__init__ needs filters, which textclf does not know: give it"),
    ],
)
def test_a_constructor_that_cannot_be_called_is_named_with_its_line(signature, said):
    with pytest.raises(UsageError) as caught:
        signed(signature).PRESET  # noqa: B018
    assert str(caught.value).startswith(f"my_model.py:5: {said}")


@pytest.mark.parametrize(("name", "hint"), [("lstn", "did you mean lstm? "), ("", ""), ("mlp ", "did you mean mlp? ")])
def test_an_unknown_model_is_answered_with_those_there_are(name, hint):
    assert not is_known(name)
    with pytest.raises(UsageError) as caught:
        find_user_model(name)
    said = f"{hint}there are {', '.join(MODELS)}, and a class of your own: FILE.py:CLASS"
    assert str(caught.value) == f"no model named {name!r}; {said}"


def test_a_file_without_a_class_is_answered_with_how_to_name_it():
    with pytest.raises(UsageError, match=r"^x\.py is a file: name the class in it, too, as x\.py:CLASS$"):
        find_user_model("x.py")


def test_settings_survive_json_without_the_class(my_model):
    config = TrainConfig.create(model=f"{my_model}:MyModel", seed=3)
    assert "user_model" not in config.to_json()
    assert config.to_json()["model"] == "MyModel"
    assert TrainConfig.from_json(config.to_json(), user_model=config.user_model) == config
    with pytest.raises(UsageError, match="no model named 'MyModel'"):
        _ = TrainConfig.from_json(config.to_json()).kind


def test_the_forward_pass_is_that_of_the_network(user_run, my_model):
    trained = loading.load(user_run / "model", code=[my_model])
    texts = ["the cat sat", "bread", "qqq", "", "rain and wind and hail all day"]
    tokens, lengths = trained.tokenizer.encode_all(texts)
    network = build(trained.user_model.code, **trained.user_model.arguments).eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in trained.weights.items()})
    inputs = trained.inputs(tokens, lengths)
    batch = Batch(torch.from_numpy(inputs.tokens), torch.from_numpy(inputs.lengths), torch.zeros(len(texts)))
    with torch.inference_mode():
        expected = network(batch).mean(dim=0)
    np.testing.assert_array_equal(trained.raw_logits(tokens, lengths), expected.numpy())
    assert trained.weights["norm.num_batches_tracked"].dtype == np.int64
    assert "inputs.weight" in trained.weights


def test_other_weights_are_another_network(user_run, my_model):
    from dataclasses import replace

    trained = loading.load(user_run / "model", code=[my_model])
    ids = trained.tokenizer.encode_all(["the cat sat"])
    other = replace(trained, weights={name: array * 0 for name, array in trained.weights.items()})
    assert not other.raw_logits(*ids).any()
    assert trained.raw_logits(*ids).any()


@pytest.fixture
def record(my_model):
    model = UserModel(find_user_model(f"{my_model}:MyModel").code, {"vocabulary": 9, "classes": 3})
    return model.record()


def test_what_is_recorded_says_which_code_it_was(record):
    import hashlib

    sha256 = hashlib.sha256(MY_MODEL.encode()).hexdigest()
    arguments = {"vocabulary": 9, "classes": 3}
    assert record == {"class": "MyModel", "file": "my_model.py", "sha256": sha256, "arguments": arguments}


def test_a_file_of_another_name_is_taken_if_it_is_the_same(record):
    Path("renamed.py").write_text(MY_MODEL)
    Path("other.py").write_text("x = 1\n")
    found = of_record(record, code=[Path("other.py"), Path("renamed.py")], root=Path("runs/r"))
    assert (found.name, found.arguments) == ("MyModel", record["arguments"])


def test_without_the_file_it_is_said_which_is_needed(record):
    needed = "runs/r was trained with MyModel from my_model.py: add --code my_model.py"
    with pytest.raises(UsageError) as caught:
        of_record(record, code=[], root=Path("runs/r"))
    assert str(caught.value) == needed
    Path("other.py").write_text("1 / 0\n")
    with pytest.raises(UsageError) as caught:
        of_record(record, code=[Path("other.py")], root=Path("runs/r"))
    assert str(caught.value) == f"{needed}; other.py is another file"


def test_a_changed_file_is_refused_and_not_run(record):
    Path("my_model.py").write_text("1 / 0\n")
    refused = r"^runs/r was trained with MyModel from my_model\.py, and my_model\.py is not that file: its SHA-256 "
    with pytest.raises(UsageError, match=refused):
        of_record(record, code=[Path("my_model.py")], root=Path("runs/r"))


@pytest.mark.parametrize(
    "changed",
    [
        {"class": "a b"},
        {"class": 3},
        {"class": ""},
        {"file": "../my_model.py"},
        {"file": "a\nb.py"},
        {"file": ".."},
        {"sha256": "1"},
        {"sha256": None},
        {"entry_point": 3},
        {"arguments": {"path": "x"}},
        {"arguments": {"dropout": "x"}},
        {"arguments": []},
    ],
)
def test_a_record_that_textclf_would_not_write_is_damage(changed, record):
    with pytest.raises(ValueError, match=r"its (code|network)"):
        user.checked({**record, **changed})
