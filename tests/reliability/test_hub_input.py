"""Datasets of the Hugging Face Hub: the commit is recorded, and no code of a dataset is run."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.reliability.tables import LABELS, TEXTS, preprocess, refuses
from textclf.dataset import manifest


def test_the_manifest_records_the_commit_and_no_code_is_requested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import datasets
    import huggingface_hub

    commit, asked = "c0ffee" + "0" * 34, []

    def load_dataset(*args: object, **options: object) -> datasets.DatasetDict:
        asked.append((args, options))
        return datasets.DatasetDict(train=datasets.Dataset.from_dict({"text": TEXTS, "label": LABELS}))

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: SimpleNamespace(sha=commit))
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    done = preprocess("own/data")
    assert done.exit_code == 0, (done.output, done.exception)
    assert asked == [(("own/data",), {"name": None, "revision": commit})]
    assert manifest.read_manifest(Path("data/made")).revision == commit


def test_a_dataset_that_is_a_script_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    import huggingface_hub

    def load_dataset(*_: object, **__: object) -> None:
        raise RuntimeError("Dataset scripts are no longer supported, but found data.py")

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: SimpleNamespace(sha="c0ffee"))
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    refuses(preprocess("own/data"), 3, "'own/data' is a loading script, which is not run", "--revision refs/convert")
