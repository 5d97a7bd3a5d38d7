import numpy as np
import pytest

from textclf.encoders import packing

SHAPES = [(1, 1), (5, 8), (64, 33), (33, 64), (100, 7)]


def matrix(shape, seed=0):
    """Numbers of very different sizes."""
    draw = np.random.default_rng(seed)
    return (draw.normal(size=shape) * 10.0 ** draw.uniform(-3, 1, size=shape)).astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("bits", [8, 9, 10, 12])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_number_is_at_most_half_a_step_of_its_block_away(shape, bits, axis):
    whole = matrix(shape)
    stored = packing.pack(whole, "a", bits=bits, axis=axis)
    assert packing.fits(stored, "a", shape, axis=axis)
    found = packing.part(stored, "a", axis=axis)
    assert (found.dtype, found.shape) == (np.float32, shape)
    across = whole if axis == 0 else whole.T
    error = np.abs(found - whole) if axis == 0 else np.abs(found - whole).T
    for start in range(0, len(across), packing.BLOCK):
        block = slice(start, start + packing.BLOCK)
        step = np.abs(across[block]).max(axis=0) / (2 ** (bits - 1) - 1)
        assert (error[block] <= step * 0.501 + 1e-7).all()  # float16 rounds the scale, the smallest by 6e-8


def test_each_further_bit_halves_the_error():
    whole = matrix((256, 64))
    errors = [
        np.sqrt(np.square(packing.part(packing.pack(whole, "a", bits=bits, axis=0), "a", axis=0) - whole).mean())
        for bits in (8, 9, 10)
    ]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.1)


def test_rows_are_those_of_the_whole_matrix():
    whole = matrix((50, 40))
    stored = packing.pack(whole, "a", bits=9, axis=1)
    which = np.array([3, 3, 49, 0])
    np.testing.assert_array_equal(packing.rows(stored, "a", which), packing.part(stored, "a", axis=1)[which])
    np.testing.assert_array_equal(packing.rows({"a": whole}, "a", which), whole[which])


def test_zeros_stay_zeros():
    for axis in (0, 1):
        assert not packing.part(
            packing.pack(np.zeros((40, 40), np.float32), "a", bits=10, axis=axis), "a", axis=axis
        ).any()


@pytest.mark.parametrize("part", ["a", "a.low", "a.scale"])
def test_parts_of_another_shape_or_type_do_not_fit(part):
    stored = packing.pack(matrix((64, 33)), "a", bits=10, axis=0)
    assert not packing.fits({**stored, part: stored[part].astype(np.float64)}, "a", (64, 33), axis=0)
    assert not packing.fits({**stored, part: stored[part][..., :-1]}, "a", (64, 33), axis=0)
    assert not packing.fits(stored, "a", (64, 33), axis=1)
