from tests.training.helpers import Shown, read, train


def test_a_display_is_shown_everything(settings, model):
    display = Shown()
    layout = train(settings(model, epochs=2), display=display)
    assert display.run == layout
    assert display.first_epoch == 1
    assert display.setup.config.model == model
    assert display.steps == 2 * 6
    assert display.companions == (["linear classifier"] if model == "mlp" else [])
    assert [epoch.number for epoch in display.epochs] == [1, 2]
    assert display.refit is None
    assert display.ended == read(layout.metrics)
