import numpy as np
import pytest

from textclf.text.arrays import Ranks


def places(values, numbers):
    """What it should say, by looking."""
    found = {int(value): place for place, value in enumerate(values)}
    return [found.get(int(number), -1) for number in numbers]


@pytest.mark.parametrize("bits", [1, 5, 6, 7, 12])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_each_value_has_its_index_or_minus_one(bits, share):
    everything = np.arange(1 << bits)
    values = everything[np.random.default_rng(bits).random(1 << bits) < share].astype(np.int32)
    found = Ranks(values, bits=bits)(everything)
    assert found.dtype == np.int32
    assert found.tolist() == places(values, everything)


def test_values_are_found_in_any_order_and_more_than_once():
    values = np.array([0, 63, 64, 65, 1000, 4095], dtype=np.int32)
    asked = np.array([4095, 1, 64, 64, 63, 0, 4094, 1000, 2, 65])
    assert Ranks(values, bits=12)(asked).tolist() == places(values, asked)


def test_empty_arrays_are_accepted():
    assert Ranks(np.array([3], dtype=np.int32), bits=12)(np.empty(0, dtype=np.int64)).tolist() == []
    assert Ranks(np.empty(0, dtype=np.int32), bits=12)(np.array([0, 4095])).tolist() == [-1, -1]
