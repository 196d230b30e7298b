import pytest
import torch
import torch.nn.functional as F

from openmix.errors import Unsupported
from openmix.mixups import ManifoldMix, Mixup

PARTNER = torch.tensor([2, 0, 1, 4, 5, 3])


def mixed(h, lam):
    return lam * h + (1 - lam) * h[PARTNER]


def resnet_by_hand(net, x, layer, lam):
    h = net.conv1(x)
    for k, stage in enumerate((net.layer1, net.layer2, net.layer3), start=1):
        h = stage(h)
        if k == layer:
            h = mixed(h, lam)
    return net.forward_head(F.relu(net.bn(h)))


def vit_by_hand(net, x, layer, lam):
    """Two blocks are two stages."""
    h = net.norm_pre(net.patch_drop(net._pos_embed(net.patch_embed(x))))
    for k, block in enumerate(net.blocks, start=1):
        h = block(h)
        if k == layer:
            h = mixed(h, lam)
    return net.forward_head(net.norm(h))


SPLIT = {"resnet": resnet_by_hand, "vit": vit_by_hand}


@pytest.mark.parametrize("kind", SPLIT)
@pytest.mark.parametrize("per_sample", [False, True])
def test_layer_0_is_mixup(kind, per_sample, tiny, batch):
    net, (x, y) = tiny(kind).eval(), batch()
    torch.manual_seed(3)
    ours = ManifoldMix(2.0, per_sample=per_sample)(net, x, y, layer=0)
    torch.manual_seed(3)
    plain = Mixup(2.0, per_sample=per_sample)(net, x, y)
    assert torch.equal(ours.logits, plain.logits) and torch.equal(ours.target, plain.target)


@pytest.mark.parametrize(
    ("kind", "layer"), [("resnet", k) for k in (1, 2, 3)] + [("vit", 1), ("vit", 2)]
)
@pytest.mark.parametrize("shared", [True, False])
def test_layer_k_is_the_network_split_by_hand(kind, layer, shared, tiny, batch):
    """Logits and the gradients of all weights, in train mode."""
    x, y = batch()
    lam = 0.3 if shared else torch.linspace(0.1, 0.9, 6)
    net, other = tiny(kind), tiny(kind)
    logits, target, _ = ManifoldMix()(net, x, y, lam=lam, partner=PARTNER, layer=layer)
    rank = 4 if kind == "resnet" else 3
    by_hand = SPLIT[kind](other, x, layer, lam if shared else lam.view(-1, *[1] * (rank - 1)))
    torch.testing.assert_close(logits, by_hand)
    torch.testing.assert_close(target, mixed(y, lam if shared else lam[:, None]))
    logits.square().sum().backward()
    by_hand.square().sum().backward()
    for (name, p), q in zip(net.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(
            p.grad, q.grad, rtol=1e-3, atol=1e-3, msg=lambda m, n=name: n + m
        )


def test_gradient_reaches_the_partner_through_the_features(tiny, batch):
    net, (x, y) = tiny("resnet").eval(), batch()
    x.requires_grad_()
    mixed = ManifoldMix()(net, x, y, lam=0.75, partner=2, layer=1)
    mixed.logits[3].square().sum().backward()
    size = x.grad.flatten(1).norm(dim=1)
    assert (size > 0).tolist() == [False, True, False, True, False, False]
    assert size[3] > size[1]


def test_layers_are_equally_likely(tiny, batch):
    """Counted by whether the first or second stage, or the input, is blended."""
    net, (x, y) = tiny("resnet").eval(), batch(2, (8, 8))
    seen = []
    net.layer1.register_forward_pre_hook(lambda *_: seen.append(len(net.layer1._forward_hooks)))
    net.layer2.register_forward_pre_hook(
        lambda *_: seen.append(10 * len(net.layer2._forward_hooks))
    )
    torch.manual_seed(0)
    mixer, counts = ManifoldMix(), {0: 0, 1: 0, 10: 0}
    with torch.no_grad():
        for _ in range(300):
            seen.clear()
            mixer(net, x, y)
            counts[sum(seen)] += 1
    assert all(abs(count - 100) < 35 for count in counts.values()), counts


def test_setup_counts_the_stages(tiny):
    ManifoldMix(layers=(3,)).setup(tiny("resnet"))
    with pytest.raises(Unsupported, match="after stage 4, but WideResNet has 3 stages; set mixup"):
        ManifoldMix(layers=(0, 4)).setup(tiny("resnet"))


@pytest.mark.parametrize("layers", [(), (-1, 0)])
def test_impossible_layers_are_refused(layers):
    with pytest.raises(ValueError, match="layers must name stages from 0 on"):
        ManifoldMix(layers=layers)
