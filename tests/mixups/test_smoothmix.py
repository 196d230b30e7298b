import math

import pytest
import torch

from openmix.mixups import SmoothMix
from openmix.ops import draw
from openmix.ops.gaussian import bump


def gaussian(height, width, cy, cx, variance):
    """Pixel by pixel, in double precision."""
    return torch.tensor(
        [
            [math.exp(-((i - cy) ** 2 + (j - cx) ** 2) / (2 * variance)) for j in range(width)]
            for i in range(height)
        ],
        dtype=torch.float64,
    )


def peak(image):
    return divmod(int(image.argmax()), image.shape[-1])


@pytest.mark.parametrize("size", [(16, 16), (7, 12)], ids=str)
def test_a_bump_is_the_gaussian_around_its_peak(size):
    torch.manual_seed(0)
    for variance in (0.5, 9.0, 40.0):
        for _ in range(5):
            found = bump(torch.empty(3, 1, *size), variance)
            assert found.shape == (1, 1, *size) and found.max() == 1
            expected = gaussian(*size, *peak(found), variance)
            torch.testing.assert_close(found[0, 0].double(), expected, rtol=1e-5, atol=1e-7)


def test_bumps_of_rows_have_their_own_place_and_width():
    torch.manual_seed(0)
    variance = torch.tensor([1.0, 4.0, 0.0, 25.0])
    found = bump(torch.empty(4, 3, 9, 11), variance)
    assert (found[2] == 0).all()
    for i in (0, 1, 3):
        expected = gaussian(9, 11, *peak(found[i]), float(variance[i]))
        torch.testing.assert_close(found[i, 0].double(), expected, rtol=1e-5, atol=1e-7)


def test_every_pixel_is_a_centre_as_often():
    torch.manual_seed(0)
    centres = bump(torch.empty(1, 1, 4, 6), torch.full((24_000,), 1.0)).flatten(1).argmax(1)
    counts = torch.bincount(centres, minlength=24)
    assert (counts - 1000).abs().max() < 5 * 1000**0.5


def test_the_partner_shows_where_the_bump_is_and_the_label_says_so(monkeypatch):
    """σ is 3/8 of 16 pixels; the weight of the partner's label is the bump's mean, not its rest."""
    monkeypatch.setattr(draw, "uniform", lambda _n=1: [0.5])
    torch.manual_seed(0)
    x = torch.stack([torch.zeros(1, 16, 16), torch.ones(1, 16, 16)])
    for _ in range(5):
        mixed, target = SmoothMix().mix(x, torch.eye(2), partner=1)
        expected = gaussian(16, 16, *peak(mixed[0, 0]), 36.0)
        torch.testing.assert_close(mixed[0, 0].double(), expected, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(mixed[1, 0].double(), 1 - expected, rtol=1e-5, atol=1e-6)
        own = 1 - expected.mean().item()
        assert target[0].tolist() == pytest.approx([own, 1 - own], abs=1e-6)
        assert target[1].tolist() == pytest.approx([1 - own, own], abs=1e-6)


def test_widths_are_drawn_from_the_whole_range():
    """A Gaussian covers 2πσ² of the plane; the edges cut some of it off, half at the most here."""
    torch.manual_seed(0)
    mixer, x, shares = SmoothMix(), torch.empty(1, 1, 32, 32), []
    for _ in range(400):
        shares.append(1 - mixer.mask(x).mean().item())
    assert min(shares) < 2 * math.pi * 0.25**2 / 2 < 0.6 < max(shares) < 2 * math.pi * 0.5**2


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (0.6, 0.5)])
def test_impossible_ranges_are_refused(low, high):
    with pytest.raises(ValueError, match="need 0 < low <= high"):
        SmoothMix(low, high)
