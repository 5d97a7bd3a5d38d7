import importlib
import logging
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import datasets
import huggingface_hub
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from huggingface_hub import errors

from textclf.errors import DataError, ResourceError, UsageError
from textclf.sources import Columns, Document
from textclf.sources.hub import from_dataset_dict, read_hub

ANY = Columns()
COMMIT = "c0ffee" + "0" * 34
SENTIMENT = ClassLabel(names=["negative", "positive"])
# the library that huggingface_hub sends its requests with
http = importlib.import_module(errors.HTTPError.__module__.partition(".")[0])


def split(texts, labels, feature=None, **columns):
    data = Dataset.from_dict({"text": texts, "label": labels, **columns})
    return data if feature is None else data.cast_column("label", feature)


def convert(data, columns=ANY, **options):
    found, notes = from_dataset_dict(DatasetDict(data), columns=columns, where="own/data", **options)
    return listed(found), notes


def listed(splits):
    return {split: list(documents) for split, documents in splits.items()}


def failure(error, data, columns=ANY, **options):
    with pytest.raises(error) as caught:
        convert(data, columns, **options)
    return str(caught.value)


def test_nested_features_are_named_by_dotted_paths_and_keep_the_names_of_labels():
    data = Dataset.from_dict({"data": [{"body": "one"}, {"body": "two"}], "labels": [[1, 0], [0]], "n": [1, 2]})
    features = data.features.copy()
    features["labels"] = List(SENTIMENT)
    found, _ = convert({"train": data.cast(features)}, Columns(("data.body",), "labels.0", "n"))
    assert found["train"] == [Document("1", "one", SENTIMENT.names[1]), Document("2", "two", SENTIMENT.names[0])]


