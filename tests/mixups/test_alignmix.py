import math

import pytest
import timm
import torch

from openmix.errors import Unsupported
from openmix.mixups import AlignMix, Mixup
from openmix.ops.transport import sinkhorn, squared_distances

PARTNER = torch.tensor([2, 0, 1])


def features(n=3, channels=4, height=2, width=3, scale=0.3):
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(n, channels, height, width, generator=generator)


def plan_by_hand(a, b, eps, iterations):
    """Of one pair ``(C, P)``, number by number in float64, without logarithms of sums."""
    places = a.shape[1]
    kernel = [
        [
            math.exp(-sum(gap**2 for gap in (a[:, i] - b[:, j]).tolist()) / eps)
            for j in range(places)
        ]
        for i in range(places)
    ]
    v = [1.0] * places
    for _ in range(iterations):
        u = [1 / places / sum(kernel[i][j] * v[j] for j in range(places)) for i in range(places)]
        v = [1 / places / sum(kernel[i][j] * u[i] for i in range(places)) for j in range(places)]
    return [[u[i] * kernel[i][j] * v[j] * places for j in range(places)] for i in range(places)]


@pytest.mark.parametrize("to_partner", [False, True])
@pytest.mark.parametrize("lam", [0.3, torch.tensor([0.1, 0.5, 0.8])])
def test_features_by_hand(to_partner, lam):
    """lam A + (1 - lam) A' R^T, or lam A R + (1 - lam) A', pair by pair and place by place."""
    h = features().double()
    found = AlignMix(eps=0.5, iterations=7).align(h, PARTNER, lam, to_partner)
    flat, places = h.flatten(2), 6
    for n in range(3):
        own, other = flat[n], flat[PARTNER[n]]
        plan = plan_by_hand(own, other, 0.5, 7)
        weight = float(lam if isinstance(lam, float) else lam[n])
        for k in range(places):
            if to_partner:
                carried = sum(own[:, i] * plan[i][k] for i in range(places))
                expected = weight * carried + (1 - weight) * other[:, k]
            else:
                carried = sum(other[:, j] * plan[k][j] for j in range(places))
                expected = weight * own[:, k] + (1 - weight) * carried
            torch.testing.assert_close(found[n].flatten(1)[:, k], expected, rtol=1e-4, atol=1e-5)


def test_a_shifted_copy_is_aligned_back():
    """Where the partner holds the same features at other places, the plan is that permutation."""
    h = features(1, scale=5.0)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    pair = torch.cat([h, h.flatten(2)[..., order].view_as(h)])
    mixed = AlignMix().align(pair, torch.tensor([1, 0]), 0.4, to_partner=False)
    torch.testing.assert_close(mixed, pair, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("iterations", [1, 9, 10, 11, 100])
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0, 100.0])
def test_plans_hold_whatever_the_costs(scale, iterations):
    """Costs of up to 1e7 eps: by multiplication or not, the same as in float64 logarithms."""
    h = features(6, 64, 4, 5, scale).relu().flatten(2)
    cost = squared_distances(h, h.roll(1, 0))
    exact = cost.double() / -0.1
    for _ in range(iterations):
        exact = exact - exact.logsumexp(2, keepdim=True)
        exact = exact - exact.logsumexp(1, keepdim=True)
    found = sinkhorn(cost, 0.1, iterations) * 20
    torch.testing.assert_close(found, exact.exp().float(), rtol=1e-2, atol=5e-4)


def test_plan_sums_to_one_over_both_axes():
    h = features().flatten(2)
    plan = AlignMix().plan(h, h[PARTNER])
    torch.testing.assert_close(plan.sum(1), torch.ones(3, 6))
    torch.testing.assert_close(plan.sum(2), torch.ones(3, 6), rtol=1e-3, atol=1e-3)


def test_the_plan_is_not_differentiated(monkeypatch):
    """The gradient of the features is that with the plan held fixed."""
    h = features().requires_grad_()
    mixer, weight = AlignMix(iterations=5), features(scale=1.0)
    (mixer.align(h, PARTNER, 0.3, True) * weight).sum().backward()
    plan, fixed = mixer.plan(h.flatten(2), h.flatten(2)[PARTNER]), h.detach().requires_grad_()
    monkeypatch.setattr(mixer, "plan", lambda own, other: plan)
    (mixer.align(fixed, PARTNER, 0.3, True) * weight).sum().backward()
    torch.testing.assert_close(h.grad, fixed.grad)


def test_without_aligning_it_is_mixup(tiny, batch):
    net, (x, y) = tiny("resnet").eval(), batch()
    torch.manual_seed(3)
    ours = AlignMix(prob=0)(net, x, y)
    torch.manual_seed(3)
    plain = Mixup(2.0)(net, x, y)
    assert torch.equal(ours.logits, plain.logits) and torch.equal(ours.target, plain.target)


NETWORKS = [
    "resnet18",
    "densenet121",
    "test_efficientnet",  # a convolution after the last stage
    "test_nfnet",  # that and an activation
    "test_convnext",  # a norm after the pooling
    "mobilenetv3_small_050",  # a convolution after the pooling
]


@pytest.mark.parametrize("name", [None, *NETWORKS])
def test_what_is_mixed_is_what_the_pooling_receives(name, tiny, batch, monkeypatch):
    net = tiny("resnet") if name is None else timm.create_model(name, num_classes=10)
    net, (x, y) = net.eval(), batch(2, (64, 64))
    maps, mixed = [], []

    def align(_self, features, *_, **__):
        maps.append(features)
        mixed.append(features * 0.3 + features.flip(0) * 0.7)
        return mixed[0]

    monkeypatch.setattr(AlignMix, "align", align)
    mixer = AlignMix(prob=1)
    mixer.setup(net)
    with torch.no_grad():
        logits = mixer(net, x, y).logits
        assert len(maps) == 1
        torch.testing.assert_close(maps[0], net.forward_features(x))
        torch.testing.assert_close(logits, net.forward_head(mixed[0]))
    assert not torch.allclose(logits, net(x))


def test_a_network_without_a_pooling_is_refused():
    net = timm.create_model("pvt_v2_b0", num_classes=10)
    with pytest.raises(Unsupported, match="has no module global_pool"):
        AlignMix().setup(net)
