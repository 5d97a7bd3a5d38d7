import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import assemble, small_config
from tests.dataset import tables
from textclf.config import PreprocessConfig, TrainConfig
from textclf.dataset.build import preprocess
from textclf.dataset.directory import PERCENTILE, DataDirectory
from textclf.errors import DataError
from textclf.models import MODELS
from textclf.models.bag_mlp.feature_cache import FeatureCache
from textclf.models.model import Examples
from textclf.training.batches import EpochSampler, LengthSortedSampler
from textclf.training.class_weights import weigh
from textclf.training.setup import MOST_WORKERS, set_up, set_up_while_torch_loads


@pytest.fixture
def data(data_dir):
    return DataDirectory.open(data_dir)


@pytest.fixture
def make(data, data_dir, tmp_path):
    """Sets up a run of a model with these settings."""
    return lambda model="mlp", **settings: assemble(small_config(model, data_dir, tmp_path, **settings), data)


def weights(session):
    return torch.cat([weight.detach().flatten() for weight in session.learner.model.parameters()])


def labels(loader):
    return torch.cat([batch.labels for batch in loader])


@pytest.mark.parametrize("model", sorted(MODELS))
def test_the_seed_draws_the_weights(model, make):
    torch.manual_seed(99)  # whatever was drawn before
    one = weights(make(model, seed=3))
    assert torch.equal(one, weights(make(model, seed=3)))
    assert not torch.equal(one, weights(make(model, seed=4)))


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_split_is_read_whole(model, make, data):
    session = make(model, refit=True)
    assert set(session.batches) == {"train", "validation", "test", "refit"}
    classes = data.classes()
    for split, loader in session.batches.items():
        rows = [*data.rows("train"), *data.rows("validation")] if split == "refit" else data.rows(split)
        assert sorted(labels(loader).tolist()) == sorted(classes[rows].tolist())


def test_there_is_a_refit_part_only_if_the_settings_ask_for_it(make):
    assert set(make(refit=False).batches) == set(make("lstm").batches) == {"train", "validation", "test"}
    assert "refit" in make(refit=None).batches  # the mlp is quick on a full tier as small as this


def test_open_settings_follow_from_the_documents(data, data_dir):
    lengths = data.documents.tokens[data.rows("train")]
    size = {"documents": 48, "tokens": int(lengths.sum()), "length": int(np.percentile(lengths, PERCENTILE))}
    for model in MODELS:
        config = TrainConfig.create(model=model, tier="full", data=str(data_dir), device="cpu")
        session = assemble(config, data)
        assert None in (config.lr, config.batch_size)
        assert session.setup.config == config.completed(**size)
        assert len(next(iter(session.batches["train"])).labels) == session.setup.config.batch_size
        assert session.learner.optimizer.lr == session.setup.config.lr
    assert session.setup.features.max_length == session.setup.config.max_length == size["length"]  # of the lstm
    again = assemble(session.setup.config, data).setup.config  # as a resumed run has it
    assert again == session.setup.config