@pytest.fixture
def hub(monkeypatch):
    """A Hub that is online and has any dataset, as far as asking for its commit goes."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    info = SimpleNamespace(sha=COMMIT)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: info)
    return monkeypatch


# Conversion


def test_class_labels_keep_their_names_and_rows_their_numbers():
    found, notes = convert({"train": split(["a", "b"], [1, 0], SENTIMENT), "test": split(["c"], [1], SENTIMENT)})
    assert found == {
        "train": [Document("1", "a", "positive"), Document("2", "b", "negative")],
        "test": [Document("1", "c", "positive")],
    }
    assert notes == ()


@pytest.mark.parametrize(
    ("labels", "spelled"),
    [
        (["001", " x "], ["001", " x "]),
        ([-1, 1], ["-1", "1"]),
        ([True, False], ["true", "false"]),
        ([0.5, 1.0], ["0.5", "1.0"]),
    ],
)
def test_other_labels_become_strings(labels, spelled):
    found, _ = convert({"train": split(["a", "b"], labels)})
    assert [document.label for document in found["train"]] == spelled


def test_columns_are_joined_in_order_and_ids_kept():
    data = {"train": split(["B"], ["x"], title=["T"], key=[7])}
    found, _ = convert(data, Columns(text=("title", "text"), id="key"))
    assert found["train"] == [Document("7", "T\nB", "x")]


def test_many_rows_stay_in_order():
    found, _ = convert({"train": split([f"text {i}" for i in range(2500)], list(range(2500)))})
    assert found["train"] == [Document(str(i + 1), f"text {i}", str(i)) for i in range(2500)]


@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev"])
def test_splits_go_by_several_names(name):
    found, _ = convert({name: split(["b"], ["x"]), "train": split(["a"], ["x"])})
    assert found == {"train": [Document("1", "a", "x")], "validation": [Document("1", "b", "x")]}


def test_other_splits_are_left_out_with_a_note():
    found, notes = convert({"train": split(["a"], ["x"]), "unsupervised": split(["b"], ["x"])})
    assert list(found) == ["train"]
    assert notes == ("the split 'unsupervised' is not used",)


@pytest.mark.parametrize("hidden", [split(["b"] * 2, [-1] * 2, SENTIMENT), split(["b"] * 2, [-1] * 2), split([], [])])
def test_a_split_without_labels_is_left_out_with_a_note(hidden):
    found, notes = convert({"train": split(["a"], ["x"]), "test": hidden})
    assert list(found) == ["train"]
    assert notes == ("the split 'test' is left out: it has no labels",)


def test_splits_can_be_chosen_as_sst2_needs():
    data = {name: split([name], ["x"]) for name in ("train", "validation", "test")}
    found, notes = convert(data, splits={"train": "train", "test": "validation"})
    assert found == {"train": [Document("1", "train", "x")], "test": [Document("1", "validation", "x")]}
    assert notes == ("the split 'test' is not used",)


@pytest.mark.parametrize(
    ("labels", "feature"),
    [
        ([[1, 0], [], [0]], List(SENTIMENT)),
        ([["positive", "negative"], [], ["negative"]], None),
        ([["positive", "negative", "positive"], [], ["negative"]], List(Value("string"))),
    ],
    ids=["named", "strings", "one twice"],
)
def test_lists_of_labels_keep_their_names_and_may_be_empty(labels, feature):
    found, _ = convert({"train": split(["a", "b", "c"], labels, feature)})
    assert found["train"] == [
        Document("1", "a", "negative", ("positive",)),
        Document("2", "b", None),
        Document("3", "c", "negative"),
    ]


def test_columns_of_flags_are_labels_and_unlabelled_splits_have_them_too():
    columns = {"anger": [1, 0, 0], "joy": [True, False, True]}
    found, _ = convert({"train": Dataset.from_dict({"text": ["a", "b", "c"], **columns})})
    assert [document.labels for document in found["train"]] == [("anger", "joy"), (), ("joy",)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"test": split(["a"], ["x"]), "dev": split(["a"], ["x"])}, "own/data has no train split; it has test, dev"),
        ({"train": split(["a"], [-1], SENTIMENT)}, "own/data: the split 'train' has no labels"),
        ({"train": split(["a", "b"], [0, -1], SENTIMENT)}, "own/data/train:2: no value in the column 'label'"),
        ({"train": split(["a", None], ["x", "y"])}, "own/data/train:2: no value in the column 'text'"),
        ({"train": split(["a", "b"], [["x"], ["y", None]])}, "own/data/train:2: no value in the column 'label'"),
        (
            {"train": split(["a"], [[["x"]]])},
            "own/data/train:1: the column 'label' holds a list, not one value; in it is label.0",
        ),
        (
            {"train": split(["a", "b"], [[0], [-1]], List(SENTIMENT))},
            "own/data/train:2: no value in the column 'label'",
        ),
    ],
)
def test_data_that_cannot_be_used_is_refused(data, message):
    assert failure(DataError, data) == message


def test_a_label_without_a_name_is_refused_with_its_row():
    rows = split(["a", "b"], [0, 7])
    named = Dataset(
        rows.data, info=datasets.DatasetInfo(features=Features({"text": Value("string"), "label": SENTIMENT}))
    )
    message = "own/data/train:2: the label 7 has no name; the dataset names 2"
    assert failure(DataError, {"train": named}) == message


def test_a_text_that_is_not_utf8_is_refused():
    text = pa.array([b"\xff"]).view(pa.binary()).cast(pa.string(), safe=False)
    rows = Dataset(pa.table({"text": text, "label": pa.array(["x"])}))
    assert failure(DataError, {"train": rows}).startswith(
        "own/data/train:1: cannot be read ('utf-8' codec can't decode"
    )


def test_a_chosen_split_must_exist():
    data = {"train": split(["a"], ["x"])}
    message = "own/data has no dev split; it has train"
    assert failure(DataError, data, splits={"train": "train", "test": "dev"}) == message


def test_an_id_that_comes_twice_names_both_rows():
    message = failure(DataError, {"train": split(["a", "b"], ["x", "y"], key=["k", "k"])}, Columns(id="key"))
    assert message == "own/data/train:2: the id 'k' is taken by own/data/train:1; ids must differ"


def test_unclear_columns_are_listed():
    message = failure(UsageError, {"train": split(["a"], ["x"]).rename_column("text", "utterance")})
    expected = "which column is the text? add --text-column NAME; own/data/train has the columns utterance, label"
    assert message == expected


# Loading


def test_reads_a_dataset_at_a_commit(hub, tmp_path):
    features = Features({"sentence": Value("string"), "label": SENTIMENT})
    for name in ("train", "validation"):
        rows = Dataset.from_dict({"sentence": [f"{name} NA", "null"], "label": [0, 1]}, features=features)
        rows.to_parquet(tmp_path / f"{name}.parquet")
    paths = {name: str(tmp_path / f"{name}.parquet") for name in ("train", "validation")}
    load_dataset = partial(datasets.load_dataset, "parquet", data_files=paths, cache_dir=str(tmp_path / "cache"))
    asked = []
    hub.setattr(datasets, "load_dataset", lambda *args, **kwargs: asked.append((args, kwargs)) or load_dataset())
    corpus = read_hub("own/data", columns=ANY, revision="v1")
    assert asked == [(("own/data",), {"name": None, "revision": COMMIT})]
    assert (corpus.name, corpus.source, corpus.revision) == ("own-data", "own/data", COMMIT)
    assert listed(corpus.splits) == {
        "train": [Document("1", "train NA", "negative"), Document("2", "null", "positive")],
        "validation": [Document("1", "validation NA", "negative"), Document("2", "null", "positive")],
    }


def test_a_folder_of_the_same_name_is_not_read_in_place_of_the_hub(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("owner/name").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"^owner/name would be read from the folder of that name here"):
        read_hub("owner/name", columns=ANY)


def test_offline_reads_the_cache_and_records_what_was_asked_for(hub):
    hub.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    hub.setattr(huggingface_hub.HfApi, "dataset_info", None)
    hub.setattr(datasets, "load_dataset", lambda *_, **__: DatasetDict(train=split(["a"], ["x"])))
    assert read_hub("own/data", columns=ANY).revision == "main"
    assert read_hub("own/data", columns=ANY, revision="v1").revision == "v1"


def test_the_libraries_are_quiet_while_they_load(hub):
    loggers = [logging.getLogger(name) for name in ("huggingface_hub.utils._http", "datasets.load")]

    def load_dataset(*args, **kwargs):
        assert not any(logger.isEnabledFor(logging.ERROR) for logger in loggers)
        return DatasetDict(train=split(["a"], ["x"]))

    hub.setattr(datasets, "load_dataset", load_dataset)
    read_hub("own/data", columns=ANY)
    assert all(logger.isEnabledFor(logging.WARNING) for logger in loggers)


def response(status):
    return http.Response(status, request=http.Request("GET", "https://huggingface.co/api/datasets/own/data"))


UNREACHABLE = (
    "cannot reach the Hugging Face Hub for 'own/data' ({}); bbc_news needs no network: textclf preprocess bbc_news"
)
RETRY = "; HF_HUB_OFFLINE=1 reads an old download"
NO_DATASET = "no dataset 'own/data' on the Hugging Face Hub; if it is private or gated, log in: hf auth login"


@pytest.mark.parametrize(
    ("raised", "error", "message"),
    [
        (http.ConnectError("[Errno -2] No name"), DataError, UNREACHABLE.format("[Errno -2] No name" + RETRY)),
        (http.ReadTimeout("timed out"), DataError, UNREACHABLE.format("timed out" + RETRY)),
        (
            errors.HfHubHTTPError("503 Server Error\n\nmore", response=response(503)),
            DataError,
            UNREACHABLE.format("503 Server Error" + RETRY),
        ),
        (errors.RepositoryNotFoundError("404", response=response(404)), UsageError, NO_DATASET),
        (errors.GatedRepoError("403", response=response(403)), UsageError, NO_DATASET),
        (errors.HFValidationError("Repo id must use"), UsageError, NO_DATASET),
        (
            errors.RevisionNotFoundError("404", response=response(404)),
            UsageError,
            "the dataset 'own/data' on the Hugging Face Hub has no revision 'v1'",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_the_first_request_reports_at_once(hub, raised, error, message):
    def refuse(*args, **kwargs):
        raise raised

    hub.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    hub.setattr(datasets, "load_dataset", None)  # it would retry for half a minute
    with pytest.raises(error) as caught:
        read_hub("own/data", columns=ANY, revision="v1")
    assert str(caught.value) == message
    assert caught.value.__cause__ is raised


def chained(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("raised", "error", "message"),
    [
        (datasets.exceptions.DatasetNotFoundError("Dataset 'own/data' doesn't exist"), UsageError, NO_DATASET),
        (ConnectionError("Couldn't reach it"), DataError, UNREACHABLE.format("Couldn't reach it" + RETRY)),
        (
            RuntimeError("Dataset scripts are no longer supported, but found data.py"),
            DataError,
            "the dataset 'own/data' is a loading script, which is not run; the Hub may have a Parquet copy: "
            "add --revision refs/convert/parquet",
        ),
        (
            chained(datasets.exceptions.DatasetGenerationError("An error occurred"), TypeError("bad cast\nmore")),
            DataError,
            "cannot read the dataset 'own/data' (bad cast)",
        ),
        (FileNotFoundError("No data files"), DataError, "cannot read the dataset 'own/data' (No data files)"),
        (
            ImportError("To read it, install zstandard"),
            DataError,
            "cannot read the dataset 'own/data' (To read it, install zstandard)",
        ),
        (
            PermissionError(13, "Permission denied", "/srv/cache"),
            UsageError,
            "no permission to read or write /srv/cache; change its permissions, or name another path",
        ),
        (
            OSError(28, "No space left on device"),
            ResourceError,
            "no space left to write the cache of own/data; free some and run the command again",
        ),
        (KeyError("splits"), DataError, "cannot read the dataset 'own/data' ('splits')"),
        (TypeError("bad feature"), DataError, "cannot read the dataset 'own/data' (bad feature)"),
        (ValueError("Invalid pattern"), DataError, "cannot read the dataset 'own/data' (Invalid pattern)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_load_dataset_raises_becomes_one_line(hub, raised, error, message):
    def refuse(*args, **kwargs):
        raise raised

    hub.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(error) as caught:
        read_hub("own/data", columns=ANY)
    assert str(caught.value) == message
    assert caught.value.__cause__ is raised


def test_offline_without_a_copy_says_so(hub):
    def refuse(*args, **kwargs):
        raise ConnectionError("Couldn't reach 'own/data' on the Hub (OfflineModeIsEnabled)")

    hub.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    hub.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(DataError) as caught:
        read_hub("own/data", columns=ANY)
    assert str(caught.value) == UNREACHABLE.format("HF_HUB_OFFLINE is set, and it was not downloaded before")


@pytest.mark.parametrize("config", [None, "c"])
def test_configurations_are_listed_from_what_datasets_really_raises(hub, tmp_path, config):
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n"
        "- config_name: a\n  data_files: a.csv\n"
        "- config_name: b\n  data_files: b.csv\n---\n"
    )  # fmt: skip
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("text,label\nx,y\n")
    load_dataset = partial(datasets.load_dataset, str(tmp_path), cache_dir=str(tmp_path / "cache"))
    hub.setattr(datasets, "load_dataset", lambda _, name, revision: load_dataset(name=name))
    with pytest.raises(UsageError) as caught:
        read_hub("own/data", columns=ANY, config=config)
    assert str(caught.value) == "choose a configuration of the dataset 'own/data' with --subset: a, b"
