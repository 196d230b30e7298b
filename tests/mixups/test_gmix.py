import math

import pytest
import torch
from scipy.stats import ks_2samp

from openmix.mixups import GMix
from openmix.ops import draw


def kernel(height, width, centre, share):
    """exp(-π d² / (share · H · W)), pixel by pixel, in double precision."""
    cy, cx = centre
    return torch.tensor(
        [
            [
                math.exp(-math.pi * ((i - cy) ** 2 + (j - cx) ** 2) / (share * height * width))
                for j in range(width)
            ]
            for i in range(height)
        ],
        dtype=torch.float64,
    )


@pytest.mark.parametrize("size", [(16, 16), (9, 20)], ids=str)
@pytest.mark.parametrize("lam", [0.1, 0.4, 0.5, 0.75])
@pytest.mark.parametrize("per_sample", [False, True])
def test_images_and_labels_by_hand(size, lam, per_sample):
    """Under 1/2 the bump shows the image itself, from 1/2 on its partner."""
    torch.manual_seed(0)
    x = torch.stack([torch.zeros(1, *size), torch.ones(1, *size)])
    out, target = GMix().mix(x, torch.eye(2), lam=torch.full((2,), lam) if per_sample else lam)
    for i, row in enumerate((1 - out[0, 0], out[1, 0])):
        bump = row if lam < 0.5 else 1 - row
        centre = divmod(int(bump.argmax()), size[1])
        expected = kernel(*size, centre, min(lam, 1 - lam))
        torch.testing.assert_close(bump.double(), expected, rtol=1e-5, atol=1e-6)
        own = expected.mean().item() if lam < 0.5 else 1 - expected.mean().item()
        assert target[i, i].item() == pytest.approx(own, abs=1e-6)
        assert target[i, 1 - i].item() == pytest.approx(1 - own, abs=1e-6)


def test_a_bump_within_the_image_has_the_share_that_was_drawn(monkeypatch):
    monkeypatch.setattr(torch, "randint", lambda size, shape, **_: torch.full(shape, size // 2))
    x = torch.empty(1, 1, 64, 64)
    for lam in (0.02, 0.1, 0.9, 0.98):
        assert GMix().mask(x, lam).mean().item() == pytest.approx(lam, abs=1e-3)


def test_masks_per_sample_are_distributed_alike():
    torch.manual_seed(0)
    n, x = 4_000, torch.empty(4_000, 1, 12, 16)
    rows = GMix().mask(x, draw.beta_rows(1.0, x)).mean((1, 2, 3))
    single = torch.cat([GMix().mask(x[:1], draw.beta(1.0)).mean((1, 2, 3)) for _ in range(n)])
    assert ks_2samp(rows, single).pvalue > 1e-3