def test_each_learner_of_a_setup_starts_with_the_same_weights_of_its_own(make):
    session = make(seed=3)
    again = session.setup.learner(session.batches["train"], torch.device("cpu"))
    for one, other in zip(session.learner.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one is not other


def test_the_average_has_its_own_weights_which_are_not_trained(make):
    learner = make().learner
    assert not {id(weight) for weight in learner.model.parameters()} & {id(p) for p in learner.average.parameters()}
    assert learner.average.n_averaged == 0


def test_features_are_fitted_on_the_tier_that_is_trained_on(corpus_csv, tmp_path):
    source = tmp_path / "large.csv"
    words = [f"w{number}" for number in range(200)]
    source.write_text("text,label\n" + "".join(f"{word},{'ab'[len(word) % 2]}\n" for word in words))
    made, _ = preprocess(PreprocessConfig(source=str(source), num_workers=1))
    data = DataDirectory.open(made)
    sizes, inputs = {}, {}
    for tier in data.manifest.tiers:
        session = assemble(TrainConfig.create(tier=tier, device="cpu"), data)
        sizes[tier] = len(labels(session.batches["train"]))
        (inputs[tier],) = session.setup.features(data.packed().gather(np.arange(50))[0][:50], np.array([50]))[-1:]
    assert sizes == data.manifest.tiers
    assert sizes["tiny"] < sizes["full"]
    assert not np.array_equal(inputs["tiny"], inputs["full"])


def test_class_weights_are_those_of_the_tier_and_none_if_none_are_asked_for(data, data_dir, tmp_path):
    assert set_up(small_config("mlp", data_dir, tmp_path), data).class_weights is None
    weighed = set_up(small_config("mlp", data_dir, tmp_path, class_weights="balanced", tier="mid"), data)
    expected = weigh("balanced", data.counts("mid"), documents=len(weighed.parts["train"]), is_multi=False)
    assert weighed.class_weights.tolist() == expected.tolist()


def test_training_batches_are_shuffled_and_of_the_configured_size(make):
    session = make(batch_size=10)
    for name, sizes in (("train", [10, 10, 10, 10, 8]), ("refit", [10, 10, 10, 10, 10, 4])):
        sampler = session.batches[name].batch_sampler
        assert isinstance(sampler, EpochSampler)
        assert [len(batch.labels) for batch in session.batches[name]] == sizes
        first = labels(session.batches[name]).tolist()
        sampler.epoch += 1
        assert labels(session.batches[name]).tolist() != first


def test_the_seed_draws_the_order_of_the_documents(make):
    one, same, other = (labels(make(seed=seed).batches["train"]).tolist() for seed in (3, 3, 4))
    assert one == same
    assert one != other


def test_evaluation_batches_are_large_and_in_one_order(make):
    session = make(batch_size=2)
    for split in ("validation", "test"):
        loader = session.batches[split]
        assert isinstance(loader.batch_sampler, LengthSortedSampler)
        sizes = [len(batch) for batch in loader.batch_sampler]
        assert set(sizes[:-1]) <= {256}
        assert sum(sizes) == len(session.setup.data.rows(split))
        assert torch.equal(labels(loader), labels(loader))


def test_only_a_model_that_pads_gets_batches_of_similar_length(make, data):
    assert make("mlp").batches["train"].batch_sampler.lengths is None
    lengths = data.documents.tokens[data.rows("full")]
    assert len(set(lengths.tolist())) > 1
    for kept in (6, 256):  # what is cut off costs nothing
        sampler = make("lstm", max_length=kept).batches["train"].batch_sampler
        assert sampler.lengths.tolist() == np.minimum(lengths, kept).tolist()


@pytest.mark.parametrize("model", sorted(MODELS))
def test_both_stores_give_the_same_batches(model, make):
    packed, files = (make(model, store=store, num_workers=0) for store in ("packed", "files"))
    for split in packed.batches:
        for one, other in zip(packed.batches[split], files.batches[split], strict=True):
            assert all(torch.equal(tensor, same) for tensor, same in zip(one, other, strict=True))


@pytest.mark.parametrize("store", ["packed", "files"])
def test_cached_documents_are_not_read_again_from_the_packed_copy(store, make):
    session = make(store=store)
    read = {name: len(loader.dataset[0].tokens) for name, loader in session.batches.items()}
    assert {name for name, length in read.items() if length} == ({"test"} if store == "packed" else {*read})


def test_batches_are_the_same_without_the_cache(make):
    session = make()
    before = [list(loader) for loader in session.batches.values()]
    session.setup.clear_cache()
    assert not session.setup.cache.has(session.batches["train"].dataset.rows)
    after = [list(loader) for loader in session.batches.values()]
    for one, other in zip(before, after, strict=True):
        for batch, again in zip(one, other, strict=True):
            assert all(map(torch.equal, batch, again))
    make("lstm").setup.clear_cache()


@pytest.mark.parametrize(
    ("settings", "processors", "allowed", "expected"),
    [
        ({}, 4, 4, 0),  # the packed store is faster without
        ({"num_workers": 3}, 4, 4, 3),
        ({"store": "files"}, 4, 4, 4),
        ({"store": "files"}, 64, 64, MOST_WORKERS),
        ({"store": "files"}, 64, 2, 2),  # a container that may use two of the processors
        ({"store": "files", "num_workers": 0}, 4, 4, 0),
    ],
)
def test_the_number_of_workers_is_configured_or_follows_from_the_store(
    settings, processors, allowed, expected, make, monkeypatch
):
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(allowed)), raising=False)
    loaders = make(**settings).batches
    assert {split: loader.num_workers for split, loader in loaders.items()} == {
        "train": expected,
        "refit": expected,
        "validation": 0,
        "test": 0,
    }


def test_the_settings_reach_the_optimizer_and_early_stopping(make):
    session = make(lr=0.125, patience=7)
    assert session.learner.optimizer.lr == 0.125
    assert session.stopping.patience == 7
    held = set(map(id, session.learner.optimizer.parameters))
    assert held == {id(weight) for weight in session.learner.model.parameters()}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("model", sorted(MODELS))
def test_on_a_gpu_the_model_is_there_and_batches_are_pinned(model, make):
    session = make(model, device="cuda", num_workers=0)
    assert {weight.device.type for weight in session.learner.model.parameters()} == {"cuda"}
    for loader in session.batches.values():
        batch = next(iter(loader))
        assert all(tensor.is_pinned() and tensor.device.type == "cpu" for tensor in batch)


# Features


@pytest.fixture(params=sorted(MODELS))
def config(request, data_dir, tmp_path):
    return small_config(request.param, data_dir, tmp_path)


def test_the_features_are_of_the_kind_that_an_artefact_keeps(config, data):
    assert type(set_up(config, data).features) is MODELS[config.model].runtime().features


