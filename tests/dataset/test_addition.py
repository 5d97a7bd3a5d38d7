import numpy as np

from tests.conftest import TEXTS
from tests.dataset.growing import add, rows_of, write
from textclf.dataset.directory import DataDirectory
from textclf.dataset.near_copies import near_copies, signatures
from textclf.dataset.originals import texts_of


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


def test_given_splits_of_the_size_of_drawn_ones_get_no_documents(base, tmp_path):
    """A tenth of the documents, as a drawn split would have: what was drawn is recorded, not inferred."""
    held = write(tmp_path / "held.csv", rows_of(TEXTS, [50], word="h")[:11])
    root = base(test=(str(held),), validation=(str(write(tmp_path / "tuned.csv", rows_of(TEXTS, [60])[:11])),))
    assert DataDirectory.open(root).manifest.drawn == []
    add(root, write(tmp_path / "more.csv", rows_of(TEXTS, range(10, 14), word="v")))
    (addition,) = DataDirectory.open(root).manifest.additions
    assert addition["documents"] == {"train": 48 - addition["left_out"], "validation": 0, "test": 0}
