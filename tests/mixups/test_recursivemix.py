import copy

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import roi_align

from openmix.mixups import RecursiveMix
from openmix.ops.boxes import Box
from openmix.ops.roi import roi_mean

BOXES = [Box(0, 32, 0, 24), Box(3, 11, 5, 20), Box(30, 32, 0, 3), Box(7, 8, 9, 10)]


def ready(net, **options):
    torch.manual_seed(1)
    mixer = RecursiveMix(**options)
    mixer.setup(net)
    return mixer


@pytest.mark.parametrize("box", BOXES)
def test_mean_under_a_box_is_roi_align(box):
    h = torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    corners = torch.tensor([box.left, box.top, box.right, box.bottom]).float()
    rois = [corners[None], corners[None]]
    expected = roi_align(h, rois, 1, spatial_scale=0.25, sampling_ratio=-1, aligned=True)
    torch.testing.assert_close(roi_mean(h, box, 32, 24), expected[:, :, 0, 0])


def test_two_steps_by_hand(tiny, batch):
    """An 8 x 16 box: 1/8 of the image, from the whole of the image one step ago."""
    net, mixer = tiny("resnet").eval(), ready(tiny("resnet"), omega=0.5)
    (x0, y0), (x1, y1) = batch(), batch(seed=1)
    first = mixer(net, x0, y0, box=Box(4, 12, 8, 24))
    assert torch.equal(first.logits, net(x0)) and torch.equal(first.target, y0)
    assert first.losses == {}
    second = mixer(net, x1, y1, box=Box(4, 12, 8, 24))

    image = x1.clone()
    for row in range(8):
        for column in range(16):
            image[:, :, 4 + row, 8 + column] = x0[:, :, 4 * row, 2 * column]
    torch.testing.assert_close(second.logits, net(image))
    torch.testing.assert_close(second.target, 7 / 8 * y1 + 1 / 8 * y0)
    corners = torch.tensor([[8.0, 4.0, 24.0, 12.0]]).expand(6, 4)
    maps = net.forward_features(image)
    pooled = roi_align(maps, list(corners[:, None]), 1, 8 / 32, -1, aligned=True)[:, :, 0, 0]
    log_p, said = mixer.head(pooled).log_softmax(1), net(x0).softmax(1)
    terms = [-(said[n] * log_p[n]).sum() for n in range(6)]
    expected = 0.5 / 8 * sum(terms) / 6
    torch.testing.assert_close(second.losses["consistency"], expected)

    third = mixer(net, x0, y0, box=Box(0, 16, 0, 16))
    label = 3 / 4 * y0 + 1 / 4 * (7 / 8 * y1 + 1 / 8 * y0)
    torch.testing.assert_close(third.target, label)


def test_the_past_is_not_differentiated(tiny, batch):
    net, (x, y) = tiny("resnet"), batch()
    mixer = ready(net)
    mixer(net, x, y).logits.sum().backward()
    mixer(net, x, y, box=Box(0, 16, 0, 16)).losses["consistency"].backward()
    assert not any(buffer.requires_grad for buffer in mixer.buffers())
    assert all(p.grad is not None for p in mixer.parameters())


def test_boxes_cover_up_to_half(tiny, batch):
    """U(0, 0.5) before clipping: at 32 px the weight of the image averages 0.82."""
    net, (x, y) = tiny("resnet").eval(), batch(2)
    mixer, lams = ready(net), []
    torch.manual_seed(0)
    with torch.no_grad():
        for _ in range(300):
            mixer(net, x, y)
            lams.append(mixer.lam)
    assert 0.5 <= min(lams) < 0.6 and sum(lams) / 300 == pytest.approx(0.82, abs=0.02)


def test_share_fc_adds_no_parameters(tiny, batch):
    net, (x, y) = tiny("resnet"), batch()
    mixer = ready(net, share_fc=True)
    assert not list(mixer.parameters())
    mixer(net, x, y)
    mixer(net, x, y, box=Box(0, 16, 0, 16)).losses["consistency"].backward()
    assert net.fc.weight.grad is not None


@pytest.mark.parametrize("sizes", [(6, 4), (4, 6)])
def test_batches_of_other_sizes(sizes, tiny, batch):
    """A smaller one takes the first rows of the history, a larger one begins again."""
    net = tiny("resnet").eval()
    mixer, (x, y) = ready(net), batch(sizes[0])
    mixer(net, x, y)
    x1, y1 = batch(sizes[1], seed=1)
    target = mixer(net, x1, y1, box=Box(0, 16, 0, 16)).target
    rows = torch.arange(sizes[1]) % sizes[0]
    torch.testing.assert_close(target, 3 / 4 * y1 + 1 / 4 * y[rows])


def test_history_is_part_of_the_state(tiny, batch):
    net, (x, y) = tiny("resnet").eval(), batch()
    mixer = ready(net)
    mixer(net, x, y)
    other = ready(net)
    other.load_state_dict(copy.deepcopy(mixer.state_dict()))
    a, b = (m(net, x, y, box=Box(0, 9, 0, 9)) for m in (mixer, other))
    assert torch.equal(a.logits, b.logits) and torch.equal(a.target, b.target)
    assert a.losses == b.losses
    fresh = ready(net)
    fresh.load_state_dict(ready(net).state_dict())
    assert torch.equal(fresh(net, x, y).target, y)
    assert F.cross_entropy(fresh(net, x, y).logits, y).isfinite()
