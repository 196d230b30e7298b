import pytest
import torch
from scipy.stats import kstest

from openmix.mixups import NFM, ManifoldMix
from openmix.ops import draw


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_without_noise_it_is_manifold_mixup(layer, tiny, batch):
    net, (x, y) = tiny("resnet").eval(), batch()
    ours = NFM(add=0, mult=0)(net, x, y, lam=0.3, partner=2, layer=layer)
    plain = ManifoldMix()(net, x, y, lam=0.3, partner=2, layer=layer)
    torch.testing.assert_close(ours.logits, plain.logits)
    assert torch.equal(ours.target, plain.target)


def test_noise_has_the_distributions_of_the_paper(monkeypatch):
    """With b = 0.5: normal of standard deviation 0.4 b, and a factor uniform on 1 -+ 0.2 b."""
    monkeypatch.setattr(draw, "beta", lambda a, b: {(2, 5): 0.5}[a, b])
    torch.manual_seed(0)
    ones = torch.ones(2, 4, 50, 50)
    added = NFM(mult=0).combine(ones, 1, 0.3) - 1
    assert kstest(added.flatten() / 0.2, "norm").pvalue > 1e-3
    scaled = NFM(add=0).combine(3 * ones, 1, 0.3) / 3
    assert kstest((scaled.flatten() - 0.9) / 0.2, "uniform").pvalue > 1e-3


def test_levels_are_drawn_once_for_the_batch():
    """Their mean is Beta(2, 5)'s 2 / 7, and all images of a batch share the level."""
    torch.manual_seed(0)
    zeros = torch.zeros(2, 1, 60, 60)
    levels = torch.stack([NFM(add=1).combine(zeros, 1, 0.5).std((1, 2, 3)) for _ in range(600)])
    assert levels.mean().item() == pytest.approx(2 / 7, abs=0.03)
    assert levels.std(0).mean() > 10 * (levels[:, 0] - levels[:, 1]).abs().mean()


def test_the_sum_is_the_blend_scaled_then_shifted(monkeypatch):
    """(0.25 * 4 + 0.75 * 8) * (1 + 0.2 * 0.5 * (2 * 0.75 - 1)) + 0.4 * 0.5 * 2 = 7.75."""
    monkeypatch.setattr(draw, "beta", lambda a, b: 0.5)
    monkeypatch.setattr(torch, "rand_like", lambda t, dtype: torch.full_like(t, 0.75))
    monkeypatch.setattr(torch, "randn_like", lambda t, dtype: torch.full_like(t, 2.0))
    x = torch.tensor([4.0, 8.0]).view(2, 1, 1, 1)
    assert NFM().combine(x, 1, 0.25).flatten()[0].item() == pytest.approx(7.75)
