import json
from dataclasses import FrozenInstanceError, fields
from itertools import pairwise
from pathlib import Path

import pytest

from textclf.config import PRESETS, TIERS, PreprocessConfig, Tier, TrainConfig
from textclf.errors import UsageError

MIDDLE = Tier(share=0.25, at_least=10, at_most=100, epochs=1, batch_size=1, purpose="try the bounds")
WHOLE = Tier(share=1.0, at_least=0, at_most=None, epochs=1, batch_size=1, purpose="take everything")


@pytest.mark.parametrize(
    ("documents", "expected"), [(3, 3), (10, 10), (20, 10), (40, 10), (48, 12), (400, 100), (10_000_000, 100)]
)
def test_a_tier_is_a_share_between_two_bounds(documents, expected):
    assert MIDDLE.size(documents) == expected


@pytest.mark.parametrize("documents", [1, 99, 10_000_000])
def test_a_tier_without_a_cap_takes_everything(documents):
    assert WHOLE.size(documents) == documents


def test_tiers_are_in_order_of_size_and_the_last_has_everything():
    for documents in (*range(1, 3_000), 12_345, 120_000, 3_600_000):
        sizes = [tier.size(documents) for tier in TIERS.values()]
        assert sizes == sorted(sizes)
        assert sizes[0] >= 1
        assert sizes[-1] == documents


def test_tiers_are_named_after_their_purpose_and_tiny_stays_tiny():
    assert list(TIERS) == ["tiny", "small", "mid", "full"]
    sizes = [tier.size(10_000_000) for tier in TIERS.values()]
    assert sizes[0] <= 1_000
    assert all(smaller * 5 <= larger for smaller, larger in pairwise(sizes))


def test_the_model_and_the_tier_are_mlp_and_mid_if_not_given():
    config = TrainConfig.create()
    assert (config.model, config.tier) == ("mlp", "mid")


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("model", PRESETS)
def test_what_is_left_open_follows_from_the_tier_and_the_model(tier, model):
    config = TrainConfig.create(tier=tier, model=model, epochs=None, lr=None)
    for row in (TIERS[tier], PRESETS[model]):
        shared = {field.name for field in fields(row)} & {field.name for field in fields(config)}
        assert shared
        assert {name: getattr(config, name) for name in shared} == {name: getattr(row, name) for name in shared}


@pytest.mark.parametrize(
    ("name", "value"), [("epochs", 3), ("batch_size", 7), ("lr", 0.5), ("dropout", 0.0), ("seed", 0), ("patience", 1)]
)
def test_what_is_given_wins_even_a_zero(name, value):
    assert getattr(TrainConfig.create(tier="tiny", model="lstm", **{name: value}), name) == value


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"tier": "huge"}, "no tier named 'huge'; there are tiny, small, mid, full"),
        ({"model": "bert"}, "no model named 'bert'; there are mlp, lstm"),
    ],
)
def test_a_tier_or_model_that_is_in_no_table_is_refused(choice, message):
    with pytest.raises(UsageError) as caught:
        TrainConfig.create(**choice)
    assert str(caught.value) == message


def test_a_setting_of_the_lstm_is_refused_for_the_mlp():
    assert TrainConfig.create(model="lstm", max_length=9).max_length == 9
    with pytest.raises(UsageError, match="--max-length is not a setting of the mlp"):
        TrainConfig.create(model="mlp", max_length=9)


def test_a_setting_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="epochen"):
        TrainConfig.create(epochen=3)


@pytest.mark.parametrize("model", PRESETS)
def test_training_settings_survive_json(model):
    config = TrainConfig.create(
        model=model, data="bbc_news", data_dir=Path("d/é"), run_dir=Path("r"), seed=3, num_workers=0, lr=1e-3
    )
    again = TrainConfig.from_json(json.loads(json.dumps(config.to_json(), allow_nan=False)))
    assert again == config
    assert {type(value) for value in (again.data_dir, again.run_dir)} == {type(Path())}


@pytest.mark.parametrize("config", [PreprocessConfig(), TrainConfig.create(), TIERS["tiny"], PRESETS["mlp"]])
def test_settings_cannot_change_on_the_way(config):
    with pytest.raises(FrozenInstanceError):
        setattr(config, fields(config)[0].name, None)


@pytest.mark.parametrize("name", ["store", "precision"])
def test_an_unknown_choice_is_refused_from_python_too(name):
    with pytest.raises(UsageError, match=f"no {name} named 'fast'; there are "):
        TrainConfig.create(**{name: "fast"})
