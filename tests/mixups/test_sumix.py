import math

import pytest
import torch
from torch import nn

from openmix.mixups import CutMix, FMix, ManifoldMix, Mixup, SUMix

LABELS = [0, 1, 0, 0, 2, 1]
PARTNER = torch.tensor([2, 0, 1, 4, 5, 3])


def softmax(z):
    total = sum(math.exp(v) for v in z)
    return [math.exp(v) / total for v in z]


def unit(v):
    length = math.sqrt(sum(a * a for a in v))
    return [a / length for a in v]


def distance(q, p, zeroed, n):
    """n times the unit vector of softmax(q - p), one class of p set to 0."""
    p = [0.0 if k == zeroed else v for k, v in enumerate(p)]
    return [n * v for v in unit(softmax([a - b for a, b in zip(q, p, strict=True)]))]


def log_softmax_at(z, k):
    return z[k] - math.log(sum(math.exp(v) for v in z))


def predictions(net, x):
    seen = []
    handle = net.fc.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    logits = net(x)
    handle.remove()
    return logits.tolist(), seen[0]


@pytest.mark.parametrize("inner", [CutMix(1.0), FMix(per_sample=True), Mixup(per_sample=True)])
def test_row_by_row(inner, tiny, batch):
    """Labels and uncertainty loss, image by image in Python's float64."""
    net, (x, _) = tiny("resnet").double().eval(), batch()
    nn.init.normal_(net.fc.weight, std=3.0)
    x, y = x.double(), torch.eye(10, dtype=torch.float64)[LABELS]
    torch.manual_seed(0)
    mixer = SUMix(inner)
    mixer.setup(net)
    nn.init.normal_(mixer.uncertainty.weight, std=0.3)
    torch.manual_seed(5)
    logits, target, losses = mixer(net, x, y, partner=PARTNER)
    torch.manual_seed(5)
    images, _ = inner.mix(x, y, partner=PARTNER)
    lams = torch.as_tensor(inner.lam).double().view(-1).expand(6).tolist()
    (raw, own), (mixed, features) = predictions(net, x), predictions(net, images)
    torch.testing.assert_close(logits, torch.tensor(mixed, dtype=torch.float64))
    unsure = [
        [unit(softmax(row)) for row in mixer.uncertainty(f).tolist()] for f in (own, features)
    ]
    terms = []
    for n, (lam, m) in enumerate(zip(lams, PARTNER.tolist(), strict=True)):
        a, b, q = LABELS[n], LABELS[m], softmax(mixed[n])
        near = distance(q, softmax(raw[n]), b, 6)
        far = distance(q, softmax(raw[m]), a, 6)
        own_weight, other_weight = lam * math.exp(-near[a]), (1 - lam) * math.exp(-far[b])
        share = own_weight / (own_weight + other_weight)
        expected = [0.0] * 10
        expected[a] += share
        expected[b] += 1 - share
        assert target[n].tolist() == pytest.approx(expected, abs=1e-5)
        total = 0.0
        for weight, row, alpha, k in ((lam, n, near, a), (1 - lam, m, far, b)):
            beta = [u + v for u, v in zip(unsure[0][row], unsure[1][n], strict=True)]
            z = [math.exp(-(u + v)) for u, v in zip(beta, alpha, strict=True)]
            total -= weight * log_softmax_at(z, k)
        terms.append(total)
    assert losses["uncertainty"].item() == pytest.approx(0.5 * sum(terms) / 6, rel=1e-5)
    changed = target - torch.tensor(lams, dtype=torch.float64)[:, None] * y
    assert changed.abs().max() > 1e-3


def test_the_uncertainty_starts_as_the_authors(tiny):
    """Weights from N(0, 0.01²), no bias."""
    torch.manual_seed(0)
    mixer = SUMix(CutMix())
    mixer.setup(tiny("resnet"))
    assert mixer.uncertainty.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert mixer.uncertainty.weight.mean().abs() < 0.002
    assert not mixer.uncertainty.bias.any()


def test_uncertainty_trains_the_network_through_both_passes(tiny, batch):
    net, (x, y) = tiny("resnet"), batch()
    mixer = SUMix(CutMix())
    mixer.setup(net)
    x.requires_grad_()
    mixer(net, x, y).losses["uncertainty"].backward()
    assert net.conv1.weight.grad.abs().max() > 0 and net.fc.weight.grad is None
    assert mixer.uncertainty.weight.grad.abs().max() > 0


def test_without_gamma_nothing_is_learned(tiny, batch):
    net, (x, y) = tiny("resnet"), batch()
    mixer = SUMix(CutMix(), gamma=0)
    mixer.setup(net)
    seen = []
    net.fc.register_forward_hook(lambda _m, _args, out: seen.append(out.requires_grad))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = mixer(net, x, y)
    mixed.logits.float().sum().backward()
    assert seen == [False, True] and mixed.losses == {}
    assert not list(mixer.parameters()) and all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_whole_images_keep_their_label(lam, tiny, batch, monkeypatch):
    net, (x, y) = tiny("resnet").eval(), batch()
    mixer = SUMix(Mixup())
    mixer.setup(net)
    monkeypatch.setattr("openmix.ops.draw.beta", lambda alpha: lam)
    mixed = mixer(net, x, y, partner=PARTNER)
    assert torch.equal(mixed.target, y if lam else y[PARTNER])
    assert mixed.losses["uncertainty"].isfinite()


def test_a_mixer_without_partners_is_refused():
    with pytest.raises(ValueError, match="takes a partner, not ManifoldMix"):
        SUMix(ManifoldMix())
