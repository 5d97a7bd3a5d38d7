import itertools
import shutil

import numpy as np
import pytest
import torch

from tests.conftest import TEXTS, small_config
from tests.dataset.growing import NEW, add, rows_of, write
from textclf.config import TIERS, PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.dataset.documents import labels_of
from textclf.dataset.originals import texts_of
from textclf.errors import DataError, UsageError


def known(data):
    """All that must never change of each document, by its id."""
    table, rows = data.documents, range(len(data.documents))
    tokens, lengths = data.packed().gather(np.arange(len(table)))
    runs = np.split(tokens, np.cumsum(lengths)[:-1])
    return {
        name: (table.source[row], table.label_of(row), int(table.tier[row]), runs[row].tolist())
        for row, name in zip(rows, table.names.of(rows), strict=True)
    }


def assert_grown(before, after):
    ours, theirs = known(after), known(before)
    assert {name: ours[name] for name in theirs} == theirs
    assert after.manifest.labels[: len(before.manifest.labels)] == before.manifest.labels
    assert after.layout.tokenizer.read_bytes() == before.layout.tokenizer.read_bytes()
    assert set(after.manifest.fingerprints[1:]) == set(before.manifest.fingerprints)
    tiers = [set(after.rows(tier).tolist()) for tier in TIERS]
    assert all(small <= large for small, large in itertools.pairwise(tiers))
    names = {
        name for label in after.documents.counts(after.documents.names.slices()["train"]) for name in labels_of(label)
    }
    for tier in TIERS:
        here = {name for row in after.rows(tier) for name in labels_of(after.documents.label_of(int(row)))}
        assert here == names
    after.files().gather(np.arange(len(after.documents)))  # raises unless each tensor is what the table says
    assert {path.name for path in after.layout.root.iterdir()} == {path.name for path in before.layout.root.iterdir()}


def test_added_twice_what_was_there_stays_and_shares_are_those_of_all_at_once(base, tmp_path):
    root = base()
    older = tmp_path / "older"
    shutil.copytree(root, older / root.name)
    before = DataDirectory.open(older / root.name)
    first = rows_of({**TEXTS, **NEW}, range(10, 14), word="v")
    second = rows_of({**TEXTS, **NEW}, range(20, 24), word="u")
    add(root, write(tmp_path / "first.csv", first))
    middle = tmp_path / "middle"
    shutil.copytree(root, middle / root.name)
    add(root, write(tmp_path / "second.csv", second))
    after = DataDirectory.open(root)
    assert_grown(before, DataDirectory.open(middle / root.name))
    assert_grown(DataDirectory.open(middle / root.name), after)
    assert after.manifest.labels == ["animals", "food", "weather", "art"]
    at_once = base(rows_of(TEXTS, range(8)) + first + second, name="all")
    assert after.manifest.splits == DataDirectory.open(at_once).manifest.splits
    assert [each["documents"]["train"] for each in after.manifest.additions] == [48, 48]
    assert not list(root.parent.glob(".*"))


def test_the_same_documents_are_refused(base, tmp_path):
    root = base()
    more = write(tmp_path / "more.csv", rows_of(NEW, range(3)))
    add(root, more)
    before = (root / "manifest.json").read_bytes()
    again = write(tmp_path / "again.csv", rows_of(NEW, range(2)))
    for path in (more, tmp_path / "base.csv", again):
        with pytest.raises(UsageError, match=rf"has the documents of .*{path.name} already: nothing to add$"):
            add(root, path)
    assert (root / "manifest.json").read_bytes() == before


def test_a_directory_that_replaces_a_grown_one_says_what_it_lacks(base, tmp_path):
    root, told = base(), []
    more = write(tmp_path / "more texts.csv", rows_of(NEW, range(3)))
    add(root, more)
    config = PreprocessConfig(
        source=str(tmp_path / "base.csv"), data_dir=tmp_path / "data", num_workers=1, min_count=2, overwrite=True
    )
    preprocess(config, tell=told.append)
    assert told == [
        f"{root} has grown by 9 documents, which the new one lacks; add them again: "
        f"textclf preprocess --add '{more}' --name {root.name}"
    ]
    preprocess(config, tell=told.append)
    assert len(told) == 1


def test_settings_of_the_directory_are_refused(base, tmp_path):
    root = base()
    more = write(tmp_path / "more.csv", rows_of(NEW, range(3)))
    for given, name in (
        ({"max_vocab": 10}, "--max-vocab"),
        ({"source": ("x.csv",)}, "SOURCE"),
        ({"seed": 3}, "--seed"),
    ):
        with pytest.raises(UsageError, match=rf"^{name} was decided when the data directory was made: leave it out"):
            add(root, more, **given)
    with pytest.raises(UsageError, match="no data directory"):
        add(root.parent / "none", more)


def test_texts_and_labels_of_additions_are_found_again(base, tmp_path):
    root = base()
    rows = rows_of({**TEXTS, **NEW}, range(10, 12), word="v")
    add(root, write(tmp_path / "more.csv", rows))
    data = DataDirectory.open(root)
    texts = texts_of(data, range(len(data.documents)))
    assert sorted(texts.values()) == sorted(text for text, _ in rows_of(TEXTS, range(8)) + rows)
    (tmp_path / "more.csv").write_text("text,label\nanother,art\n")
    with pytest.raises(DataError, match="it has changed"):
        texts_of(data, range(len(data.documents)))


def test_corrections_are_of_the_new_documents(base, tmp_path):
    root = base()
    rows = rows_of(NEW, range(4))
    more = write(tmp_path / "more.csv", rows, ids=[f"n{place}" for place in range(len(rows))])
    corrections = tmp_path / "list.csv"
    corrections.write_text("id,label,drop\nn0,,x\n")
    add(root, more, id_column="id", corrections=(str(corrections),))
    (addition,) = DataDirectory.open(root).manifest.additions
    assert addition["corrections"][0]["dropped"] == 1
    assert sum(addition["documents"].values()) == len(rows) - 1


def test_documents_of_several_labels_are_added(several_data, several_jsonl, tmp_path):
    root = tmp_path / several_data.name
    shutil.copytree(several_data, root)
    more = tmp_path / "more.jsonl"
    more.write_text(
        "".join(
            f'{{"text": "quite another text {n} {n + 1} about oil", "labels": ["art", "food"]}}\n' for n in range(20)
        )
    )
    add(root, more)
    before, after = DataDirectory.open(several_data), DataDirectory.open(root)
    assert_grown(before, after)
    assert after.manifest.labels[-1] == "art"


def test_a_model_from_before_is_evaluated_and_a_new_one_trained(base, tmp_path):
    from textclf.artefacts import runs
    from textclf.evaluation.evaluate import evaluate
    from textclf.training import resume, train

    root = base()
    old = train(small_config("mlp", root, tmp_path / "runs", epochs=1))
    own = evaluate(old.root, split="test")
    add(root, write(tmp_path / "more.csv", rows_of({**TEXTS, **NEW}, range(10, 18), word="v")))
    found = evaluate(old.root, split="test")
    assert found.metrics.documents > own.metrics.documents
    assert found.unseen == {"art": DataDirectory.open(root).counts("test")["art"]}
    new = train(small_config("mlp", root, tmp_path / "runs", epochs=1, init_from=old.root))
    record = runs.read_json(new.config)["init_from"]
    assert record["unseen"] is True  # test documents are those of before, or new
    assert record["kept"]["labels"] == [3, 4]
    assert torch.isfinite(torch.tensor(evaluate(new.root, split="test").metrics.loss))
    assert resume(new) == new
