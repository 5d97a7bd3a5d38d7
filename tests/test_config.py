import json
from dataclasses import FrozenInstanceError, fields
from itertools import pairwise
from math import log2, sqrt
from pathlib import Path

import pytest

from textclf.config import (
    FEW_DOCUMENTS,
    FEW_PATIENCE,
    LARGEST_BATCH,
    MOST_PARTS,
    MULTI_GAIN,
    MULTI_PATIENCE,
    PARTS_UP_TO,
    REFIT_AT_MOST,
    REFIT_FROM,
    TIERS,
    PreprocessConfig,
    Tier,
    TrainConfig,
    TuneConfig,
)
from textclf.errors import UsageError
from textclf.models import MODELS, lstm
from textclf.models.bag_mlp import LONG_TEXT, NARROW_LR
from textclf.models.lstm import MANY_DOCUMENTS, WIDE

MIDDLE = Tier(share=0.25, at_least=10, at_most=100, epochs=1, purpose="try the bounds")
DOCUMENTS = {"documents": 3_000, "tokens": 90_000, "length": 80}
BY_DOCUMENTS = {"batch_size", "lr", "max_length", "patience", "refit", "min_gain", "label_smoothing"}
SIZES = {"embedding_size", "hidden_size", "dropout", "word_dropout"}
LONG = {"documents": MANY_DOCUMENTS, "tokens": MANY_DOCUMENTS * (lstm.LONG_TEXT + 1), "length": 400}
WHOLE = Tier(share=1.0, at_least=0, at_most=None, epochs=1, purpose="take everything")


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
@pytest.mark.parametrize("model", MODELS)
def test_the_epochs_follow_from_the_tier_and_the_sizes_from_the_preset_of_the_documents(tier, model):
    config = TrainConfig.create(tier=tier, model=model, epochs=None, lr=None)
    assert config.epochs == TIERS[tier].epochs
    for documents in (DOCUMENTS, LONG):
        complete = config.completed(**documents)
        preset = MODELS[model].preset_for(documents=documents["documents"], tokens=documents["tokens"])
        assert {name: getattr(complete, name) for name in SIZES} == {name: getattr(preset, name) for name in SIZES}


@pytest.mark.parametrize("model", MODELS)
def test_what_follows_from_the_model_and_the_documents_is_open_until_they_are_known(model):
    config = TrainConfig.create(model=model)
    assert {name: getattr(config, name) for name in BY_DOCUMENTS | SIZES} == dict.fromkeys(BY_DOCUMENTS | SIZES)
    complete = config.completed(**DOCUMENTS)
    assert all(getattr(complete, name) is not None for name in BY_DOCUMENTS - {"max_length"})
    kept = {field.name for field in fields(config)} - BY_DOCUMENTS - SIZES
    assert {name: getattr(complete, name) for name in kept} == {name: getattr(config, name) for name in kept}


@pytest.mark.parametrize("model", MODELS)
def test_gain_and_smoothing_are_those_of_the_preset_or_of_several_labels(model):
    config, preset = TrainConfig.create(model=model), MODELS[model].PRESET
    one, several = (config.completed(**DOCUMENTS, is_multi=is_multi) for is_multi in (False, True))
    assert (one.min_gain, one.label_smoothing) == (preset.min_gain, preset.label_smoothing)
    assert (several.min_gain, several.label_smoothing) == (MULTI_GAIN, 0.0)
    assert several.patience >= max(one.patience, MULTI_PATIENCE)
    given = TrainConfig.create(model=model, min_gain=0.0, label_smoothing=0.2, patience=1)
    for is_multi in (False, True):
        complete = given.completed(**DOCUMENTS, is_multi=is_multi)
        assert (complete.min_gain, complete.label_smoothing, complete.patience) == (0.0, 0.2, 1)


@pytest.mark.parametrize("tier", ["mid", "full"])
@pytest.mark.parametrize("model", MODELS)
def test_settings_that_are_complete_stay_as_they_are(tier, model):
    complete = TrainConfig.create(tier=tier, model=model).completed(**DOCUMENTS)
    assert complete.completed(documents=REFIT_AT_MOST, tokens=10**9, length=1_000) == complete


