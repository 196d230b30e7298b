import pytest
import torch

from openmix.mixups import GridMixup
from openmix.ops import draw


def mask_by_hand(height, width, top, left, tall, wide, cell, hole):
    """Hole by hole."""
    mask = torch.ones(height, width)
    for i in range(0, tall, cell):
        for j in range(0, wide, cell):
            down, right = min(i + hole, tall), min(j + hole, wide)
            mask[top + i : top + down, left + j : left + right] = 0
    return mask


@pytest.fixture
def drawn(monkeypatch):
    def fix(area, aspect, kept, down, right, holes):
        monkeypatch.setattr(draw, "uniform", lambda _n: [area, aspect, kept, down, right])
        monkeypatch.setattr(draw, "integer", lambda _low, _high: holes)

    return fix


def test_mask_by_hand(drawn):
    """Area 1/2 and aspect 1/2 of 16 x 32 make a crop of 11 x 22; two holes a row, cells of 11;
    keeping 64 % of a cell, a hole has 0.6 x 11 = 6.6, so 6 pixels a side."""
    mixer, x = GridMixup(low=0.64, high=0.7), torch.empty(2, 3, 16, 32)
    drawn(0, 0, 0, 0.5, 0.9, 2)
    expected = mask_by_hand(16, 32, top=2, left=9, tall=11, wide=22, cell=11, hole=6)
    assert torch.equal(mixer.mask(x)[0, 0], expected)
    assert (expected == 0).sum() == 2 * 36


def test_a_crop_larger_than_the_image_is_cut_to_it(drawn):
    """Area 1, aspect 2 of 16 x 16 would be 22 x 11: 16 rows remain, from the first."""
    mixer, x = GridMixup(low=0.75, high=0.75), torch.empty(1, 1, 16, 16)
    drawn(1, 1, 0, 0.99, 0.5, 2)
    expected = mask_by_hand(16, 16, top=0, left=2, tall=16, wide=11, cell=6, hole=3)
    assert torch.equal(mixer.mask(x)[0, 0], expected)


def test_a_hole_has_a_pixel_at_least_and_leaves_one_of_its_cell(drawn):
    x = torch.empty(1, 1, 8, 8)
    drawn(1, 1 / 3, 0, 0, 0, 4)
    for low, zeros in ((0.99, 16), (0.01, 16)):
        assert (GridMixup(low=low, high=low).mask(x) == 0).sum() == zeros


@pytest.mark.parametrize("size", [(32, 32), (24, 40), (8, 8), (1, 3)], ids=str)
def test_masks_are_grids_within_the_image(size):
    """Any draw makes a mask whose rows are all alike where they have holes at all."""
    torch.manual_seed(0)
    mixer, x = GridMixup(), torch.empty(1, 1, *size)
    for _ in range(200):
        holes = mixer.mask(x)[0, 0] == 0
        assert torch.equal(holes, holes.any(1)[:, None] & holes.any(0))
        if min(size) >= 8:
            assert holes.any() and not holes.all()


def test_the_share_kept_within_the_crop_is_what_is_drawn():
    """Large images: the holes take 1 - kept of the crop but for the cells cut at its edges."""
    torch.manual_seed(0)
    mixer, x = GridMixup(0.5, 0.5, area=(1.0, 1.0), aspect=(1.0, 1.0)), torch.empty(1, 1, 420, 420)
    for _ in range(20):
        assert mixer.mask(x).mean().item() == pytest.approx(0.5, abs=0.02)


def test_the_label_counts_the_pixels():
    torch.manual_seed(0)
    x = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 3, 20, 28)
    for _ in range(30):
        out, target = GridMixup().mix(x, torch.eye(5))
        shown = torch.stack([(out[:, 0] == i).float().mean((1, 2)) for i in range(5)], 1)
        torch.testing.assert_close(target, shown, rtol=0, atol=1e-6)


@pytest.mark.parametrize("wrong", [{"low": 0.8}, {"holes": (4, 2)}, {"aspect": (0.0, 1.0)}])
def test_impossible_ranges_are_refused(wrong):
    with pytest.raises(ValueError, match="must be a range above 0"):
        GridMixup(**wrong)