@pytest.mark.parametrize("batch", [1, 7, 1024])
def test_cached_features_make_the_same_batches(config, data, batch):
    ready = set_up(config, data, read_at_once=batch)
    assert (ready.cache is not None) is (config.model == "mlp")
    for part in ready.parts.values():
        examples = Examples(*ready.store.gather(part.rows), part.labels, part.rows)
        collate = MODELS[config.model].architecture().collate
        batches = (collate(examples, inputs=inputs) for inputs in (ready.cache or ready.features, ready.features))
        for one, other in zip(*batches, strict=True):
            assert one.dtype == other.dtype
            assert one.tolist() == other.tolist()


def test_train_and_validation_are_cached_and_test_is_not(data, data_dir, tmp_path):
    ready = set_up(small_config("mlp", data_dir, tmp_path), data)
    for name in ("train", "validation"):
        assert ready.cache.has(ready.parts[name].rows)
    rows = ready.parts["test"].rows
    ready.cache(*ready.store.gather(rows), rows)
    assert not any(ready.cache.has(rows[place : place + 1]) for place in range(len(rows)))


def test_nothing_is_cached_beyond_the_limit(data, data_dir, tmp_path, monkeypatch):
    monkeypatch.setitem(FeatureCache.fit.__func__.__kwdefaults__, "limit", 0)
    ready = set_up(small_config("mlp", data_dir, tmp_path), data)
    rows = ready.parts["train"].rows
    assert not ready.cache.has(rows)
    features, _, _ = ready.cache(*ready.store.gather(rows), rows)
    np.testing.assert_array_equal(features, ready.features(*ready.store.gather(rows)).features)


def test_a_split_without_any_known_label_is_bad_data(config, data):
    documents = tables.relabelled(data.documents, dict.fromkeys(data.rows("validation").tolist(), "unseen"))
    with pytest.raises(DataError, match="no validation document has a label that a training document has"):
        set_up(config, replace(data, documents=documents))


# Before torch is imported


def test_the_data_of_the_settings_is_opened_if_none_is_given(data_dir, tmp_path):
    config = small_config("mlp", data_dir, tmp_path)
    assert set_up(config).data.layout == set_up(config, DataDirectory.open(data_dir)).data.layout


SET_UP = """
import sys
from pathlib import Path
from textclf.config import TrainConfig
from textclf.system import startup
startup.configure_program()
from textclf.training.setup import set_up, set_up_while_torch_loads
config = TrainConfig.create(data=sys.argv[1], hidden_size=8, batch_size=8, tier="full")
ready = set_up_while_torch_loads(config)
assert "torch" in sys.modules
print("pyarrow" in sys.modules)
expected = set_up(config)
assert ready.config == expected.config and ready.data.layout == expected.data.layout
assert ready.features.rarity.tolist() == expected.features.rarity.tolist()
rows = ready.parts["train"].rows
assert ready.cache.has(rows)
for found, same in zip(ready.cache(None, None, rows), expected.cache(None, None, rows), strict=True):
    assert found.tolist() == same.tolist()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how many threads there are")
def test_another_process_sets_up_and_arrow_stays_there(data_dir):
    done = subprocess.run([sys.executable, "-c", SET_UP, str(data_dir)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")


def test_a_program_with_threads_sets_up_itself(data_dir, tmp_path):
    config = small_config("mlp", data_dir, tmp_path)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(set_up_while_torch_loads, config).result().config == set_up(config).config


def test_missing_data_is_reported_before_torch_is_imported():
    code = (
        "import sys\nfrom textclf.config import TrainConfig\nfrom textclf.errors import UsageError\n"
        "from textclf.training import train\n"
        "try:\n    train(TrainConfig.create())\n"
        "except UsageError:\n    sys.exit('torch' in sys.modules)\nsys.exit(2)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_data_without_a_test_split_is_trained_on_if_no_test_is_wanted(corpus_csv, tmp_path):
    made, _ = preprocess(PreprocessConfig(source=str(corpus_csv), test_size=None, num_workers=1))
    with pytest.raises(DataError, match=r"no test split; train without one: --no-test"):
        set_up(small_config("mlp", made, tmp_path))
    assert "test" not in set_up(small_config("mlp", made, tmp_path, test=False)).parts


@pytest.mark.parametrize("model", sorted(MODELS))
def test_with_shots_validation_is_taken_from_them(model, make, data):
    session = make(model, shots=5, seed=2, refit=True)
    drawn = data.parts("full", shots=5, seed=2)
    assert {split: len(part) for split, part in session.setup.parts.items()} == {
        "train": len(drawn["train"]), "validation": len(drawn["validation"]), "refit": 15, "test": len(drawn["test"])
    }  # fmt: skip
    assert set(session.setup.parts["validation"].rows.tolist()).isdisjoint(data.rows("validation").tolist())


def test_class_weights_are_those_of_the_documents_that_are_drawn(make, data):
    session = make(shots=5, seed=2, class_weights="balanced")
    counts = data.training_counts({"tier": "full", "shots": 5, "seed": 2})
    expected = weigh("balanced", counts, documents=sum(counts.values()), is_multi=False)
    assert session.setup.class_weights.tolist() == expected.tolist()
