import numpy as np
import pytest
import torch

from textclf.models.resident import Awaited, Pieces, bounds, own, send

CPU = torch.device("cpu")


def test_pieces_are_joined_array_by_array_up_to_a_limit():
    pieces = Pieces(CPU, limit=40)
    assert pieces.add(torch.arange(3, dtype=torch.int32), torch.ones(3))
    assert pieces.add(torch.arange(3, 5, dtype=torch.int32), torch.zeros(2))
    numbers, values = pieces.join()
    assert numbers.tolist() == [0, 1, 2, 3, 4]
    assert values.tolist() == [1, 1, 1, 0, 0]
    assert not pieces.add(torch.ones(1))


def test_arrays_are_sent_whatever_their_layout():
    assert send(np.arange(6).reshape(2, 3).T, CPU).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert Awaited(torch.tensor([3, 1])).read() == [3, 1]


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(5, slice(None), [0, 1, 2, 3, 4]), (5, slice(1, None, 2), [1, 3]), (1, slice(1, None, 2), [0])],
)
def test_a_process_reads_its_share_or_the_first_document_as_a_stand_in(count, share, expected):
    assert own(np.arange(count), share).tolist() == expected


def test_bounds_of_parts_end_to_end():
    assert bounds([np.arange(2), np.arange(0), np.arange(3)]).tolist() == [0, 2, 2, 5]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_numbers_are_awaited_without_a_synchronisation():
    device = torch.device("cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        awaited = Awaited(send(np.arange(3), device) * 2)
        assert awaited.read() == [0, 2, 4]
    finally:
        torch.cuda.set_sync_debug_mode("default")
