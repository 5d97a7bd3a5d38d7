from torch import nn

from textclf.models import parameters, summary


def test_parameters_counts_all():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1, bias=False))
    assert parameters(model) == 2 * 3 + 3 + 3


def test_summary_shows_each_layer_with_its_shapes_and_the_total():
    model = nn.Sequential()
    model.add_module("embedding", nn.Embedding(1000, 3))
    model.add_module("dropout", nn.Dropout())
    model.add_module("inner", nn.Sequential(nn.Linear(3, 2)))
    expected = [
        "embedding  Embedding  (1000, 3)    3,000",
        "inner.0    Linear     (2, 3) (2,)      8",
        "total                              3,008",
    ]
    assert summary(model).splitlines() == expected
