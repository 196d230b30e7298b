import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from openmix.mixups import SnapMix
from openmix.ops.boxes import Box


class Net(nn.Module):
    """Features are the images themselves, averaged over 2 x 2 pixels; a linear classifier."""

    def __init__(self, channels=3, classes=5):
        super().__init__()
        self.fc = nn.Linear(channels, classes)

    def get_classifier(self):
        return self.fc

    def forward_features(self, x):
        return F.avg_pool2d(x, 2)

    def forward(self, x):
        return self.fc(self.forward_features(x).mean((2, 3)))


def maps_by_hand(net, x, labels, bias=True):
    """Class activation, image by image and place by place, bias and all, stretched to the image."""
    out = []
    for image, label in zip(net.forward_features(x), labels, strict=True):
        rows, columns = image.shape[1:]
        cam = torch.zeros(rows, columns, dtype=x.dtype)
        for i in range(rows):
            for j in range(columns):
                cam[i, j] = image[:, i, j].relu() @ net.fc.weight[label] + net.fc.bias[label]
        cam = F.interpolate(cam[None, None], x.shape[-2:], mode="bilinear")[0, 0].detach()
        cam -= cam.min()
        out.append((cam / cam.sum()).numpy())
    return out


def test_weights_are_shares_of_the_maps():
    torch.manual_seed(0)
    net, x = Net().double(), torch.randn(4, 3, 8, 12).double()
    labels, partner = [0, 3, 3, 1], torch.tensor([1, 2, 3, 0])
    y = torch.eye(5).double()[labels]
    into, source = Box(1, 5, 2, 10), Box(0, 6, 5, 9)
    mixed = SnapMix()(net, x, y, partner=partner, boxes=(into, source))
    maps = maps_by_hand(net, x, labels)
    for i, j in enumerate(partner.tolist()):
        keeps = 1 - maps[i][1:5, 2:10].sum()
        brings = maps[j][0:6, 5:9].sum()
        expected = np.zeros(5)
        if labels[i] == labels[j]:
            expected[labels[i]] = 2 * (keeps + brings)  # rows 1 and 2
        else:
            expected[labels[i]], expected[labels[j]] = keeps, brings
        np.testing.assert_allclose(mixed.target[i], expected, atol=1e-9)
    assert (mixed.target.sum(1) - 1).abs().max() > 0.01


@pytest.mark.parametrize("partner", [1, torch.tensor([2, 0, 1])], ids=str)
def test_the_cut_is_stretched_into_the_box(partner):
    """2 x 2 pixels 0 1 / 2 3 in a 3 x 3 box: corners stay, the middle is the mean."""
    x = torch.zeros(3, 1, 6, 6)
    for row in range(3):
        x[row, 0, 1:3, 2:4] = torch.tensor([[0.0, 1.0], [2.0, 3.0]]) + 10 * row
    seen = []
    net = Net(channels=1)
    net.register_forward_pre_hook(lambda _net, args: seen.append(args[0]))
    boxes = (Box(3, 6, 0, 3), Box(1, 3, 2, 4))
    SnapMix()(net, x, torch.eye(5)[:3], partner=partner, boxes=boxes)
    stretched = torch.tensor([[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]])
    for row, other in enumerate([2, 0, 1]):
        expected = x[row, 0].clone()
        expected[3:6, 0:3] = stretched + 10 * other
        torch.testing.assert_close(seen[-1][row, 0], expected)


def test_maps_without_contrast_give_way_to_the_pasted_area():
    x = torch.ones(2, 3, 8, 8)
    x[0, :, :4] = 3
    net = Net()
    nn.init.ones_(net.fc.weight)
    boxes = (Box(0, 4, 0, 4), Box(0, 8, 0, 8))
    mixed = SnapMix()(net, x, torch.eye(5)[:2], partner=1, boxes=boxes)
    assert mixed.target[1, 1].item() == pytest.approx(0.75)  # row 1 is flat: 1 - 16 / 64
    assert mixed.target[0, 1].item() == pytest.approx(0.25)  # and brings 16 / 64
    assert mixed.target[1, 0].item() == pytest.approx(1)  # row 0 brings all it has


@pytest.mark.parametrize("flat", [(0,), (1,), (0, 1)], ids=str)
def test_a_flat_map_in_a_row_of_one_class_leaves_the_pasted_area_to_both_labels(flat):
    """1 - 16 / 64 and 16 / 64 of one class: together 1, where two maps would count twice."""
    x = torch.ones(2, 3, 8, 8)
    for row in {0, 1} - set(flat):
        x[row, :, :4] = 3
    net = Net()
    nn.init.ones_(net.fc.weight)
    mixer = SnapMix()
    boxes = (Box(0, 4, 0, 4), Box(0, 8, 0, 6))
    mixed = mixer(net, x, torch.eye(5)[[2, 2]], partner=1, boxes=boxes)
    assert mixer.lam.tolist() == [0.75, 0.75]
    torch.testing.assert_close(mixed.target, torch.eye(5)[[2, 2]])


def test_an_empty_box_changes_nothing(batch):
    x, y = torch.randn(2, 3, 8, 8), torch.eye(5)[:2]
    net = Net()
    for boxes in ((Box(2, 2, 0, 4), Box(0, 4, 0, 4)), (Box(0, 4, 0, 4), Box(3, 5, 1, 1))):
        mixed = SnapMix()(net, x, y, boxes=boxes)
        assert torch.equal(mixed.target, y) and torch.equal(mixed.logits, net(x))


def test_the_two_boxes_are_drawn_apart_from_beta_5():
    torch.manual_seed(0)
    net, x, y = Net(), torch.randn(2, 3, 64, 64), torch.eye(5)[:2]
    mixer, drawn = SnapMix(), []
    original = SnapMix.maps
    mixer.maps = lambda *args: drawn.append(1) or original(mixer, *args)
    targets = [mixer(net, x, y).target for _ in range(300)]
    assert len(drawn) > 290
    keeps, brings = (torch.stack([t[0, k] for t in targets]) for k in (0, 1))
    assert abs(torch.corrcoef(torch.stack([keeps, brings]))[0, 1]) < 0.35


def test_the_pass_for_the_maps_leaves_no_trace(tiny, batch):
    net = tiny("resnet")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    SnapMix().maps(net, *batch())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(module.training for module in net.modules())
