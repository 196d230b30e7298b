import copy
import math

import pytest
import torch
import torch.nn.functional as F

from openmix import internals
from openmix.losses import smooth
from openmix.mixups import MixPro


@pytest.fixture
def vit(tiny):
    """A tiny transformer in eval mode that attends and predicts unevenly."""

    def make(size=(32, 32)):
        net = tiny("vit", size).eval()
        with torch.no_grad():
            net.blocks[-1].attn.qkv.weight.mul_(40)
            net.pos_embed.mul_(30)
            net.head.weight.mul_(10)
        return net

    return make


GRID = torch.tensor([[1.0, 0, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0]])


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.5, 0.51, 1.0])
def test_cells_are_whole_and_rounded_up(lam):
    """16 x 16 patches are 4 x 4 cells of 4 x 4, as 224 pixels at 56; ceil(16 λ) are kept."""
    torch.manual_seed(0)
    masks = MixPro().mask(torch.empty(50, 1, 1, 1), lam, 16, 16)
    cells = masks.unfold(2, 4, 4).unfold(3, 4, 4).flatten(4)
    assert (cells == cells[..., :1]).all()
    assert (cells[..., 0].sum((1, 2, 3)) == math.ceil(16 * lam)).all()
    assert len(masks.flatten(1).unique(dim=0)) > 40 or lam in (0.0, 1.0)
    assert masks.mean(0).min() > 0 or lam == 0


def test_cells_that_the_border_cuts():
    """14 patches make cells of 4, 4, 4 and 2: one cell kept in a corner is 4 patches, not 16."""
    torch.manual_seed(0)
    masks = MixPro().mask(torch.empty(200, 1, 1, 1), 1 / 16, 14, 14)
    assert set(masks.sum((1, 2, 3)).tolist()) == {16.0, 8.0, 4.0}


def test_each_row_has_its_own_share():
    lam = torch.tensor([0.0, 0.25, 0.3, 1.0])
    masks = MixPro().mask(torch.empty(4, 1, 1, 1), lam, 8, 8)
    assert masks.mean((1, 2, 3)).tolist() == [0, 4 / 16, 5 / 16, 1]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weights_by_hand(smoothing, vit, batch):
    """(1 - trust) area + trust attention, image by image."""
    net, (x, y), partner = vit(), batch(4), torch.tensor([2, 3, 1, 0])
    mixed = MixPro(smoothing=smoothing)(net, x, y, lam=0.5, partner=partner, mask=GRID[None, None])
    pixels = GRID.repeat_interleave(8, 0).repeat_interleave(8, 1)
    images = pixels * x + (1 - pixels) * x[partner]
    with internals.class_attention(net) as seen:
        logits = net(images)
    torch.testing.assert_close(mixed.logits, logits)
    area, spread = GRID.mean().item(), []
    for i in range(4):
        weights = (seen[0][i].double() * GRID).sum() / seen[0][i].double().sum()
        label = area * y[i].double() + (1 - area) * y[partner[i]].double()
        label = label * (1 - smoothing) + smoothing / 10
        p = logits[i].double().softmax(0)
        trust = label @ p / (label.norm() * p.norm())
        own = (1 - trust) * area + trust * weights
        expected = own * y[i] + (1 - own) * y[partner[i]]
        torch.testing.assert_close(mixed.target[i].double(), expected.double(), rtol=0, atol=1e-5)
        spread.append(abs(own.item() - area))
    assert max(spread) > 0.01
    assert mixed.losses["trust"].item() == 0


def test_gradient_is_that_of_the_authors_loss(vit, batch):
    """mean(own CE_a + (1 - own) CE_b), differentiated through the cosine in ``own`` as well."""
    net, (x, y), partner = vit(), batch(4), torch.tensor([2, 3, 1, 0])
    other = copy.deepcopy(net)
    mixed = MixPro()(net, x, y, lam=0.5, partner=partner, mask=GRID[None, None])
    (F.cross_entropy(mixed.logits, mixed.target) + mixed.losses["trust"]).backward()

    pixels = GRID.repeat_interleave(8, 0).repeat_interleave(8, 1)
    with internals.class_attention(other) as seen:
        logits = other(pixels * x + (1 - pixels) * x[partner])
    area = GRID.mean()
    within = (seen[0] * GRID).sum((1, 2)) / seen[0].sum((1, 2))
    label = smooth(area * y + (1 - area) * y[partner], 0.1)
    trust = F.cosine_similarity(label, logits.softmax(1), dim=1)
    own = trust * within + (1 - trust) * area
    one, two = (F.cross_entropy(logits, t, reduction="none") for t in (y, y[partner]))
    (own * one + (1 - own) * two).mean().backward()
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-3, atol=1e-5)

    detached = copy.deepcopy(net)
    detached.zero_grad()
    F.cross_entropy(
        MixPro()(detached, x, y, lam=0.5, partner=partner, mask=GRID[None, None]).logits,
        mixed.target,
    ).backward()
    assert not torch.allclose(detached.head.weight.grad, net.head.weight.grad, rtol=1e-2)
