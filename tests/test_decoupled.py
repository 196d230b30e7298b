"""Decoupled cross-entropy against a loop over rows and classes in float64."""

import math

import pytest
import torch

from openmix.losses import DecoupledCrossEntropy, SoftCrossEntropy

LAMBDAS = [0.3, 0.7, 0.5, 0.9, 1.0, 0.4]
PAIRS = [(0, 3), (3, 0), (1, 2), (4, 4), (2, 1), (3, 3)]
"""Classes in either order, equal shares, an image mixed with its own class, one not mixed."""


def rows(scale=1.0):
    logits = 3 * torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    eye = torch.eye(5)
    target = [m * eye[a] + (1 - m) * eye[b] for m, (a, b) in zip(LAMBDAS, PAIRS, strict=True)]
    return logits, scale * torch.stack(target)


def missing_one(z, i, other):
    """-log softmax over all classes but ``other``, at class i."""
    return math.log(sum(math.exp(v) for k, v in enumerate(z) if k != other)) - z[i]


def by_hand(z, lam, a, b, eta, mode, power):
    log_sum = math.log(sum(math.exp(v) for v in z))
    loss = lam * (log_sum - z[a]) + (1 - lam) * (log_sum - z[b])
    if a == b or lam in (0, 1):
        return loss
    for weight, rest, i, other in ((lam, 1 - lam, a, b), (1 - lam, lam, b, a)):
        use = {"both": 1, "less": weight < rest, "more": weight > rest}[mode]
        if weight == rest and mode != "both":
            use = 0.5
        loss += use * eta * weight**power * missing_one(z, i, other)
    return loss


@pytest.mark.parametrize("mode", ["both", "less", "more"])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_row_by_row(mode, power):
    logits, target = rows()
    found = DecoupledCrossEntropy(0.3, mode, power)(logits, target)
    expected = [
        by_hand(z, lam, a, b, 0.3, mode, power)
        for z, lam, (a, b) in zip(logits.tolist(), LAMBDAS, PAIRS, strict=True)
    ]
    assert found.shape == (6,) and found.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("mode", ["both", "less", "more"])
def test_scaled_rows_scale_their_loss(mode):
    logits, target = rows()
    loss = DecoupledCrossEntropy(mode=mode)
    torch.testing.assert_close(loss(logits, 0.6 * target), 0.6 * loss(logits, target))


def test_without_eta_it_is_cross_entropy():
    logits, target = rows()
    found = DecoupledCrossEntropy(eta=0, smoothing=0.1)(logits, target)
    torch.testing.assert_close(found, SoftCrossEntropy(0.1)(logits, target))


def test_a_class_alone_does_not_push_the_other_down():
    """The added terms leave the logit of the other class without gradient."""
    logits, target = torch.zeros(1, 5, requires_grad=True), torch.tensor([[0.7, 0.3, 0, 0, 0]])
    loss = DecoupledCrossEntropy(1.0, "more", 0)(logits, target)
    plain = SoftCrossEntropy()(logits, target)
    (added,) = torch.autograd.grad((loss - plain).sum(), logits)
    torch.testing.assert_close(added, torch.tensor([[-0.75, 0.0, 0.25, 0.25, 0.25]]))


def test_large_logits_and_empty_rows_stay_finite():
    logits = torch.tensor([[1e4, -1e4, 0.0], [1.0, 2.0, 3.0]], requires_grad=True)
    target = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    value = DecoupledCrossEntropy()(logits.half(), target)
    value.sum().backward()
    assert value.isfinite().all() and value.dtype == torch.float32
    assert value[1] == 0 and logits.grad.isfinite().all()
