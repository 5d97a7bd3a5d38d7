import pytest
import torch

from tests.conftest import small_config
from tests.training.helpers import Shown, files, finite, history, only_run, resume, same, train
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.errors import DataError, DivergedError


def test_a_run_that_diverges_at_once_has_no_best(settings):
    with pytest.raises(DivergedError) as caught:
        train(settings(lr=1e30))
    assert caught.value.exit_code == 6
    layout = only_run(settings().run_dir)
    assert files(layout.root) == {"config.json", "history.jsonl", "events", "checkpoints/last.pt"}
    assert finite(layout.last)  # from before the first step
    assert history(layout) == []
    assert not (layout.root.parent / "latest").exists()


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_run_that_diverges_later_keeps_the_weights_from_before(poison, settings, model):
    class Poisons(Shown):
        def epoch(self, epoch):
            super().epoch(epoch)
            with torch.no_grad():
                list(self.learner.model.parameters())[-1][0] = poison  # the bias of an output layer

    display = Poisons()
    with pytest.raises(DivergedError, match="not a number in epoch 2, step 1, on train-"):
        train(settings(model, epochs=4), display=display)
    assert finite(display.run.best)
    assert finite(display.run.last)
    assert [epoch["number"] for epoch in history(display.run)] == [1]
    assert same(resume(display.run), train(settings(model, epochs=4)))  # without the poison


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_split_without_any_known_label_is_bad_data_and_no_divergence(split, corpus_csv, tmp_path):
    """Such as the test sets of competitions, whose labels are hidden: nothing can be measured on them."""
    hidden = tmp_path / "hidden.csv"
    hidden.write_text("text,label\nthe cat,?\nrain and wind,?\n")

    def preprocess_and_train():
        made, _ = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1, **{split: hidden}))
        train(small_config("mlp", made, tmp_path / "runs", epochs=1))

    with pytest.raises(DataError, match=split):
        preprocess_and_train()
