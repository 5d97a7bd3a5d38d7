import csv
import itertools
import shutil

import numpy as np
import pytest
import torch

from tests.conftest import TEXTS, small_config
from textclf.config import TIERS, PreprocessConfig
from textclf.dataset import grow as growing
from textclf.dataset.build import preprocess
from textclf.dataset.data_report import read_report
from textclf.dataset.directory import DataDirectory
from textclf.dataset.documents import labels_of
from textclf.dataset.grow import grow
from textclf.dataset.near_copies import near_copies, signatures
from textclf.dataset.originals import texts_of
from textclf.errors import ArtefactError, DataError, UsageError

NEW = {"art": ["she paints a picture in oil", "the museum shows statues", "a concert with horn and drums"]}
FILLER = ["on", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def rows_of(labels, copies, *, word="w"):
    """Documents that are no near-copies of each other: each has several words of its own."""
    return [
        (f"{text} {' '.join(f'{word}{copy}x{n}' for n in range(len(text.split())))} {FILLER[copy % 7]}", label)
        for copy in copies
        for label, texts in labels.items()
        for text in texts
    ]


def write(path, rows, *, ids=None):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label") if ids is None else ("text", "label", "id"))
        writer.writerows(rows if ids is None else [(*row, each) for row, each in zip(rows, ids, strict=True)])
    return path


@pytest.fixture
def base(tmp_path):
    """A data directory of 96 documents, in a folder of its own."""

    def make(rows=None, **given):
        path = write(tmp_path / "base.csv", rows or rows_of(TEXTS, range(8)))
        given = {"source": str(path), "data_dir": tmp_path / "data", "num_workers": 1, **given}
        return preprocess(PreprocessConfig(**given))[0]

    return make


def add(root, *paths, **given):
    config = PreprocessConfig(add=tuple(map(str, paths)), name=root.name, data_dir=root.parent, num_workers=1, **given)
    return grow(config)[1]


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


def test_the_report_says_what_was_added(base, tmp_path):
    root = base()
    report = add(root, write(tmp_path / "more.csv", rows_of({**TEXTS, **NEW}, range(10, 12), word="v")))
    assert report == read_report(root / "report.json")
    assert report.notes[-1].endswith("more.csv: 24 to train, 3 to validation, 3 to test; new labels: art")
    assert report.splits["train"].documents == DataDirectory.open(root).manifest.splits["train"]
    assert report.name == root.name


def test_copies_and_near_copies_of_test_documents_do_not_enter_training(base, tmp_path):
    root = base()
    data = DataDirectory.open(root)
    test = data.rows("test")
    texts = texts_of(data, test.tolist())
    copies = [(texts[row].upper(), data.documents.label_of(row)) for row in test.tolist()]
    near = [(f"{texts[row]} extra", data.documents.label_of(row)) for row in test.tolist()]
    rows = [*copies, *near, *rows_of(TEXTS, range(30, 33), word="z")]
    add(root, write(tmp_path / "more.csv", rows))
    grown = DataDirectory.open(root)
    train, tested = grown.rows("train")[data.manifest.splits["train"] :], grown.rows("test")[: len(test)]
    found = [signatures(*grown.packed().gather(some)) for some in (tested, train)]
    assert (near_copies(np.concatenate(found))[len(tested) :] >= len(tested)).all()
    assert grown.manifest.additions[0]["copies"] >= 2 * len(test)
    assert grown.manifest.additions[0]["documents"]["test"] >= 2 * len(test)


def test_copies_of_documents_of_a_given_split_are_left_out(base, tmp_path):
    held = write(tmp_path / "held.csv", rows_of(TEXTS, range(40, 43), word="h"))
    root = base(test=(str(held),))
    words, order = " ".join(text for some in TEXTS.values() for text in some).split(), np.random.default_rng(0)
    rows = [(" ".join(order.choice(words, 12)), label) for label in [*TEXTS] * 10]
    add(root, write(tmp_path / "more.csv", [*rows, *rows_of(TEXTS, [40], word="h")]))
    grown = DataDirectory.open(root)
    assert grown.manifest.splits["test"] == 36
    (addition,) = grown.manifest.additions
    assert addition["left_out"] == 12
    assert grown.manifest.drawn == ["validation"]
    assert sum(addition["documents"].values()) == len(rows)


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


def test_given_splits_of_the_size_of_drawn_ones_get_no_documents(base, tmp_path):
    """A tenth of the documents, as a drawn split would have: what was drawn is recorded, not inferred."""
    held = write(tmp_path / "held.csv", rows_of(TEXTS, [50], word="h")[:11])
    root = base(test=(str(held),), validation=(str(write(tmp_path / "tuned.csv", rows_of(TEXTS, [60])[:11])),))
    assert DataDirectory.open(root).manifest.drawn == []
    add(root, write(tmp_path / "more.csv", rows_of(TEXTS, range(10, 14), word="v")))
    (addition,) = DataDirectory.open(root).manifest.additions
    assert addition["documents"] == {"train": 48 - addition["left_out"], "validation": 0, "test": 0}


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


def test_parts_that_stay_are_linked_and_others_are_written(base, tmp_path):
    path = write(tmp_path / "base.csv", rows_of(TEXTS, range(8)))
    config = PreprocessConfig(source=str(path), data_dir=tmp_path / "data", num_workers=1)
    root = preprocess(config, part_size=25)[0]
    parts = [file.stat().st_ino for file in sorted((root / "packed").iterdir())]
    assert len(parts) == 4
    add(root, write(tmp_path / "more.csv", rows_of(TEXTS, range(10, 12), word="v")))
    after = [file.stat().st_ino for file in sorted((root / "packed").iterdir())]
    assert after[:3] == parts[:3]  # of the 76 documents of train, 75 are in these
    assert after[3] != parts[3]
    assert len(after) == 5


def test_what_is_stopped_leaves_the_old_directory_whole(base, tmp_path, monkeypatch):
    root = base()
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    more = write(tmp_path / "more.csv", rows_of(NEW, range(4)))

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(growing, "write_manifest", stop)
        with pytest.raises(KeyboardInterrupt):
            add(root, more)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_damaged_directory_is_not_grown(base, tmp_path):
    root = base()
    next(root.glob("tensors/*/*.pt")).unlink()
    with pytest.raises(ArtefactError, match=r"\.pt is missing; rebuild it"):
        add(root, write(tmp_path / "more.csv", rows_of(NEW, range(3))))
    assert (root / "manifest.json").exists()


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
