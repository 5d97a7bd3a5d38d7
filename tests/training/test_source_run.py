import json
import re
from pathlib import Path

import pytest

from tests.conftest import small_config
from tests.training.helpers import read, train
from textclf.artefacts import runs
from textclf.config import TrainConfig
from textclf.errors import UsageError
from textclf.training import adopted
from textclf.training.source_run import source_of, unseen

lstm = pytest.mark.parametrize("run_dir", ["lstm"], indirect=True)
mlp = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)


@lstm
def test_the_model_and_its_sizes_are_those_of_the_source_unless_they_are_given(run_dir):
    assert adopted({"tier": "tiny", "init_from": None}) == {"tier": "tiny", "init_from": None}
    like = adopted({"model": "mlp", "init_from": str(run_dir), "dropout": 0.3})
    assert like == {
        "model": "lstm", "init_from": run_dir.resolve(), "dropout": 0.3, "embedding_size": 64, "hidden_size": 8
    }  # fmt: skip
    assert adopted({"init_from": run_dir, "hidden_size": 16})["hidden_size"] == 16
    assert TrainConfig.create(**like).init_from == run_dir.resolve()


@lstm
def test_latest_is_the_run_that_it_names_now(run_dir):
    assert adopted({"init_from": run_dir.parent / "latest"})["init_from"] == run_dir.resolve()


@lstm
def test_another_model_is_refused(run_dir):
    with pytest.raises(UsageError, match=f"^{re.escape(str(run_dir))} has the model lstm, and --model is cnn: leave"):
        adopted({"init_from": run_dir, "model": "cnn"})


def test_the_class_of_a_users_model_must_be_named(user_run):
    with pytest.raises(UsageError, match=r"has a model of your own, MyModel: name its class, too: --model FILE.py:MyM"):
        adopted({"init_from": user_run, "model": "mlp"})
    assert adopted({"init_from": user_run, "model": "elsewhere.py:MyModel"})["embedding_size"] == 8


def test_a_run_must_be_there_and_have_ended(tmp_path):
    with pytest.raises(UsageError, match=r"^no run "):
        adopted({"init_from": tmp_path / "none"})
    stopped = runs.create(tmp_path, corpus="news", tier="tiny", model="mlp")
    with pytest.raises(UsageError, match=r"has not ended; finish it: textclf train --resume"):
        adopted({"init_from": stopped.root})
    with pytest.raises(UsageError, match=r"^no finished run .*, whose weights training starts from \(--init-from\)$"):
        source_of(TrainConfig.create(init_from=stopped.root))


@mlp
def test_a_run_has_not_seen_the_documents_that_its_own_data_validates_and_tests(run_dir, tmp_path):
    layout = runs.RunLayout(run_dir)
    own = runs.data_of(layout).fingerprint
    assert unseen(layout, ("0123", own))
    assert not unseen(layout, ("0123",))
    follower = runs.RunLayout(tmp_path)
    record = {**read(layout.config), "init_from": {"unseen": False}}
    follower.config.write_text(json.dumps(record))
    assert not unseen(follower, (own,))  # it started from one that may have


@mlp
def test_a_source_that_is_gone_is_named_before_anything_is_read(run_dir, data_dir, tmp_path):
    config = small_config("mlp", data_dir, tmp_path / "runs", init_from=Path("gone"))
    with pytest.raises(UsageError, match=r"^no finished run gone, whose weights"):
        train(config)
    assert not (tmp_path / "runs").exists()
