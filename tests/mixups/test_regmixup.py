import pytest
import torch
import torch.nn.functional as F

from openmix.losses import SoftCrossEntropy
from openmix.mixups import Mixup, RegMixup
from openmix.ops import draw


@pytest.mark.parametrize("eta", [1.0, 0.5, 0.0])
def test_loss_is_the_papers(eta, monkeypatch, tiny, batch):
    """CE(x, y) + eta (λ CE(x', y) + (1 - λ) CE(x', y')), with integer labels, λ = 0.3."""
    monkeypatch.setattr(draw, "beta", lambda _a: 0.3)
    monkeypatch.setattr(draw, "shift", lambda _n: 2)
    net, (x, y) = tiny("resnet").eval(), batch()
    logits, target, _ = RegMixup(eta=eta)(net, x, y)
    labels, others = y.argmax(1), y.roll(2, 0).argmax(1)
    mixed = net(0.3 * x + 0.7 * x.roll(2, 0))
    expected = F.cross_entropy(net(x), labels) + eta * (
        0.3 * F.cross_entropy(mixed, labels) + 0.7 * F.cross_entropy(mixed, others)
    )
    torch.testing.assert_close(SoftCrossEntropy()(logits, target).mean(), expected)


def test_first_half_is_the_batch_and_second_half_its_mixup(batch):
    x, y = batch()
    torch.manual_seed(3)
    both, target = RegMixup(alpha=10.0).mix(x, y)
    torch.manual_seed(3)
    mixed, labels = Mixup(alpha=10.0).mix(x, y)
    assert torch.equal(both, torch.cat([x, mixed]))
    assert torch.equal(target, torch.cat([2 * y, 2 * labels]))


def test_both_halves_pass_the_network_at_once(tiny, batch):
    """Batch statistics are those of all 2N images, as in the authors' code."""
    net, seen = tiny("resnet"), []
    net.register_forward_pre_hook(lambda _module, args: seen.append(len(args[0])))
    RegMixup()(net, *batch(5))
    assert seen == [10]


def test_lam_is_near_one_half(batch):
    """The variance of Beta(20, 20) is 1/164."""
    torch.manual_seed(0)
    mixer, drawn = RegMixup(), []
    for _ in range(2000):
        mixer.mix(*batch(2, (1, 1)))
        drawn.append(mixer.lam)
    drawn = torch.tensor(drawn)
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.01)
    assert drawn.var().item() == pytest.approx(1 / 164, rel=0.15)


def test_negative_eta_is_refused():
    with pytest.raises(ValueError, match="eta must be 0 or more"):
        RegMixup(eta=-1.0)
