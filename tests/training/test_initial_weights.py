import csv
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.conftest import TEXTS, small_config
from tests.training.helpers import Shown, Stopped, read, resume, same, train
from textclf.artefacts import loading, runs
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.errors import ArtefactError, UsageError
from textclf.training import device, initial_weights
from textclf.training.checkpoint import read_best
from textclf.training.initial_weights import InitialWeights
from textclf.training.setup import set_up

MORE = {
    "art": ["she paints a cat in oil", "the museum shows old paintings", "a statue of bronze", "music and paint"],
    "trade": ["the market sells bread", "prices of oil rise", "he sells a horse and a dog", "shares fall all day"],
}
"""Two more labels, one before those that there are and one between."""

mlp = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """Data with all labels: their order, and that of the words, is another one."""
    folder = tmp_path_factory.mktemp("grown")
    with (folder / "grown.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for copy in range(4):
            for label, texts in {**TEXTS, **MORE}.items():
                writer.writerows((f"{text} number{copy}", label) for text in texts)
    return preprocess(PreprocessConfig(source=str(folder / "grown.csv"), data_dir=folder / "data", num_workers=1))[0]


@pytest.fixture
def started(grown, tmp_path):
    """Makes the setup of a run that starts from another, and its network."""

    def make(source, **given):
        kind = read(source / "config.json")["settings"]["model"]
        setup = set_up(small_config(kind, given.pop("data", grown), tmp_path / "runs", init_from=source, **given))
        return setup, InitialWeights.of(setup), setup.config.kind.architecture().network(**setup.network_arguments())

    return make


def rows_of(features, tokenizer):
    """The row of each feature."""
    keys = [(kind, key) for kind, some in features.keys(tokenizer).items() for key in list(some)]
    return {key: row for row, key in enumerate(keys)}


def test_features_have_a_key_for_each_row(run_dir, several_run):
    for run in (run_dir, several_run):
        model = loading.load(run / "model")
        rows = rows_of(model.inputs, model.tokenizer)
        assert len(rows) == next(iter(model.inputs.sizes.values())) == len(model.weights["embedding.weight"])


def test_what_both_know_keeps_its_weights_wherever_it_stands(run_dir, started):
    setup, initial, network = started(run_dir)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    initial.put(network)
    after, theirs = network.state_dict(), read_best(runs.RunLayout(run_dir).best)
    source = loading.load(run_dir / "model")
    ours, of_source = rows_of(setup.features, setup.tokenizer), rows_of(source.inputs, source.tokenizer)
    shared = ours.keys() & of_source.keys()
    assert ("words", "cat") in shared
    assert ("words", "paints") in ours.keys() - shared
    for key, row in ours.items():
        expected = theirs["embedding.weight"][of_source[key]] if key in shared else before["embedding.weight"][row]
        assert torch.equal(after["embedding.weight"][row], expected), key
    assert len(ours) > len(shared)
    labels = setup.data.manifest.labels
    assert labels == ["animals", "art", "food", "trade", "weather"]
    outputs = [name for name in after if name.startswith("output")]
    for name in outputs:
        for place, label in enumerate(labels):
            kept = label in source.labels
            expected = theirs[name][source.labels.index(label)] if kept else before[name][place]
            assert torch.equal(after[name][place], expected), (name, label)
    for name in set(after) - {"embedding.weight", *outputs}:
        assert torch.equal(after[name], theirs[name]), name
    kept = initial.record()["kept"]
    assert kept["labels"] == [3, 5]
    assert kept["words"][0] == sum(kind == "words" for kind, _ in shared)


@mlp
def test_the_head_start_moves_new_features_alone(run_dir, started):
    setup, initial, _ = started(run_dir)
    processor = device.pick("cpu")
    learner = setup.learner(setup.loader("train", processor), processor, initial)
    embedding = learner.model.embedding.weight.detach()
    shared = initial.shared["features"]
    assert torch.equal(embedding[shared.ours], read_best(initial.run.best)["embedding.weight"][shared.theirs])
    is_new = np.delete(np.arange(len(embedding)), shared.ours.numpy())
    torch.manual_seed(setup.config.seed)
    untouched = setup.config.kind.architecture().network(**setup.network_arguments()).embedding.weight
    assert not torch.allclose(embedding[is_new], untouched[is_new])


def test_a_run_starts_from_another_is_recorded_and_repeats_to_the_bit(run_dir, grown, tmp_path):
    kind = read(run_dir / "config.json")["settings"]["model"]
    settings = [small_config(kind, grown, tmp_path / name, epochs=2, init_from=run_dir) for name in ("one", "other")]
    one, other = map(train, settings)
    assert same(one, other)
    assert not same(one, train(small_config(kind, grown, tmp_path / "usual", epochs=2)))
    record = read(one.config)["init_from"]
    assert record["run"] == run_dir.name
    assert read(one.metrics)["init_from"] == record
    card = (one.model / "README.md").read_text(encoding="utf-8")
    assert f"Training started from the weights of the run `{run_dir.name}`: " in card
    assert "3 of 5 labels kept theirs." in card
    assert "may have learned from documents that validate or test this run" in card  # other data, not grown
    assert record["unseen"] is False


@mlp
def test_on_its_own_data_no_figure_is_in_doubt(run_dir, data_dir, tmp_path):
    display = Shown()
    notes = []
    display.note = notes.append
    layout = train(small_config("mlp", data_dir, tmp_path, epochs=1, init_from=run_dir), display=display)
    assert [note for note in notes if "starting from the weights of" in note and "3 of 3 labels keep theirs" in note]
    assert not any("too good" in note for note in notes)
    assert "warnings" not in read(layout.metrics)
    assert read(layout.config)["init_from"]["unseen"] is True


@mlp
def test_a_stopped_run_does_not_need_its_source_again(run_dir, grown, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(run_dir, source)
    straight = train(small_config("mlp", grown, tmp_path / "straight", epochs=3, init_from=source, refit=False))
    display = Shown(stop_in_epoch=1, after_steps=0)
    with pytest.raises(Stopped):
        train(small_config("mlp", grown, tmp_path / "runs", epochs=3, init_from=source, refit=False), display=display)
    assert display.run.last.exists()
    shutil.rmtree(source)
    assert same(resume(display.run), straight)


@mlp
def test_a_run_that_stopped_before_its_first_checkpoint_needs_the_same_source(run_dir, grown, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(run_dir, source)
    display = Shown(stop_in_epoch=1, after_steps=0)
    with pytest.raises(Stopped):
        train(small_config("mlp", grown, tmp_path / "runs", epochs=2, init_from=source), display=display)
    display.run.last.unlink()
    (source / "checkpoints" / "best.pt").rename(source / "kept.pt")
    shutil.copy(display.run.root / "config.json", source / "checkpoints" / "best.pt")
    with pytest.raises(
        UsageError, match=r"source has other weights than .* started from \([0-9a-f]{12}\); train a new run"
    ):
        resume(display.run)
    (source / "kept.pt").replace(source / "checkpoints" / "best.pt")
    assert runs.complete(resume(display.run))


@mlp
def test_damaged_weights_are_named(run_dir, grown, tmp_path):
    source = runs.RunLayout(tmp_path / "source")
    shutil.copytree(run_dir, source.root)
    source.best.write_bytes(source.best.read_bytes()[:-1])
    with pytest.raises(ArtefactError, match=r"best.pt is not what was written; start from another run"):
        train(small_config("mlp", grown, tmp_path / "runs", init_from=source.root))
    source.best.unlink()
    with pytest.raises(ArtefactError, match=r"best.pt is missing; start from another run"):
        train(small_config("mlp", grown, tmp_path / "runs", init_from=source.root))


def test_a_shape_that_does_not_fit_is_named(run_dir, grown, tmp_path):
    kind = read(run_dir / "config.json")["settings"]["model"]
    config = small_config(kind, grown, tmp_path / "runs", hidden_size=16, init_from=run_dir)
    message = (
        r"^[\w.]+ has the shape \(.*\) in .*, which does not fit \(.*\): leave out --hidden-size and --embedding-size"
    )
    with pytest.raises(UsageError, match=message):
        train(config)
    assert not (tmp_path / "runs").exists()


@mlp
def test_another_tier_has_the_sizes_of_the_source(run_dir, grown, tmp_path):
    layout = train(small_config("mlp", grown, tmp_path / "runs", tier="tiny", epochs=1, init_from=run_dir))
    assert read(layout.config)["init_from"]["kept"]["labels"] == [3, 5]


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
def test_a_run_of_several_labels_starts_from_another(several_run, several_data, tmp_path):
    layout = train(small_config("mlp", several_data, tmp_path / "runs", epochs=1, init_from=several_run))
    kept = read(layout.config)["init_from"]["kept"]
    assert kept["labels"][0] == kept["labels"][1] > 1
    first = json.loads(layout.history.read_text().splitlines()[0])
    usual = train(small_config("mlp", several_data, tmp_path / "usual", epochs=1))
    assert first["train"]["loss"] < json.loads(usual.history.read_text().splitlines()[0])["train"]["loss"]


def test_a_users_model_starts_from_another(user_run, grown, tmp_path):
    record = read(user_run / "config.json")
    file = next(user_run.parent.parent.glob("*/my_model.py"))
    config = small_config(f"{file}:MyModel", grown, tmp_path / "runs", hidden_size=None, epochs=1, init_from=user_run)
    layout = train(config)
    assert record["settings"]["model"] == "MyModel"
    assert read(layout.config)["init_from"]["kept"]["labels"] == [3, 5]


def test_axes_are_found_for_any_parameter():
    class Odd(torch.nn.Module):
        def __init__(self, *, vocabulary, classes):
            super().__init__()
            self.pairs = torch.nn.Bilinear(3, 3, classes)
            self.both = torch.nn.Parameter(torch.zeros(classes, vocabulary))
            self.register_buffer("steps", torch.zeros(()))

    state = torch.random.get_rng_state()
    axes = initial_weights._axes(Odd, {"vocabulary": 9, "classes": 4}, SimpleNamespace(sizes={"vocabulary": 9}))
    assert axes["both"] == ("classes", "vocabulary")
    assert axes["pairs.weight"] == ("classes", "", "")
    assert axes["pairs.bias"] == ("classes",)
    assert axes["steps"] == ()
    assert torch.equal(torch.random.get_rng_state(), state)  # the network that is trained begins as it would have
