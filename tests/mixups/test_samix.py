import pytest
import torch
from torch import nn

from openmix.mixups import AutoMix, SAMix, SAMixBlock
from openmix.mixups.samix import adjusted


@pytest.mark.parametrize("curve", [0.0, 0.25, 4.0])
def test_the_curve_goes_through_0_one_half_and_1(curve):
    block = SAMixBlock(4, 2, curve)
    assert [block.bend(lam) for lam in (0.0, 0.5, 1.0)] == pytest.approx([0, 0.5, 1])
    assert 0.25 < block.bend(0.25) < 0.5  # bent towards one half


def test_mask_by_hand():
    """Features of one place an image: a lone key has all the weight, its value is the mask."""
    torch.manual_seed(0)
    block = SAMixBlock(4).eval()
    with torch.no_grad():
        for p in block.parameters():
            p.copy_(torch.randn_like(p))
    features = torch.randn(3, 4, 1, 1)
    mask = block(features, 0.3, 1, (2, 2))
    for i in range(3):
        lam = (4 / 3 * 0.3**3 - 2 * 0.3**2 + 1.25 * 0.3) / (1.25 - 2 / 3)
        value = block.value(features[i - 1 : i or None] * (1 + (1 - lam))).item()
        expected = torch.full((1, 2, 2), 1 - torch.tensor(value).sigmoid().item())
        torch.testing.assert_close(mask[i], expected)


def test_likeness_by_loops():
    """Queries and keys of both images, scaled by λ, place by place in float64; mask not resized."""
    torch.manual_seed(0)
    block = SAMixBlock(4).eval().double()
    for p in block.parameters():
        torch.nn.init.normal_(p)
    features, lam = torch.randn(3, 4, 2, 3, dtype=torch.double), 0.8
    bent = block.bend(lam)
    expected = torch.empty(3, 1, 2, 3, dtype=torch.double)
    for i in range(3):
        other = features[i - 1] * (1 + (1 - bent))
        both = torch.cat([features[i] * (1 + bent), other])
        query, key = block.query(both[None])[0].flatten(1), block.key(both[None])[0].flatten(1)
        value = block.value(other[None]).flatten()
        for at in range(6):
            scores = torch.stack([query[:, at] @ key[:, k] / 2**0.5 for k in range(6)])
            shown = (scores.softmax(0) @ value).sigmoid()
            expected[i, 0, at // 3, at % 3] = 1 - shown
    mask = block.float()(features, lam, 1, (2, 3))
    torch.testing.assert_close(mask.double(), expected, rtol=1e-3, atol=1e-4)


def test_masks_are_to_vary():
    mask = torch.tensor([0.0, 1.0, 1.0, 1.0]).view(1, 1, 2, 2)
    plain = AutoMix().mask_loss(mask, 0.5)
    assert plain.item() == pytest.approx(0.25 - 0.1)
    assert SAMix().mask_loss(mask, 0.5).item() == pytest.approx(0.15 - 2 * 3 / 16)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ([0.2, 1.0], [0.1, 0.5]),  # of mean 0.6: halved
        ([0.2, 0.0], [1 - 0.8 * 7 / 9, 1 - 7 / 9]),  # of mean 0.1: the partner's share times 7 / 9
        ([0.1, 0.5], [0.1, 0.5]),
    ],
    ids=str,
)
def test_a_mask_is_scaled_to_a_mean_of_03_by_hand(mask, expected):
    found = adjusted(torch.tensor(mask).view(1, 1, 1, 2), 0.3)
    torch.testing.assert_close(found.flatten(), torch.tensor(expected))


class Half(nn.Module):
    def forward(self, features, lam, partner, size):
        return torch.full((2, 1, *size), 0.5)


@pytest.mark.parametrize("adjust", [0.0, 0.25, 1.0])
def test_at_a_share_of_the_steps_masks_are_scaled_to_the_weight_of_the_label(adjust):
    """Row 0 is white and its partner black: its pixels are its mask."""
    torch.manual_seed(0)
    mixer, x = SAMix(adjust=adjust), torch.tensor([1.0, 0.0]).view(2, 1, 1, 1)
    mixer.block = Half()
    shown = torch.stack([mixer.shown(x, x, 0.7, 1)[0].squeeze() for _ in range(400)])
    scaled = (shown - 0.7).abs() < 1e-6
    assert (scaled | (shown == 0.5)).all()
    assert scaled.float().mean().item() == pytest.approx(adjust, abs=0.06)