@pytest.mark.parametrize("model", MODELS)
def test_the_batch_size_follows_from_the_number_of_documents(model):
    steps, smallest = MODELS[model].PRESET.steps, MODELS[model].PRESET.smallest_batch
    for documents, expected in (
        (1, smallest // 2),
        (FEW_DOCUMENTS - 1, smallest // 2),
        (FEW_DOCUMENTS, smallest),
        (64 * steps, 64),
        (90 * steps, 64),
        (91 * steps, 128),
        (10_000_000, LARGEST_BATCH * smallest),
    ):
        config = TrainConfig.create(model=model).completed(documents=documents, tokens=9, length=9)
        assert config.batch_size == expected
        assert type(config.batch_size) is int


@pytest.mark.parametrize("model", MODELS)
def test_an_epoch_has_about_as_many_steps_as_it_should(model):
    smallest = MODELS[model].PRESET.smallest_batch
    for documents in range(FEW_DOCUMENTS, 100_000, 77):
        size = TrainConfig.create(model=model).completed(documents=documents, tokens=9, length=9).batch_size
        assert log2(size).is_integer()
        if smallest < size < LARGEST_BATCH * smallest:
            assert abs(log2(documents / size / MODELS[model].PRESET.steps)) <= 0.5


@pytest.mark.parametrize("batch_size", [None, 1, 8, 32, 100, 1_000])
@pytest.mark.parametrize("model", MODELS)
def test_the_learning_rate_grows_with_the_square_root_of_the_batch_size(batch_size, model):
    config = TrainConfig.create(model=model, batch_size=batch_size).completed(**DOCUMENTS)
    assert config.batch_size == batch_size or batch_size is None
    assert config.lr == pytest.approx(
        MODELS[model].PRESET.lr * sqrt(config.batch_size / MODELS[model].PRESET.smallest_batch)
    )


@pytest.mark.parametrize(
    ("tokens", "narrow"),
    [(1, 1), (LONG_TEXT, 1), (LONG_TEXT + 1, 2), (2 * LONG_TEXT, 2), (2 * LONG_TEXT + 1, 4), (9_999, 4)],
)
def test_the_mlp_is_narrower_on_long_documents(tokens, narrow):
    documents = DOCUMENTS | {"tokens": tokens * DOCUMENTS["documents"]}
    mlp = TrainConfig.create(model="mlp").completed(**documents)
    wide = TrainConfig.create().completed(**DOCUMENTS)
    assert mlp.hidden_size == MODELS["mlp"].PRESET.hidden_size // narrow
    assert mlp.lr == pytest.approx(wide.lr * (NARROW_LR if narrow > 1 else 1))


@pytest.mark.parametrize(
    ("documents", "mean", "preset"),
    [
        (1, lstm.LONG_TEXT + 1, lstm.PRESET),
        (MANY_DOCUMENTS - 1, 10_000, lstm.PRESET),
        (10**6, lstm.LONG_TEXT, lstm.PRESET),
        (MANY_DOCUMENTS, lstm.LONG_TEXT + 1, WIDE),
        (10**6, 10_000, WIDE),
    ],
)
def test_the_lstm_is_wider_and_more_patient_on_many_long_documents_unless_the_user_decides(documents, mean, preset):
    size = {"documents": documents, "tokens": mean * documents, "length": 400}
    complete = TrainConfig.create(model="lstm").completed(**size)
    few = FEW_PATIENCE if documents < FEW_DOCUMENTS else 0
    chosen = (complete.embedding_size, complete.hidden_size, complete.patience)
    assert chosen == (preset.embedding_size, preset.hidden_size, max(preset.patience, few))
    given = TrainConfig.create(model="lstm", embedding_size=5, hidden_size=6, patience=7).completed(**size)
    assert (given.embedding_size, given.hidden_size, given.patience) == (5, 6, 7)


@pytest.mark.parametrize(("length", "expected"), [(1, 1), (80, 80), (256, 256), (5_000, 256)])
def test_the_lstm_reads_as_much_as_most_documents_have_and_the_mlp_everything(length, expected):
    settings = DOCUMENTS | {"length": length}
    mlp, lstm = (TrainConfig.create(model=name).completed(**settings) for name in ("mlp", "lstm"))
    assert mlp.max_length is None
    assert lstm.max_length == expected


@pytest.mark.parametrize(
    ("model", "tier", "documents", "expected"),
    [
        ("mlp", "full", 1, None),
        ("mlp", "full", REFIT_AT_MOST, None),
        ("mlp", "full", REFIT_AT_MOST + 1, False),
        ("mlp", "mid", 1_000, False),
        ("mlp", "mid", 999, None),  # fewer than the tier has at least: all that there are
        ("mlp", "tiny", 100, False),
        ("mlp", "tiny", 99, None),
        ("lstm", "full", 100, False),
        ("lstm", "mid", 100, False),
    ],
)
def test_a_model_that_is_quick_is_trained_again_on_all_of_a_corpus_that_is_small(model, tier, documents, expected):
    size = DOCUMENTS | {"documents": documents}
    assert TrainConfig.create(model=model, tier=tier).completed(**size).refit is expected
    if model == "mlp" and documents <= REFIT_AT_MOST:
        assert TrainConfig.create(tier=tier, shots=100).completed(**size).refit is None
    for wish in (True, False):
        assert TrainConfig.create(model=model, tier=tier, refit=wish).completed(**size).refit is wish


@pytest.mark.parametrize(("wish", "expected"), [(None, [False, False, True]), (True, [True] * 3), (False, [False] * 3)])
def test_a_run_is_refitted_if_its_validation_loss_fell_for_long_unless_the_user_decides(wish, expected):
    config = TrainConfig.create(tier="full", refit=wish).completed(**DOCUMENTS)
    assert [config.refits(best_epoch=epoch) for epoch in (1, REFIT_FROM - 1, REFIT_FROM)] == expected


@pytest.mark.parametrize(
    ("model", "documents", "expected"),
    [
        ("mlp", FEW_DOCUMENTS, MODELS["mlp"].PRESET.patience),
        ("mlp", FEW_DOCUMENTS - 1, FEW_PATIENCE),
        ("lstm", FEW_DOCUMENTS, MODELS["lstm"].PRESET.patience),
        ("lstm", FEW_DOCUMENTS - 1, max(FEW_PATIENCE, MODELS["lstm"].PRESET.patience)),
    ],
)
def test_few_documents_ask_for_patience(model, documents, expected):
    assert MODELS["mlp"].PRESET.patience < FEW_PATIENCE
    completed = TrainConfig.create(model=model).completed(**DOCUMENTS | {"documents": documents})
    assert completed.patience == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 3),
        ("batch_size", 7),
        ("lr", 0.5),
        ("dropout", 0.0),
        ("word_dropout", 0.0),
        ("label_smoothing", 0.0),
        ("embedding_size", 5),
        ("hidden_size", 5),
        ("max_length", 9),
        ("max_length", 900),
        ("refit", False),
        ("refit", True),
        ("seed", 0),
        ("patience", 1),
    ],
)
def test_what_is_given_wins_even_a_zero(name, value):
    config = TrainConfig.create(tier="tiny", model="lstm", **{name: value})
    assert getattr(config, name) == value
    assert getattr(config.completed(**DOCUMENTS), name) == value


