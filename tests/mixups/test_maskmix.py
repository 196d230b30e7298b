import math

import pytest
import torch

from openmix.mixups import MaskMix


def cells(mask, grid):
    """The cells of masks ``(n, 1, H, W)`` as ``(n, grid, grid)``; each must be of one colour."""
    n, _, height, width = mask.shape
    split = mask.view(n, grid, height // grid, grid, width // grid)
    first = split[:, :, :1, :, :1]
    assert torch.equal(split, first.expand_as(split))
    return first[:, :, 0, :, 0]


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize(("size", "grid"), [((16, 16), 4), ((12, 24), 3), ((8, 8), 8)], ids=str)
def test_lam_of_the_cells_rounded_up_are_kept(size, grid, per_sample):
    torch.manual_seed(0)
    x = torch.empty(6, 2, *size)
    for lam in (0.0, 0.01, 0.25, 0.3, 0.5, 0.99, 1.0):
        mask = MaskMix(grid=grid).mask(x, torch.full((6,), lam) if per_sample else lam)
        kept = cells(mask, grid).sum((1, 2))
        wanted = math.ceil(lam * grid**2)
        assert kept.tolist() == [wanted] * 6


def test_every_image_has_its_own_cells_and_every_set_is_as_likely():
    """Two of the four cells of a 2 x 2 grid: six sets."""
    torch.manual_seed(0)
    found = cells(MaskMix(grid=2).mask(torch.empty(6000, 1, 4, 4), 0.5), 2).flatten(1)
    counts = torch.bincount((found * torch.tensor([1, 2, 4, 8])).sum(1).long(), minlength=16)
    seen = counts[[3, 5, 6, 9, 10, 12]]
    assert seen.sum() == 6000 and (seen - 1000).abs().max() < 150


@pytest.mark.parametrize("size", [(16, 16), (13, 22)], ids=str)
@pytest.mark.parametrize("per_sample", [False, True])
def test_label_is_exactly_what_is_shown(size, per_sample):
    torch.manual_seed(0)
    x = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 3, *size)
    for _ in range(30):
        out, target = MaskMix(per_sample=per_sample).mix(x, torch.eye(5))
        shown = torch.stack([(out[:, 0] == i).float().mean((1, 2)) for i in range(5)], 1)
        torch.testing.assert_close(target, shown, rtol=0, atol=1e-6)


def test_lam_is_one_for_the_batch_or_one_for_each_image():
    torch.manual_seed(0)
    x, y = torch.randn(8, 1, 16, 16), torch.eye(8)
    for per_sample in (False, True):
        _, target = MaskMix(per_sample=per_sample).mix(x, y)
        assert (len(target.diagonal().unique()) > 1) == per_sample


def test_a_grid_has_cells():
    with pytest.raises(ValueError, match="grid must be 1 or more"):
        MaskMix(grid=0)
