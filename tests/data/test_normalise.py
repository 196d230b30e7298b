import torch

from openmix.data.normalise import Normalise


def test_normalise():
    normalise = Normalise([0.5, 0.25], [0.25, 0.5])
    images = torch.randint(0, 256, (4, 2, 5, 5), dtype=torch.uint8)
    mean, std = torch.tensor([0.5, 0.25]), torch.tensor([0.25, 0.5])
    expected = (images / 255 - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
    before = images.float()
    for dtype in (torch.uint8, torch.float32, torch.float64):
        given = images.to(dtype)
        torch.testing.assert_close(normalise(given), expected, atol=1e-5, rtol=0)
        assert torch.equal(given.float(), before)
    assert normalise(images).dtype == torch.float32
    assert not normalise.state_dict()
