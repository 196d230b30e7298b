import pytest
import torch

from openmix.mixups import Cutout


def squares(height, width, half):
    """Every square the authors' loop can hide, by its centre."""
    for cy in range(height):
        for cx in range(width):
            mask = torch.zeros(height, width, dtype=torch.bool)
            for i in range(height):
                for j in range(width):
                    mask[i, j] = cy - half <= i < cy + half and cx - half <= j < cx + half
            yield mask


@pytest.mark.parametrize("n", [8, 9])
def test_every_clipped_square_is_as_likely(n):
    """Side 1/2 of 8 or 9 pixels: half of it is 2 pixels either way."""
    torch.manual_seed(0)
    expected = torch.stack(list(squares(n, n, 2))).flatten(1).float()
    found = Cutout(side=0.5).hidden(torch.empty(100 * n * n, 1, n, n)).flatten(1).float()
    same = (found[:, None] - expected).abs().sum(2) == 0
    assert (same.sum(1) == 1).all()
    assert (same.sum(0) - 100).abs().max() < 50


def test_only_the_square_changes_and_it_becomes_the_mean(batch):
    x, y = batch()
    torch.manual_seed(5)
    hidden = Cutout().hidden(x).expand_as(x)
    torch.manual_seed(5)
    out, target = Cutout().mix(x, y)
    assert torch.equal(target, y)
    assert (out[hidden] == 0).all() and torch.equal(out[~hidden], x[~hidden])
    assert len({row.numpy().tobytes() for row in hidden}) == len(x)


def test_area_of_the_default_at_32_pixels():
    """Not 64: squares are clipped. The sides are independent, so that their means multiply."""
    torch.manual_seed(0)
    hidden = Cutout().hidden(torch.empty(20_000, 1, 32, 32)).float().sum((1, 2, 3))
    assert hidden.max() == 64 and hidden.min() == 16
    sides = [min(c + 4, 32) - max(c - 4, 0) for c in range(32)]
    assert hidden.mean().item() == pytest.approx((sum(sides) / 32) ** 2, rel=0.01)


def test_no_side_hides_nothing(batch):
    x, y = batch()
    assert torch.equal(Cutout(side=0.0).mix(x, y)[0], x)
