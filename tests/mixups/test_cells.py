import pytest
import torch
import torch.nn.functional as F

from openmix.ops.cells import enlarged


@pytest.mark.parametrize("size", [(32, 32), (33, 20), (7, 5), (3, 2)], ids=str)
def test_each_pixel_shows_its_cell(size):
    torch.manual_seed(0)
    cells = torch.randn(2, 3, 7, 5)
    found = enlarged(cells, *size)
    assert found.shape == (2, 3, *size)
    for i in range(size[0]):
        for j in range(size[1]):
            cell = cells[:, :, int(i * 7 / size[0]), int(j * 5 / size[1])]
            assert torch.equal(found[:, :, i, j], cell)


@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize("grid", [4, 7, 8, 14])
def test_it_is_torchs_nearest_at_common_sizes(grid, size):
    cells = torch.arange(float(grid**2)).view(1, 1, grid, grid)
    expected = F.interpolate(cells, (size, size), mode="nearest")
    assert torch.equal(enlarged(cells, size, size), expected)
