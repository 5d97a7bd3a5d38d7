"""Which settings a search tries: of each model those that it has, around its defaults."""

import pytest

from tests.conftest import small_config
from textclf.config import TrainConfig
from textclf.experiments.search_space import SearchSpace, weights
from textclf.models import MODELS, parameters
from textclf.training.setup import set_up


@pytest.fixture(params=list(MODELS))
def setup(request, data_dir, tmp_path):
    return set_up(TrainConfig.create(tier="full", model=request.param, data=str(data_dir), run_dir=tmp_path))


def test_the_defaults_are_drawn_as_no_change(setup):
    space = SearchSpace.around(setup, weighs_classes=True)
    assert space.settings(space.start()) == {}
    for name, distribution in space.distributions().items():
        assert distribution._contains(distribution.to_internal_repr(space.start()[name]))


def test_every_setting_is_one_of_the_model(setup):
    space = SearchSpace.around(setup, weighs_classes=False)
    drawn = {name: each.high for name, each in space.dimensions.items()}
    settings = space.settings(drawn)
    assert set(settings) == set(space.dimensions) >= {"lr", "batch_size", "hidden_size", "dropout", "patience"}
    assert ("word_dropout" in settings) == (setup.config.word_dropout is not None)
    changed = TrainConfig.create(tier="full", model=setup.config.model, **settings)
    assert all(getattr(changed, name) == value for name, value in settings.items())
    assert settings["lr"] == pytest.approx(
        setup.config.lr * 4 * (settings["batch_size"] / setup.config.batch_size) ** 0.5, rel=0.01
    )
    assert len(repr(settings["lr"])) <= 7


def test_a_draw_of_another_batch_size_alone_keeps_the_noise_of_a_step(setup):
    space = SearchSpace.around(setup, weighs_classes=False)
    settings = space.settings({**space.start(), "batch_size": 2})
    assert settings["batch_size"] == 4 * setup.config.batch_size
    assert settings["lr"] == pytest.approx(2 * setup.config.lr, rel=0.01)
    assert settings["hidden_size"] == setup.config.hidden_size


def test_class_weights_are_tried_where_rare_classes_count(setup):
    assert "class_weights" not in SearchSpace.around(setup, weighs_classes=False).dimensions
    space = SearchSpace.around(setup, weighs_classes=True)
    assert space.settings({**space.start(), "class_weights": 1})["class_weights"] == "balanced"
    assert setup.changed(class_weights="balanced").class_weights is not None


def test_a_size_limits_the_hidden_layer(setup):
    at_start = weights(setup)
    assert at_start == parameters(setup.config.kind.architecture().network(**setup.network_arguments()))
    large = SearchSpace.around(setup, weighs_classes=False, max_size=10**9).dimensions["hidden_size"]
    small = SearchSpace.around(setup, weighs_classes=False, max_size=at_start // 4).dimensions["hidden_size"]
    none = SearchSpace.around(setup, weighs_classes=False, max_size=1).dimensions["hidden_size"]
    assert (large.high, none.high) == (1, none.low)
    assert none.high <= small.high < large.high


def test_small_sizes_stay(data_dir, tmp_path):
    setup = set_up(small_config("mlp", data_dir, tmp_path))
    dimensions = SearchSpace.around(setup, weighs_classes=False).dimensions
    assert dimensions["hidden_size"].low == 0
