import json
import pickle
import zlib

import numpy as np
import pytest

from textclf.dataset import packed, tensors
from textclf.dataset.packed import PackedLayout
from textclf.dataset.tensors import TensorFiles

RUNS = [np.random.default_rng(length).integers(0, 100_000, length, dtype=np.int32) for length in (3, 1, 7, 1, 200, 2)]


def write(folder, runs=RUNS, fingerprint="a"):
    layout = PackedLayout(folder)
    packed.write_tokens(layout, iter(runs))
    packed.finish(layout, np.array([len(run) for run in runs], dtype=np.int32), fingerprint=fingerprint)
    return layout


@pytest.fixture
def layout(tmp_path):
    return write(tmp_path / "packed")


LENGTHS = np.array([len(run) for run in RUNS], dtype=np.int32)

ORDERS = pytest.mark.parametrize("order", [[0], [0, 1, 2, 3, 4, 5], [5, 3, 4], [2, 2, 0, 2], [1, 3, 1, 3], [4] * 9])


@ORDERS
def test_documents_are_gathered_in_the_order_that_is_asked_for(layout, order):
    ids, lengths = packed.open_packed(layout).gather(np.array(order))
    assert ids.tolist() == [token for place in order for token in RUNS[place].tolist()]
    assert lengths.tolist() == [len(RUNS[place]) for place in order]


@ORDERS
def test_both_stores_give_the_same(layout, tmp_path, order):
    paths = [tmp_path / f"{place}.pt" for place in range(len(RUNS))]
    crc32 = np.array([tensors.write_tensor(path, run) for path, run in zip(paths, RUNS, strict=True)])
    files = TensorFiles(np.array([str(path) for path in paths]), crc32).gather(np.array(order))
    for ours, theirs in zip(packed.open_packed(layout).gather(np.array(order)), files, strict=True):
        assert ours.tolist() == theirs.tolist()
        assert ours.dtype == theirs.dtype


def test_gathering_no_documents_gives_no_tokens(layout):
    ids, lengths = packed.open_packed(layout).gather(np.array([], dtype=np.int64))
    assert (len(ids), len(lengths)) == (0, 0)


def test_the_files_are_what_the_layout_says(layout):
    assert sorted(path.name for path in layout.root.iterdir()) == ["offsets.npy", "packed.json", "tokens.bin"]
    assert layout.tokens.read_bytes() == np.concatenate(RUNS).astype("<i4").tobytes()
    assert np.load(layout.offsets).tolist() == [0, 3, 4, 11, 12, 212, 214]
    crc32 = zlib.crc32(layout.tokens.read_bytes())
    assert json.loads(layout.stamp.read_text()) == {"fingerprint": "a", "crc32": crc32}


def test_tokens_stay_on_the_disk_and_cannot_be_changed(layout):
    tokens = packed.open_packed(layout).tokens
    assert isinstance(tokens, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        tokens[0] = 1
    gathered, _ = packed.open_packed(layout).gather(np.array([0]))
    gathered[0] += 1  # a batch is the caller's own
    assert packed.open_packed(layout).tokens[0] == RUNS[0][0]


def test_a_worker_process_is_not_sent_the_tokens(tmp_path):
    layout = write(tmp_path / "packed", [np.arange(100_000, dtype=np.int32)] * 2)
    sent = pickle.dumps(packed.open_packed(layout))
    assert len(sent) < 10_000
    ids, _ = pickle.loads(sent).gather(np.array([1]))
    assert np.array_equal(ids, np.arange(100_000))


def test_offsets_need_more_than_32_bits(tmp_path):
    layout = PackedLayout(tmp_path)
    layout.tokens.touch()
    packed.finish(layout, np.full(3, 2**30, dtype=np.int32), fingerprint="a")
    assert np.load(layout.offsets).tolist() == [0, 2**30, 2**31, 3 * 2**30]


def test_a_packed_copy_is_current_for_its_own_documents_alone(layout):
    assert packed.is_current(layout, LENGTHS, fingerprint="a")
    assert not packed.is_current(layout, LENGTHS, fingerprint="b")
    assert not packed.is_current(PackedLayout(layout.root / "no such folder"), LENGTHS, fingerprint="a")


@pytest.mark.parametrize("name", ["tokens", "offsets", "stamp"])
@pytest.mark.parametrize("damage", ["missing", "empty", "eight bytes short", "three bytes short"])
def test_a_packed_copy_that_is_not_whole_is_not_current(layout, name, damage):
    path = getattr(layout, name)
    content = path.read_bytes().rstrip(b"\n")
    path.write_bytes({"eight bytes short": content[:-8], "three bytes short": content[:-3]}.get(damage, b""))
    if damage == "missing":
        path.unlink()
    assert not packed.is_current(layout, LENGTHS, fingerprint="a")


@pytest.mark.parametrize("content", [b"null", b"[]", b'"a"', b"{}", b"\xff", b"[" * 200_000, b'{"fingerprint": null}'])
def test_a_packed_copy_with_another_stamp_is_not_current(layout, content):
    layout.stamp.write_bytes(content)
    assert not packed.is_current(layout, LENGTHS, fingerprint="a")


def test_an_unfinished_packed_copy_is_not_current(layout):
    packed.write_tokens(layout, RUNS[::-1])
    assert not packed.is_current(layout, LENGTHS, fingerprint="a")


def test_a_copy_that_fails_half_way_leaves_the_old_tokens_but_is_not_current(layout):
    before = layout.tokens.read_bytes()

    def one_run_and_no_more():
        yield RUNS[0]
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        packed.write_tokens(layout, one_run_and_no_more())
    assert not packed.is_current(layout, LENGTHS, fingerprint="a")
    assert layout.tokens.read_bytes() == before
    assert not list(layout.root.glob("*.tmp")) + list(layout.root.glob(".*.tmp"))


def test_equal_documents_give_equal_bytes(layout, tmp_path):
    again = write(tmp_path / "again")
    for name in ("tokens", "offsets", "stamp"):
        assert getattr(layout, name).read_bytes() == getattr(again, name).read_bytes()


def test_an_open_packed_copy_stays_readable_while_it_is_rebuilt(layout):
    old = packed.open_packed(layout)
    write(layout.root, RUNS[::-1])
    assert old.gather(np.array([0]))[0].tolist() == RUNS[0].tolist()
    assert packed.open_packed(layout).gather(np.array([0]))[0].tolist() == RUNS[-1].tolist()


def test_long_documents_are_gathered_like_short_ones(tmp_path):
    layout = packed.PackedLayout(tmp_path / "packed")
    lengths = np.array([3, 2 * packed.LONG, 5, packed.LONG], dtype=np.int32)
    packed.write_tokens(layout, [np.arange(lengths.sum(), dtype=np.int32)])
    copy = packed.open_packed(layout, lengths=lengths)
    for rows in ([1], [3, 1], [0, 2], [0, 1, 2, 3], [1, 1]):
        tokens, found = copy.gather(np.array(rows))
        ends = np.cumsum(lengths)
        assert found.tolist() == lengths[rows].tolist()
        assert tokens.tolist() == [token for row in rows for token in range(ends[row] - lengths[row], ends[row])]
