import os
import shutil
from dataclasses import replace
from itertools import chain, pairwise

import numpy as np
import pytest

from tests.dataset import tables
from textclf.config import TIERS
from textclf.dataset import tensors
from textclf.dataset.directory import UNSEEN, DataDirectory, Part, together
from textclf.dataset.documents import NO_TIER
from textclf.errors import ArtefactError, DataError


@pytest.fixture
def data(data_dir, tmp_path):
    """A copy of the data directory, without its empty folders, that a test may change."""
    for path in (path for path in data_dir.rglob("*") if path.is_file()):
        copy = tmp_path / "data" / path.relative_to(data_dir)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return DataDirectory.open(tmp_path / "data")


def packed_bytes(data):
    return {path.name: path.read_bytes() for path in data.layout.packed.root.iterdir()}


def tokens_of(store, count):
    return store.gather(np.arange(count))[0].tolist()


def test_parts_are_splits_and_nested_tiers(data):
    everything = [data.rows(split).tolist() for split in ("train", "validation", "test")]
    assert list(chain(*everything)) == list(range(len(data.documents)))
    assert {split: len(data.rows(split)) for split in data.manifest.splits} == data.manifest.splits
    tiers = [set(data.rows(tier).tolist()) for tier in ("tiny", "small", "mid", "full")]
    assert all(smaller <= larger for smaller, larger in pairwise(tiers))
    assert tiers[-1] == set(everything[0])


def test_a_tier_has_the_documents_of_the_smaller_ones(data):
    tiers = np.full(len(data.documents), NO_TIER, dtype=np.int8)
    tiers[:5] = [list(TIERS).index(tier) for tier in ("tiny", "mid", "small", "full", "small")]
    data = replace(data, documents=replace(data.documents, tier=tiers))
    rows = {tier: data.rows(tier).tolist() for tier in ("tiny", "small", "mid", "full")}
    assert rows == {"tiny": [0], "small": [0, 2, 4], "mid": [0, 1, 2, 4], "full": [0, 1, 2, 3, 4]}


def test_a_class_is_the_index_of_its_label(data):
    labels = [data.manifest.labels[index] for index in data.classes()]
    assert labels == tables.labels(data.documents)
    assert data.manifest.labels == sorted(set(labels))


def test_each_label_that_train_does_not_have_is_a_negative_class_of_its_own(data):
    documents = tables.relabelled(data.documents, {57: "one label", 58: "another", 59: "one label"})
    data = replace(data, documents=documents)
    assert data.classes()[-3:].tolist() == [UNSEEN - 1, UNSEEN, UNSEEN - 1] == [-2, -1, -2]
    assert (data.classes()[:-3] >= 0).all()


def test_both_stores_hold_the_same_tokens(data):
    count = len(data.documents)
    files, copy = data.files(), data.packed()
    assert tokens_of(files, count) == tokens_of(copy, count)
    assert files.gather(np.arange(count))[1].tolist() == data.documents.tokens.tolist()


@pytest.mark.parametrize("damage", ["missing", "of other documents", "truncated", "a folder"])
def test_the_packed_copy_is_rebuilt_from_the_files_byte_for_byte(data, damage):
    before = packed_bytes(data)
    layout = data.layout.packed
    match damage:
        case "missing":
            shutil.rmtree(layout.root)
        case "of other documents":
            layout.part(0).write_bytes(bytes(layout.part(0).stat().st_size))
        case "truncated":
            layout.part(0).write_bytes(layout.part(0).read_bytes()[:-8])
        case "a folder":
            layout.part(0).unlink()
            layout.part(0).mkdir()
    data.packed()
    assert packed_bytes(data) == before


def test_a_packed_copy_that_is_current_is_left_alone(data):
    paths = list(data.layout.packed.root.iterdir())
    for path in paths:
        os.utime(path, (0, 0))
    data.packed()
    assert {path.stat().st_mtime for path in paths} == {0}


def changed(path):
    tensors.write_tensor(path, tensors.read_tensor(path)[::-1] + 1)


def longer(path):
    tensors.write_tensor(path, np.append(tensors.read_tensor(path), 2).astype(np.int32))


def flipped(path):
    content = bytearray(path.read_bytes())
    content[content.index(tensors.read_tensor(path).tobytes())] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [changed, longer, flipped, lambda path: path.unlink()])
@pytest.mark.parametrize("place", [0, -1])
def test_a_changed_tensor_is_named(data, place, damage):
    path = data.layout.tensor(data.documents.id_of(range(60)[place]))
    damage(path)
    data.layout.packed.part(0).unlink()
    with pytest.raises(ArtefactError) as caught:
        data.packed()
    assert str(caught.value).startswith(f"{path} is ")
    assert str(caught.value).endswith("rebuild it: textclf preprocess SOURCE --overwrite")
    assert list(data.layout.packed.root.iterdir()) == []


def test_what_the_manifest_refuses_is_not_opened(data):
    data.layout.table(0).write_bytes(b"")
    with pytest.raises(ArtefactError, match=r"part-00000\.parquet is damaged"):
        DataDirectory.open(data.layout.root)
    data.layout.manifest.unlink()
    with pytest.raises(DataError, match="unfinished"):
        DataDirectory.open(data.layout.root)


def test_parts_have_the_rows_labels_and_lengths_of_their_documents(data):
    for tier in ("tiny", "full"):
        parts = data.parts(tier)
        assert list(parts) == ["train", "validation", "test"]
        for split, part in parts.items():
            rows = data.rows(tier if split == "train" else split)
            assert part.rows.tolist() == rows.tolist()
            assert len(part) == len(rows)
            assert [data.manifest.labels[label] for label in part.labels] == tables.labels(data.documents, rows)
            assert part.lengths.tolist() == data.documents.tokens[rows].tolist()


def test_two_parts_together_are_the_documents_of_both(data):
    parts = data.parts("full")
    both = together(parts["train"], parts["validation"])
    for name in Part._fields:
        joined = [*getattr(parts["train"], name), *getattr(parts["validation"], name)]
        assert getattr(both, name).tolist() == joined


def test_together_leaves_out_labels_that_train_does_not_have(data):
    alone = dict.fromkeys(data.rows("validation")[[1, 4]].tolist(), "a label of its own")
    parts = replace(data, documents=tables.relabelled(data.documents, alone)).parts("tiny")
    both = together(parts["train"], parts["validation"])
    assert len(both) == len(both.labels) == len(both.lengths) == len(parts["train"]) + 4
    assert (both.labels >= 0).all()
    assert both.rows[-4:].tolist() == data.rows("validation")[[0, 2, 3, 5]].tolist()
    assert len(parts["validation"]) == 6  # as before


def test_the_size_of_a_part_is_what_settings_follow_from():
    part = Part(np.arange(100), np.zeros(100, dtype=np.int64), np.arange(1, 101))
    assert part.size() == (100, 5050, 95)


def test_shots_are_documents_of_the_training_tier(data):
    parts, whole = data.parts("full", shots=3, seed=1), data.parts("full")
    both = np.concatenate([parts["train"].rows, parts["validation"].rows])
    assert set(both.tolist()) < set(whole["train"].rows.tolist())
    assert np.bincount(np.concatenate([parts["train"].labels, parts["validation"].labels])).tolist() == [3, 3, 3]
    assert np.array_equal(parts["test"].rows, whole["test"].rows)
    counts = data.training_counts({"tier": "full", "shots": 3, "seed": 1})
    assert list(counts.values()) == np.bincount(parts["train"].labels).tolist()
    assert data.training_counts({"tier": "full", "seed": 1}) == data.counts("full")
