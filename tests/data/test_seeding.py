import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openmix.seeding import derive, hashes, permutation, uniform

INTEGERS = st.integers(-(2**63), 2**63 - 1)


def test_values_never_change():
    assert derive(0) == 5225608189600411232
    assert derive(1, 2, 3) == 8119519447357249846
    assert permutation(8, 1, 2).tolist() == [1, 2, 3, 0, 7, 6, 5, 4]
    assert int(hashes(1, 0)[0]) == 12031528848502907357


def test_order_and_number_of_parts_matter():
    seeds = {derive(), derive(0), derive(0, 0), derive(1, 2), derive(2, 1), derive(3), derive(-3)}
    assert len(seeds) == 7


@given(st.lists(INTEGERS, max_size=5))
def test_fits_in_63_bits(parts):
    assert 0 <= derive(*parts) < 2**63


def test_neighbouring_seeds_do_not_collide():
    seeds = {
        derive(seed, epoch, image)
        for seed in range(5)
        for epoch in range(20)
        for image in range(500)
    }
    assert len(seeds) == 5 * 20 * 500


def test_uniform_is_uniform():
    counts = np.bincount((uniform(100_000, 7) * 10).astype(int), minlength=10)
    assert (abs(counts - 10_000) < 500).all()


@given(st.integers(0, 300), INTEGERS)
def test_permutation_is_one(n, seed):
    assert sorted(permutation(n, seed).tolist()) == list(range(n))
