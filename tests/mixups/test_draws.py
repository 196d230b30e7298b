"""Random numbers, partners and boxes that the mixups share."""

import pytest
import torch

from openmix.ops import draw
from openmix.ops.blend import blend, partners


def test_shift_meets_every_other_row_alike():
    torch.manual_seed(0)
    counts = torch.tensor([draw.shift(6) for _ in range(6000)]).bincount(minlength=6).tolist()
    assert counts[0] == 0 and len(counts) == 6
    assert all(abs(c - 1200) < 4 * (6000 * 0.2 * 0.8) ** 0.5 for c in counts[1:])
    assert draw.shift(1) == 0


@pytest.mark.parametrize("alpha", [0.2, 1.0, 2.0])
def test_moments_of_beta(alpha):
    """Mean 1/2, variance 1 / (4 (2 alpha + 1)), drawn one by one or row by row."""
    torch.manual_seed(0)
    variance = 1 / (4 * (2 * alpha + 1))
    rows = draw.beta_rows(alpha, torch.empty(40_000))
    single = torch.tensor([draw.beta(alpha) for _ in range(8_000)])
    for sample in (rows, single):
        error = (variance / len(sample)) ** 0.5
        assert abs(sample.mean() - 0.5) < 4 * error
        assert sample.var().item() == pytest.approx(variance, rel=0.05)
        assert sample.min() >= 0 and sample.max() <= 1


def test_asymmetric_beta():
    torch.manual_seed(0)
    sample = torch.tensor([draw.beta(2.0, 1.0) for _ in range(8_000)])
    assert sample.mean().item() == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_beta_of_small_alpha_is_finite_and_extreme(alpha):
    torch.manual_seed(0)
    sample = draw.beta_rows(alpha, torch.empty(20_000))
    assert sample.isfinite().all() and sample.mean().item() == pytest.approx(0.5, abs=0.02)
    assert sample.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)


def test_alpha_0_never_mixes():
    assert draw.beta(0) == 1.0
    assert torch.equal(draw.beta_rows(0, torch.empty(3)), torch.ones(3))


def test_rotation_by_hand():
    t = torch.tensor([10.0, 20.0, 30.0])
    assert partners(t, 1).tolist() == [30, 10, 20]
    assert blend(t, 1, 0.75).tolist() == [15, 17.5, 27.5]
    assert blend(t, torch.tensor([2, 0, 1]), 0.75).tolist() == [15, 17.5, 27.5]


@pytest.mark.parametrize("partner", [0, 1, 4, torch.tensor([3, 0, 0, 2, 1])], ids=str)
@pytest.mark.parametrize("shape", [(), (5,), (5, 1, 1, 1), (1, 1, 4, 6), (5, 1, 4, 6)], ids=str)
def test_blend_is_the_weighted_sum(partner, shape):
    torch.manual_seed(0)
    t, weight = torch.randn(5, 3, 4, 6), torch.rand(shape)
    w = weight.view(-1, 1, 1, 1) if weight.ndim == 1 else weight
    expected = w * t + (1 - w) * partners(t, partner)
    given = weight if shape else weight.item()
    torch.testing.assert_close(blend(t, partner, given), expected)
    with_grad = t.clone().requires_grad_()
    torch.testing.assert_close(blend(with_grad, partner, given), expected)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("shape", [(), (5,), (1, 1, 64, 80), (5, 1, 64, 80)], ids=str)
@pytest.mark.parametrize("partner", [0, 1, 4, 7], ids=str)
def test_large_batches_rotate_in_two_parts_alike(partner, shape, layout):
    torch.manual_seed(0)
    t = torch.randn(5, 3, 64, 80).contiguous(memory_format=layout)
    weight = torch.rand(shape)
    w = weight.view(-1, 1, 1, 1) if weight.ndim == 1 else weight
    found = blend(t, partner, weight if shape else weight.item())
    torch.testing.assert_close(found, w * t + (1 - w) * t.roll(partner, 0))
    assert found.is_contiguous(memory_format=layout)


def test_gradients_reach_features_and_learned_weights():
    torch.manual_seed(0)
    t, weight = torch.randn(4, 3, dtype=torch.double), torch.rand(4, 1, dtype=torch.double)
    for learned in ((t.requires_grad_(), weight), (t.detach(), weight.requires_grad_())):
        assert torch.autograd.gradcheck(lambda a, w: blend(a, 1, w), learned)
