import mmap
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

from textclf.dataset import packed, tensors
from textclf.dataset.packed import PackedLayout, PackedTokens
from textclf.dataset.parts import Parts
from textclf.dataset.tensors import TensorFiles

RUNS = [np.random.default_rng(length).integers(0, 100_000, length, dtype=np.int32) for length in (3, 1, 7, 1, 200, 2)]
LENGTHS = np.array([len(run) for run in RUNS], dtype=np.int32)

ORDERS = pytest.mark.parametrize("order", [[0], [0, 1, 2, 3, 4, 5], [5, 3, 4], [2, 2, 0, 2], [1, 3, 1, 3], [4] * 9])
SIZES = pytest.mark.parametrize("size", [1, 2, 4, 6, 100])


def write(folder, runs=RUNS, size=100):
    """The packed copy of some documents, open, and the CRC-32 of each of its parts."""
    layout, parts = PackedLayout(folder), Parts(len(runs), size)
    packed.prepare(layout)
    found = [packed.write_part(layout, number, iter(runs[rows])) for number, rows in enumerate(parts)]
    return PackedTokens(layout, np.array([len(run) for run in runs], dtype=np.int32), parts), found


@ORDERS
@SIZES
def test_documents_are_gathered_in_the_order_that_is_asked_for(tmp_path, order, size):
    copy, _ = write(tmp_path, size=size)
    ids, lengths = copy.gather(np.array(order))
    assert ids.tolist() == [token for place in order for token in RUNS[place].tolist()]
    assert lengths.tolist() == [len(RUNS[place]) for place in order]


@ORDERS
@SIZES
def test_both_stores_give_the_same(tmp_path, order, size):
    paths = [tmp_path / f"{place}.pt" for place in range(len(RUNS))]
    crc32 = np.array([tensors.write_tensor(path, run) for path, run in zip(paths, RUNS, strict=True)])
    files = TensorFiles(paths.__getitem__, crc32).gather(np.array(order))
    for ours, theirs in zip(write(tmp_path, size=size)[0].gather(np.array(order)), files, strict=True):
        assert ours.tolist() == theirs.tolist()
        assert ours.dtype == theirs.dtype


@SIZES
def test_gathering_no_documents_gives_no_tokens(tmp_path, size):
    ids, lengths = write(tmp_path, size=size)[0].gather(np.array([], dtype=np.int64))
    assert (len(ids), len(lengths)) == (0, 0)


def test_each_part_has_its_documents_end_to_end(tmp_path):
    _, checksums = write(tmp_path, size=4)
    contents = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    first, second = (np.concatenate(runs).astype("<i4").tobytes() for runs in (RUNS[:4], RUNS[4:]))
    assert contents == {"part-00000.bin": first, "part-00001.bin": second}
    assert checksums == [zlib.crc32(first), zlib.crc32(second)]


def test_a_batch_is_the_callers_own(tmp_path):
    copy, _ = write(tmp_path)
    gathered, _ = copy.gather(np.array([0]))
    gathered[0] += 1
    assert copy.gather(np.array([0]))[0].tolist() == RUNS[0].tolist()


def test_a_worker_process_is_not_sent_the_tokens(tmp_path):
    copy, _ = write(tmp_path / "packed", [np.arange(100_000, dtype=np.int32)] * 2, size=1)
    sent = pickle.dumps(copy)
    assert len(sent) < 10_000
    ids, _ = pickle.loads(sent).gather(np.array([1]))
    assert np.array_equal(ids, np.arange(100_000))


def test_only_a_missing_or_changed_part_is_damaged(tmp_path):
    _, checksums = write(tmp_path / "packed", size=4)
    layout, parts = PackedLayout(tmp_path / "packed"), Parts(len(RUNS), 4)
    assert list(packed.damaged_parts(layout, LENGTHS, parts, checksums)) == []
    assert list(packed.damaged_parts(PackedLayout(tmp_path / "none"), LENGTHS, parts, checksums)) == [0, 1]
    content = layout.part(1).read_bytes()
    for damaged in (b"", content[:-8], content[:-3], bytes(len(content)), content + bytes(4), None):
        layout.part(1).write_bytes(damaged) if damaged is not None else layout.part(1).unlink()
        assert list(packed.damaged_parts(layout, LENGTHS, parts, checksums)) == [1]
    assert list(packed.damaged_parts(layout, LENGTHS, parts, [checksums[0] ^ 1, checksums[1]])) == [0, 1]


def test_a_part_that_fails_half_way_leaves_the_old_one(tmp_path):
    write(tmp_path)
    layout = PackedLayout(tmp_path)
    before = layout.part(0).read_bytes()

    def one_run_and_no_more():
        yield RUNS[0]
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        packed.write_part(layout, 0, one_run_and_no_more())
    assert layout.part(0).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["part-00000.bin"]


def test_an_open_packed_copy_stays_readable_while_it_is_rebuilt(tmp_path):
    old, _ = write(tmp_path)
    new, _ = write(tmp_path, RUNS[::-1])
    assert old.gather(np.array([0]))[0].tolist() == RUNS[0].tolist()
    assert new.gather(np.array([0]))[0].tolist() == RUNS[-1].tolist()


@pytest.mark.parametrize("size", [1, 2, 4])
def test_long_documents_are_gathered_like_short_ones(tmp_path, size):
    lengths = np.array([3, 2 * packed.LONG, 5, packed.LONG])
    ends = np.cumsum(lengths)
    copy, _ = write(tmp_path, np.split(np.arange(lengths.sum(), dtype=np.int32), ends[:-1]), size=size)
    for rows in ([1], [3, 1], [0, 2], [0, 1, 2, 3], [1, 1]):
        tokens, found = copy.gather(np.array(rows))
        assert found.tolist() == lengths[rows].tolist()
        assert tokens.tolist() == [token for row in rows for token in range(ends[row] - lengths[row], ends[row])]


def test_documents_have_their_own_checksums(tmp_path):
    write(tmp_path)
    path = PackedLayout(tmp_path).part(0)
    assert packed.checksums_of(path, LENGTHS).tolist() == list(map(tensors.checksum, RUNS))
    assert packed.checksums_of(path, LENGTHS[:-1]) is None


def resident(path):
    """Bytes of a mapped file that are in memory of this process."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    starts = [place for place, line in enumerate(lines) if line.endswith(str(path))]
    return sum(1024 * int(line.split()[1]) for at in starts for line in lines[at : at + 9] if line.startswith("Rss:"))


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED") or not Path("/proc/self/smaps").exists(), reason="Linux alone")
def test_pages_of_a_large_file_are_given_back(tmp_path):
    count, page = packed.RELEASED_AFTER + 10, 1024
    runs = list(np.arange(count * page, dtype=np.int32).reshape(count, page))
    write(tmp_path, runs, size=count)
    lengths, parts = np.full(count, page, dtype=np.int32), Parts(count, count)
    for large, is_given_back in ((0, True), (1 << 40, False)):
        copy = PackedTokens(PackedLayout(tmp_path), lengths, parts, large=large)
        before = [copy.gather(np.array([row]))[0][0] for row in range(packed.RELEASED_AFTER)]
        assert resident(PackedLayout(tmp_path).part(0)) >= 4 * page * packed.RELEASED_AFTER
        assert before == list(range(0, page * packed.RELEASED_AFTER, page))
        assert copy.gather(np.array([count - 1]))[0].tolist() == runs[-1].tolist()
        assert (resident(PackedLayout(tmp_path).part(0)) < 1 << 20) is is_given_back
        assert copy.gather(np.array([5]))[0].tolist() == runs[5].tolist()
        del copy
