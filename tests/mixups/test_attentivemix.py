import pytest
import torch
from scipy.stats import ks_1samp
from torch import nn

from openmix.errors import Unsupported
from openmix.mixups import AttentiveMix


class Teacher(nn.Module):
    """Its features are the image and its negative doubled: strength falls with brightness."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(1, 2)

    def get_classifier(self):
        return self.fc

    def forward_features(self, x):
        return torch.cat([x, -2 * x], 1)


def ready(**options):
    mixer = AttentiveMix(**options)
    mixer.setup(Teacher())
    return mixer


@pytest.mark.parametrize("partner", [3, torch.tensor([2, 0, 3, 1])], ids=str)
def test_the_strongest_cells_stay(partner):
    """7 x 7 pixels are the 49 cells: the 6 darkest of each image are its own."""
    torch.manual_seed(0)
    x, y = torch.randn(4, 1, 7, 7), torch.eye(4)
    out, target = ready().mix(x, y, partner=partner)
    for i in range(4):
        j = (i - partner) % 4 if isinstance(partner, int) else partner[i]
        keep = x[i, 0] <= x[i, 0].flatten().sort().values[5]
        assert torch.equal(out[i, 0], torch.where(keep, x[i, 0], x[j, 0]))
        expected = 6 / 49 * y[i] + 43 / 49 * y[j]
        torch.testing.assert_close(target[i], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("k", range(1, 50))
def test_every_number_of_cells_is_met(k):
    assert ready(top_k=k).mask(torch.randn(2, 1, 7, 7), k / 49).sum((1, 2, 3)).tolist() == [k, k]


def test_cells_are_as_even_as_the_pixels_allow():
    """14 x 21 pixels: cells of 2 x 3."""
    mixer = ready(top_k=10)
    mask = mixer.mask(torch.randn(3, 1, 14, 21), mixer.share)
    cells = mask.view(3, 7, 2, 7, 3)
    assert torch.equal(cells.amin((2, 4)), cells.amax((2, 4)))
    assert cells.amax((2, 4)).sum((1, 2)).tolist() == [10, 10, 10]


def test_attentivemix_plus_draws_the_number_of_cells():
    torch.manual_seed(0)
    mixer, x, y = ready(alpha=1.0), torch.randn(2, 1, 7, 7), torch.eye(2)
    counts = [round(mixer.mix(x, y)[1][0, 0].item() * 49) for _ in range(600)]
    assert min(counts) == 1 and max(counts) == 48
    jittered = (torch.tensor(counts) + torch.rand(600)) / 49
    assert (
        ks_1samp(jittered[jittered > 2 / 49].numpy(), lambda v: (v - 2 / 49) / (47 / 49)).pvalue
        > 1e-3
    )


def test_the_teacher_stays_what_it_was(tiny, batch):
    net = tiny("resnet")
    mixer = AttentiveMix()
    mixer.setup(net)
    before = {name: value.clone() for name, value in mixer.state_dict().items()}
    assert len(before) == len(net.state_dict())
    mixer.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        mixer(net, *batch()).logits.square().mean().backward()
        optimizer.step()
    assert not any(module.training for module in mixer.teacher.modules())
    assert all(torch.equal(value, before[name]) for name, value in mixer.state_dict().items())
    assert not torch.equal(net.fc.weight, mixer.teacher.net.fc.weight)


def test_a_transformer_teaches_by_its_attention(tiny, batch):
    mixer = AttentiveMix(grid=4, top_k=3)
    mixer.setup(tiny("vit"))
    response = mixer.response(batch()[0])
    assert response.shape == (6, 4, 4)
    assert mixer.mask(batch()[0], mixer.share).mean((1, 2, 3)).tolist() == [3 / 16] * 6


def test_a_network_without_maps_is_refused():
    with pytest.raises(Unsupported, match=r"Flatten; set mixup\.teacher=resnet50"):
        AttentiveMix().setup(nn.Flatten())
    with pytest.raises(Unsupported, match="timm has no network 'resnet51'"):
        AttentiveMix(teacher="resnet51").setup(nn.Flatten())


def test_more_cells_than_there_are_is_refused():
    with pytest.raises(ValueError, match="at most 9"):
        AttentiveMix(top_k=10, grid=3)
