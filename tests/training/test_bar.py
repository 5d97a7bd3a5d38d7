"""The bar of a run that is trained from Python."""

from types import SimpleNamespace

import pytest

from tests.conftest import small_config
from textclf import training
from textclf.errors import DivergedError
from textclf.progress import bar
from textclf.training.bar import LINE, TrainingBar


class Bars:
    """Makes bars, and keeps them."""

    def __init__(self):
        self.made = []

    def __call__(self, **shown):
        self.made.append(bar(**shown))
        return self.made[-1]


@pytest.mark.parametrize("refit", [False, True])
def test_the_bar_is_full_at_the_end_however_many_epochs_there_were(refit, data_dir, tmp_path, capsys):
    bars = Bars()
    training.train(
        small_config("mlp", data_dir, tmp_path, epochs=5, patience=1, refit=refit), display=TrainingBar(bars)
    )
    (made,) = bars.made
    assert made.n == made.total >= 48
    assert made.postfix.startswith("test accuracy ")


def test_a_line_fits_80_columns(capsys):
    made = bar(total=30_000_000, bar_format=LINE, desc="epoch 30", unit_scale=True, ncols=80)
    made.set_postfix_str("validation accuracy 0.9865")
    line = made.format_dict | {"ncols": 80, "elapsed": 3599, "n": 29_000_000}
    shown = made.format_meter(**line)
    assert len(shown) <= 80
    assert "validation accuracy 0.9865]" in shown
    made.close()


def test_a_note_is_shown_before_there_is_a_bar_and_closing_none_is_fine(capsys):
    display = TrainingBar()
    display.note("shared memory is\x1b small")
    display.close()
    assert capsys.readouterr().err == "shared memory is\\x1b small\n"


def test_a_bar_closes_when_training_stops(capsys):
    bars = Bars()
    display = TrainingBar(bars)
    setup = SimpleNamespace(parts={"train": range(10)}, config=SimpleNamespace(epochs=3))
    display.begin(None, setup, None, first_epoch=2)

    def batches():
        yield "one"
        raise DivergedError("the loss is not a number")

    meter = SimpleNamespace(documents=0)
    watched = display.watch(batches(), meter)
    next(watched)
    meter.documents += 4
    with pytest.raises(DivergedError):
        next(watched)
    display.close()
    assert (bars.made[0].n, bars.made[0].total) == (14, 30)
    assert bars.made[0].disable  # closed
