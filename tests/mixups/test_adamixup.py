import copy

import pytest
import torch
import torch.nn.functional as F

from openmix import internals
from openmix.mixups import AdaMixUp, adamixup


def set_up(net, **options):
    torch.manual_seed(0)
    mixer = AdaMixUp(**options)
    mixer.setup(net)
    with torch.no_grad():  # intervals that differ
        for layer in (*internals_head(mixer), *mixer.discriminator):
            layer.weight.mul_(300)
    return mixer


def internals_head(mixer):
    policy = mixer.policy.net
    return policy.fc if hasattr(policy, "fc") else policy.head


@pytest.mark.parametrize("kind", ["resnet", "vit"])
def test_the_second_network_shares_out_the_unit_interval(kind, tiny, batch, monkeypatch):
    net, (x, _) = tiny(kind).eval(), batch()
    mixer = set_up(net).eval()
    noise = torch.randn(2, *x.shape)
    monkeypatch.setattr(adamixup, "truncated_normal", lambda _shape, _device: noise)
    low, width = mixer.policy(x, 2)
    with internals.inputs_of(internals.classifier(net)) as seen:
        net((noise[0] * x + noise[1] * x.roll(2, 0)) / 2)
    first, second = internals_head(mixer)
    assert (first.out_features, second.out_features) == (100, 3)
    shares = second(first(seen[0])).softmax(1)
    torch.testing.assert_close(torch.stack([low, width], 1), shares[:, :2])
    assert low.std() > 0 and width.std() > 0


@pytest.mark.parametrize("kind", ["resnet", "vit"])
def test_step_by_hand(kind, tiny, batch, monkeypatch):
    net, (x, y) = tiny(kind), batch()
    mixer = set_up(net, intrusion=0.5)
    bounds = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), torch.full((6,), 0.2)
    monkeypatch.setattr(mixer.policy, "forward", lambda _x, _partner: bounds)
    other = copy.deepcopy(net)
    torch.manual_seed(3)
    mixed = mixer(net, x, y, partner=torch.tensor([3, 2, 0, 5, 4, 1]))
    torch.manual_seed(3)
    lam = bounds[0] + torch.rand(6) * 0.2
    partner = torch.tensor([3, 2, 0, 5, 4, 1])
    blends = torch.stack([lam[i] * x[i] + (1 - lam[i]) * x[j] for i, j in enumerate(partner)])
    labels = torch.stack([lam[i] * y[i] + (1 - lam[i]) * y[j] for i, j in enumerate(partner)])
    with internals.inputs_of(internals.classifier(other)) as seen:
        logits = other(torch.cat([blends, x]))
    torch.testing.assert_close(mixed.logits, logits)
    torch.testing.assert_close(mixed.target, torch.cat([labels, y]))
    # As many blends as images, and as many images again that are not blended in the authors' code.
    real = torch.tensor([0] * 6 + [1] * 12)
    verdicts = mixer.discriminator(torch.cat([seen[0], seen[0][6:]]))
    torch.testing.assert_close(mixed.losses["intrusion"], 0.5 * F.cross_entropy(verdicts, real))
    torch.testing.assert_close(mixer.lam, lam)


def test_it_begins_in_the_middle_third(tiny, batch):
    net, (x, y) = tiny("resnet"), batch(64)
    mixer = AdaMixUp()
    mixer.setup(net)
    mixer(net, x, y)
    assert mixer.lam.min() > 0.32 and mixer.lam.max() < 0.68
    assert mixer.lam.min() < 0.37 and mixer.lam.max() > 0.63


@pytest.mark.parametrize("loss", ["classification", "intrusion"])
def test_both_losses_reach_both_networks(loss, tiny, batch):
    """Labels are no way for the gradient: with constant images none reaches the second network."""
    net, (x, y) = tiny("resnet"), batch()
    mixer = set_up(net)
    for images, reaches in ((x, True), (torch.ones_like(x), False)):
        mixed = mixer(net, images, y, partner=1)
        value = (
            F.cross_entropy(mixed.logits, mixed.target)
            if loss == "classification"
            else mixed.losses["intrusion"]
        )
        value.backward()
        moved = sum(p.grad.abs().sum() for p in mixer.policy.parameters() if p.grad is not None)
        assert (moved > 1e-6) == reaches
        assert net.conv1.weight.grad.abs().sum() > 0
        assert (mixer.discriminator[0].weight.grad is not None) == (loss == "intrusion")
        net.zero_grad()
        mixer.zero_grad()


def test_truncated_normal_is_torchs():
    torch.manual_seed(0)
    found = adamixup.truncated_normal((200_000,), torch.device("cpu")).sort().values
    expected = torch.nn.init.trunc_normal_(torch.empty(200_000)).sort().values
    assert found.abs().max() <= 2
    torch.testing.assert_close(
        found[1000:-1000], expected[1000:-1000].clamp(-2, 2), rtol=0, atol=0.03
    )
