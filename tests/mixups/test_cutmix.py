import pytest
import torch
from scipy.stats import ks_2samp

from openmix.mixups import CutMix
from openmix.ops import draw
from openmix.ops.boxes import Box, box_mask, clipped_box, clipped_box_masks, paste


def sides(masks):
    """Top, bottom, left, right of the box of each mask ``(n, 1, H, W)``; -1 where there is none."""
    found = []
    for axis in (-1, -2):
        hit = (masks[:, 0] == 0).any(axis)
        at = torch.arange(hit.shape[1])
        found += [torch.where(hit, at, 999).amin(1), torch.where(hit, at, -1).amax(1)]
    return torch.stack(found, 1)


def test_mean_weight_after_clipping_at_224_px():
    """E[λ] = 0.682 at alpha 1, not the 0.5 that is drawn."""
    torch.manual_seed(0)
    areas = [clipped_box(224, 224, draw.beta(1.0)).area for _ in range(40_000)]
    assert 1 - sum(areas) / len(areas) / 224**2 == pytest.approx(0.682, abs=0.005)


@pytest.mark.parametrize("lam", [None, 0.3])
def test_boxes_per_sample_are_distributed_alike(lam):
    torch.manual_seed(0)
    n, x = 8_000, torch.empty(8_000, 1, 16, 24)
    lams = draw.beta_rows(1.0, x) if lam is None else torch.full((n,), lam)
    rows = clipped_box_masks(x, lams)
    single = [
        box_mask(x[:1], clipped_box(16, 24, draw.beta(1.0) if lam is None else lam))
        for _ in range(n)
    ]
    a, b = sides(rows), sides(torch.cat(single))
    for i in range(4):
        assert ks_2samp(a[:, i], b[:, i]).pvalue > 1e-3
    assert ks_2samp(rows.mean((1, 2, 3)), torch.cat(single).mean((1, 2, 3))).pvalue > 1e-3


def test_one_row_equals_the_box_of_its_own_centre(monkeypatch):
    """Both ways of making a box agree, centre by centre."""
    x = torch.empty(1, 1, 7, 10)
    for u in (0.0, 0.3, 0.6, 0.99):
        for lam in (0.0, 0.2, 0.5, 0.9, 1.0):
            monkeypatch.setattr(draw, "uniform", lambda _n, u=u: [u, u])
            expected = box_mask(x, clipped_box(7, 10, lam))
            monkeypatch.setattr(torch, "rand", lambda *_, u=u, **__: torch.tensor([u]))
            assert torch.equal(clipped_box_masks(x, torch.tensor([lam])), expected)


def test_box_by_hand(monkeypatch):
    """λ 0.75 halves the sides of 8 x 16; around the centre (1, 12) one row is clipped."""
    monkeypatch.setattr(draw, "uniform", lambda _n: [0.125, 0.75])
    assert clipped_box(8, 16, 0.75) == Box(top=0, bottom=3, left=8, right=16)
    assert clipped_box(8, 16, 0.75).area == 24


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (9, 14)], ids=str)
def test_label_is_exactly_what_is_shown(per_sample, size):
    """Each image shows only its own number; the label counts the pixels."""
    torch.manual_seed(0)
    mixer, y = CutMix(per_sample=per_sample), torch.eye(5)
    x = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 3, *size)
    for _ in range(50):
        out, target = mixer.mix(x, y)
        shown = torch.stack([(out[:, 0] == i).float().mean((1, 2)) for i in range(5)], 1)
        torch.testing.assert_close(target, shown, rtol=0, atol=1e-6)
        lam = torch.as_tensor(mixer.lam).flatten().expand(5)
        torch.testing.assert_close(lam, target.diagonal(), rtol=0, atol=1e-6)


def test_one_box_a_batch_or_one_a_row(batch):
    torch.manual_seed(0)
    x = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 1, 32, 32)
    for per_sample, boxes in ((False, 1), (True, 6)):
        out, _ = CutMix(per_sample=per_sample).mix(x, torch.eye(6))
        assert len({(row == row[0, 0, 0]).numpy().tobytes() for row in (out != x)}) == boxes


def test_an_empty_box_changes_nothing(batch):
    x, y = batch()
    out, target = CutMix().mix(x, y, lam=1.0)
    assert torch.equal(out, x) and torch.equal(target, y)


@pytest.mark.parametrize("partner", [2, torch.tensor([3, 3, 0, 1])], ids=str)
def test_pasted_pixels_are_the_partners_at_the_same_place(partner):
    torch.manual_seed(0)
    x = torch.randn(4, 2, 6, 8)
    out = paste(x, partner, Box(1, 4, 2, 7))
    source = x.roll(partner, 0) if isinstance(partner, int) else x[partner]
    assert torch.equal(out[:, :, 1:4, 2:7], source[:, :, 1:4, 2:7])
    out[:, :, 1:4, 2:7] = x[:, :, 1:4, 2:7]
    assert torch.equal(out, x)
