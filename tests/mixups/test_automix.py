import copy
import math

import pytest
import torch
import torch.nn.functional as F

from openmix import internals
from openmix.errors import Unsupported
from openmix.mixups import AutoMix, MixBlock
from openmix.mixups.base import Clock
from openmix.ops import draw


def set_up(net, **options):
    torch.manual_seed(0)
    mixer = AutoMix(**options)
    mixer.setup(net)
    with torch.no_grad():  # masks that differ from 1/2
        for p in mixer.block.parameters():
            p.mul_(30)
    return mixer


def mask_by_loops(block, features, lam, partner, scale):
    """Place by place in float64."""
    n, _, height, width = features.shape
    query, value = block.query.weight.double()[:, :, 0, 0], block.value.weight.double()[0, :, 0, 0]
    masks = torch.empty(n, 1, height * scale, width * scale, dtype=torch.double)

    def places(image, share):
        vectors = image.double().flatten(1).T
        return (
            torch.cat([vectors, torch.full((len(vectors), 1), share)], 1)
            if block.embed
            else vectors
        )

    for i, j in enumerate(partner.tolist()):
        own, other = places(features[i], lam), places(features[j], 1 - lam)
        for at, place in enumerate(own):
            q = query @ place + block.query.bias.double()
            scores = [q @ (query @ o + block.query.bias.double()) / len(q) ** 0.5 for o in other]
            likeness = torch.stack(scores).softmax(0)
            values = torch.stack([value @ o + block.value.bias.double()[0] for o in other])
            row, column = (scale * k for k in divmod(at, width))
            shown = 1 / (1 + math.exp(-(likeness @ values).item()))
            masks[i, 0, row : row + scale, column : column + scale] = 1 - shown
    return masks


@pytest.mark.parametrize("embed", [True, False])
def test_mask_by_hand(embed):
    torch.manual_seed(0)
    block = MixBlock(6, 2, embed)
    with torch.no_grad():
        for p in block.parameters():
            p.copy_(torch.randn_like(p))
    features = torch.randn(4, 6, 3, 2)
    for partner in (torch.tensor([2, 3, 1, 0]), 1):
        rows = partner if isinstance(partner, torch.Tensor) else (torch.arange(4) - partner) % 4
        mask = block(features, 0.3, partner, (12, 8))
        expected = mask_by_loops(block, features, 0.3, rows, 4)
        torch.testing.assert_close(mask.double(), expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(block(features, 0.3, 1, (12, 8)), block(features, 0.7, 1, (12, 8))) != embed


def test_losses_by_hand(tiny, batch, monkeypatch):
    """CE(clean) + CE(mixed by a mask without gradient) + CE(average; mixed) + 0.1 relu(...)."""
    net, (x, y) = tiny("resnet"), batch()
    mixer = set_up(net, mask_margin=0.01)
    lams, shifts = iter([0.2, 0.7]), iter([1, 2])
    monkeypatch.setattr(draw, "beta", lambda _a: next(lams))
    monkeypatch.setattr(draw, "shift", lambda _n: next(shifts))
    other = copy.deepcopy(net)
    mixed = mixer(net, x, y)
    features = []
    hook = mixer.teacher.net.layer2.register_forward_hook(lambda _m, _a, out: features.append(out))
    mixer.teacher(x)
    hook.remove()
    generated = mixer.block(features[0], 0.2, 1, (32, 32))
    z = mixer.teacher(generated * x + (1 - generated) * x.roll(1, 0))
    target = 0.2 * y + 0.8 * y.roll(1, 0)
    torch.testing.assert_close(mixed.losses["generator"], F.cross_entropy(z, target))
    gap = (generated.mean() - 0.2).abs() - 0.01
    assert gap > 0
    torch.testing.assert_close(mixed.losses["mask"], 0.1 * gap)
    mask = mixer.block(features[0], 0.7, 2, (32, 32)).detach()
    clean, blended = other(x), other(mask * x + (1 - mask) * x.roll(2, 0))
    total = F.cross_entropy(clean, y) + F.cross_entropy(blended, 0.7 * y + 0.3 * y.roll(2, 0))
    torch.testing.assert_close(F.cross_entropy(mixed.logits, mixed.target), total)
    assert mixed.target.sum(1).sub(2).abs().max() < 1e-5


def test_who_learns_from_what(tiny, batch):
    """The network never from the masks' losses, the block never from the network's."""
    net = tiny("resnet")
    mixer = set_up(net)
    torch.manual_seed(0)
    mixed = mixer(net, *batch())
    F.cross_entropy(mixed.logits, mixed.target).backward()
    assert all(p.grad is None for p in mixer.parameters())
    net.zero_grad()
    (mixed.losses["generator"] + mixed.losses["mask"]).backward()
    assert all(p.grad is None for p in net.parameters())
    assert all(p.grad.abs().sum() > 0 for p in mixer.block.parameters())
    assert all(p.grad is None for p in mixer.teacher.parameters())


@pytest.mark.parametrize(
    ("lam", "plain"), [(0.08, True), (0.92, True), (0.09, False), (0.5, False)]
)
def test_close_to_0_or_1_is_plain_mixup(lam, plain, tiny, batch):
    net, (x, _) = tiny("resnet"), batch()
    mixer = set_up(net)
    shown = mixer.shown(x, torch.randn(6, 32, 16, 16), lam, 1)
    assert torch.allclose(shown, lam * x + (1 - lam) * x.roll(1, 0), atol=1e-6) == plain


def test_the_average_follows_and_stays_in_eval_mode(tiny, batch):
    net, (x, y) = tiny("resnet"), batch()
    mixer = set_up(net)
    before = [p.clone() for p in net.parameters()]
    with torch.no_grad():
        for p in net.parameters():
            p.add_(1)
    mixer.train()(net, x, y)
    for mine, p in zip(mixer.teacher.net.parameters(), before, strict=True):
        torch.testing.assert_close(mine, p + 0.001)
    assert not any(module.training for module in mixer.teacher.modules()) and mixer.training
    assert torch.allclose(mixer.teacher(x), mixer.teacher(torch.cat([x, x]))[:6], atol=1e-5)
    assert not torch.allclose(mixer.teacher(x)[:3], mixer.teacher(x[:3]), atol=1e-3)


def test_decay_rises_along_a_cosine():
    mixer, clock = AutoMix(decay=0.9, last_decay=0.99), Clock()
    mixer.clock = clock
    found = []
    for clock.progress in (0.0, 0.0999, 0.1, 0.5, 1.0):
        found.append(mixer.current_decay())
    at_tenth = 0.99 - 0.09 * (math.cos(math.pi / 10) + 1) / 2
    assert found == pytest.approx([0.9, 0.9, at_tenth, 0.945, 0.99])


def test_stages_are_read_as_maps(tiny, batch):
    x, _ = batch(2)
    for kind, shape in (("resnet", (2, 32, 16, 16)), ("vit", (2, 32, 4, 4))):
        net = tiny(kind).eval()
        with internals.stage_map(net, -2) as seen:
            net(x)
        assert seen[0].shape == shape and internals.stage_width(net, -2) == shape[1]
    tokens = net.blocks[0](net.norm_pre(net.patch_drop(net._pos_embed(net.patch_embed(x)))))
    torch.testing.assert_close(seen[0][0, :, 1, 2], tokens[0, 1 + 1 * 4 + 2])


def test_a_stage_that_is_not_there_is_refused(tiny):
    with pytest.raises(Unsupported, match="stage 5, but WideResNet has 3 stages"):
        AutoMix(layer=5).setup(tiny("resnet"))
