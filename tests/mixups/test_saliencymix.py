import numpy as np
import pytest
import torch

from openmix.mixups import CutMix, SaliencyMix
from openmix.ops.saliency import fine_grained, gaussian_blur, luma


def smooth_by_hand(grey):
    height, width = grey.shape
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    padded = np.pad(grey, 1, mode="reflect")
    out = np.zeros_like(grey)
    for i in range(height):
        for j in range(width):
            out[i, j] = (padded[i : i + 3, j : j + 3] * kernel).sum()
    return out


def fine_grained_by_hand(image):
    """One RGB image ``(3, H, W)``, float64, pixel by pixel."""
    grey = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
    grey = smooth_by_hand(smooth_by_hand(grey))
    height, width = grey.shape
    on, off = np.zeros_like(grey), np.zeros_like(grey)
    for reach in (12, 24, 48, 28, 56, 112):
        for i in range(height):
            for j in range(width):
                window = grey[max(i - reach + 1, 0) : i + reach + 1]
                window = window[:, max(j - reach + 1, 0) : j + reach + 1]
                around = (window.sum() - grey[i, j]) / (window.size - 1)
                on[i, j] += max(grey[i, j] - around, 0)
                off[i, j] += max(around - grey[i, j], 0)
    return on / on.max() + off / off.max()


def test_fine_grained_saliency_equals_a_loop_over_pixels():
    images = np.random.default_rng(0).random((3, 3, 26, 33))
    found = fine_grained(torch.from_numpy(images).float())
    for image, maps in zip(images, found, strict=True):
        np.testing.assert_allclose(maps.numpy(), fine_grained_by_hand(image), rtol=0, atol=2e-5)


def test_normalised_images_have_the_saliency_of_their_bytes(batch):
    x, _ = batch()
    torch.testing.assert_close(fine_grained(x), fine_grained(60 * x + 120), rtol=0, atol=1e-4)


def spots(n=5, size=(32, 40)):
    """Dark noise with one bright blob an image, and where it is."""
    torch.manual_seed(0)
    x = 0.05 * torch.randn(n, 3, *size)
    rows, columns = torch.randint(4, size[0] - 4, (n,)), torch.randint(4, size[1] - 4, (n,))
    for image, i, j in zip(x, rows.tolist(), columns.tolist(), strict=True):
        image[:, i - 2 : i + 3, j - 2 : j + 3] += 3
        image[:, i, j] += 2
    return x, rows, columns


@pytest.mark.parametrize("per_row", [False, True])
def test_the_box_lies_around_the_partners_spot(per_row):
    """λ 0.75 halves the sides: 16 x 20 around the blob, half open, clipped at the edges."""
    x, rows, columns = spots()
    lam = torch.full((5,), 0.75) if per_row else 0.75
    partner = torch.tensor([3, 0, 4, 1, 2])
    out, target = SaliencyMix().mix(x, torch.eye(5), lam=lam, partner=partner)
    for i, j in enumerate(partner.tolist()):
        expected = x[i].clone()
        top, left = max(int(rows[j]) - 8, 0), max(int(columns[j]) - 10, 0)
        box = (slice(top, int(rows[j]) + 8), slice(left, int(columns[j]) + 10))
        expected[:, *box] = x[j][:, *box]
        assert torch.equal(out[i], expected)
        assert target[i, j].item() == pytest.approx(x[0, 0][box].numel() / (32 * 40), abs=1e-6)


def test_official_puts_one_box_into_the_whole_batch():
    x, rows, columns = spots()
    partner = torch.tensor([3, 0, 4, 1, 2])
    official = SaliencyMix(mode="official")
    out, _ = official.mix(x, torch.eye(5), lam=0.9, partner=partner)
    changed = (out != x).any(1)
    first = changed[0].nonzero()
    assert first[:, 0].min() == max(rows[3] - 5, 0) and first[:, 1].min() == max(columns[3] - 6, 0)
    assert all(torch.equal(row, changed[0]) for row in changed)


def test_sides_are_those_of_cutmix(monkeypatch):
    """A box in the middle is as large as CutMix's around the same centre."""
    x, spot = torch.zeros(1, 3, 31, 45), torch.zeros(1, 31, 45)
    spot[:, 15, 22] = 1
    monkeypatch.setattr("openmix.mixups.saliencymix.fine_grained", lambda _x: spot)
    monkeypatch.setattr("openmix.ops.draw.uniform", lambda _n: [0.5, 0.5])
    for lam in (0.2, 0.5, 0.77, 0.95):
        assert torch.equal(SaliencyMix().mask(x, lam), CutMix().mask(x, lam))


def test_blur_keeps_what_is_constant_and_luma_averages_other_channels():
    assert torch.allclose(gaussian_blur(torch.ones(2, 9, 9), 7, 3.0), torch.ones(2, 9, 9))
    assert torch.equal(luma(torch.tensor([1.0, 3.0]).view(1, 2, 1, 1)), torch.tensor([[[2.0]]]))
