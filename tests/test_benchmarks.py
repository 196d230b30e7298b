"""What the benchmarks compare with is what it claims to be."""

import importlib
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from openmix.ops.labelling import energy

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """Import a file of benchmarks/ as a script there would."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and BENCHMARKS in [
            *Path(sys.modules[name].__file__).parents
        ]:
            del sys.modules[name]


def test_the_cut_is_the_cheapest_of_all_labellings(benchmark):
    least_energy = benchmark("exact_cut").least_energy
    rng = np.random.default_rng(0)
    every = torch.tensor(list(itertools.product(range(3), repeat=6))).view(-1, 2, 3)
    for strength in (0.0, 0.1, 1.0, 10.0):
        unary, down, right = rng.random((2, 3, 3)), rng.random((1, 3)), rng.random((2, 2))
        costs = unary, strength * down, strength * right
        best = energy(
            every, *(torch.from_numpy(cost)[None].expand(729, *cost.shape) for cost in costs)
        )
        assert least_energy(*costs) == pytest.approx(best.min().item(), abs=1e-7)


@pytest.mark.parametrize("side", [4, 8])
def test_puzzlemix_masks_are_near_the_cut_on_a_trained_network(benchmark, side):
    gaps = benchmark("exact_cut").gaps(side, count=64)
    assert gaps.min() > -1e-5 and gaps.mean() < 0.0015


def test_the_numpy_mask_keeps_the_share_it_draws(benchmark):
    peers = benchmark("peers")
    np.random.seed(0)
    shares = [peers.fmix_by_numpy(16, 24).mean() for _ in range(200)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.07) and np.ptp(shares) > 0.8


def test_the_dense_alignment_is_alignmixs(benchmark):
    from openmix.mixups import AlignMix

    torch.manual_seed(0)
    maps = torch.randn(3, 8, 2, 3)
    own = maps.flatten(2)
    dense = benchmark("peers").aligned_densely(own, own.roll(1, 0), 0.1, 30)
    found = AlignMix(iterations=30).align(maps, 1, 0.0, to_partner=False).flatten(2)
    torch.testing.assert_close(found, dense, rtol=1e-4, atol=1e-4)