@pytest.mark.parametrize(
    ("tokens", "max_parts", "expected"),
    [
        (1, None, MOST_PARTS),
        (PARTS_UP_TO, None, MOST_PARTS),
        (PARTS_UP_TO + 1, None, 0),
        (1, 0, 0),
        (1, 7, 7),
        (10**9, 7, 7),
    ],
)
def test_parts_of_words_are_looked_at_in_short_training_text_or_as_told(tokens, max_parts, expected):
    assert PreprocessConfig(max_parts=max_parts).parts(tokens=tokens) == expected


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"tier": "huge"}, "no tier named 'huge'; there are tiny, small, mid, full"),
        ({"tier": "smal"}, "no tier named 'smal'; did you mean small? there are tiny, small, mid, full"),
        (
            {"model": "bert"},
            f"no model named 'bert'; there are {', '.join(MODELS)}, and a class of your own: FILE.py:CLASS",
        ),
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
    with pytest.raises(UsageError, match=r"no setting named 'epochen'; did you mean epochs\?"):
        TrainConfig.create(epochen=3)


@pytest.mark.parametrize("model", MODELS)
def test_training_settings_survive_json(model):
    config = TrainConfig.create(
        model=model, data="bbc_news", data_dir=Path("d/é"), run_dir=Path("r"), seed=3, num_workers=0, lr=1e-3
    )
    for settings in (config, config.completed(**DOCUMENTS)):
        again = TrainConfig.from_json(json.loads(json.dumps(settings.to_json(), allow_nan=False)))
        assert again == settings
        assert {type(value) for value in (again.data_dir, again.run_dir)} == {type(Path())}


@pytest.mark.parametrize("config", [PreprocessConfig(), TrainConfig.create(), TIERS["tiny"], MODELS["mlp"].PRESET])
def test_settings_cannot_change_on_the_way(config):
    with pytest.raises(FrozenInstanceError):
        setattr(config, fields(config)[0].name, None)


@pytest.mark.parametrize("name", ["store", "precision"])
def test_an_unknown_choice_is_refused_from_python_too(name):
    with pytest.raises(UsageError, match=f"{name}: 'fast' is not one of "):
        TrainConfig.create(**{name: "fast"})


def test_a_search_ends_by_its_time_unless_trials_are_counted():
    assert TuneConfig().seconds == 600
    assert TuneConfig(trials=5).seconds is None
    assert TuneConfig(trials=5, time=30).seconds == 30
    with pytest.raises(UsageError, match="folds: 1 is not a whole number at least 2"):
        TuneConfig(folds=1)
