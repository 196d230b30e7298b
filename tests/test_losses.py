import math

import pytest
import torch

from openmix.losses import BinaryCrossEntropy, SoftCrossEntropy, smooth

LOSSES = [SoftCrossEntropy, BinaryCrossEntropy]


def cross_entropy(z, t):
    """Of one row, number by number in float64."""
    log_sum = math.log(sum(math.exp(v) for v in z))
    return -sum(w * (v - log_sum) for v, w in zip(z, t, strict=True))


def binary_cross_entropy(z, t):
    terms = []
    for v, w in zip(z, t, strict=True):
        p = 1 / (1 + math.exp(-v))
        terms.append(-w * math.log(p) - (1 - w) * math.log(1 - p))
    return sum(terms) / len(terms)


REFERENCE = {SoftCrossEntropy: cross_entropy, BinaryCrossEntropy: binary_cross_entropy}


def rows(n=7, classes=5):
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(n, classes, generator=generator), torch.rand(
        n, classes, generator=generator
    ).softmax(1)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_each_row_has_its_own_loss(loss, scale):
    """Also where the weights of a row do not sum to 1."""
    logits, target = rows()
    target = target * scale
    found = loss()(logits, target)
    expected = [
        REFERENCE[loss](z, t) for z, t in zip(logits.tolist(), target.tolist(), strict=True)
    ]
    assert found.shape == (7,) and found.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_smoothing_the_mixed_target_is_mixing_smoothed_one_hots(loss):
    """timm's order: on = 1 - s + s / K and off = s / K first, λ then."""
    logits, _ = rows(3)
    lam, own, other = [0.3, 0.8, 1.0], [0, 1, 4], [2, 1, 3]

    def one_hot(labels, s=0.0):
        return torch.full((3, 5), s / 5).index_put_(
            (torch.arange(3), torch.tensor(labels)), torch.tensor(1 - s + s / 5)
        )

    weight = torch.tensor(lam)[:, None]
    mixed = weight * one_hot(own) + (1 - weight) * one_hot(other)
    first_smoothed = weight * one_hot(own, 0.1) + (1 - weight) * one_hot(other, 0.1)
    torch.testing.assert_close(smooth(mixed, 0.1), first_smoothed)
    torch.testing.assert_close(loss(0.1)(logits, mixed), loss()(logits, first_smoothed))
    expected = [
        REFERENCE[loss](z, t) for z, t in zip(logits.tolist(), first_smoothed.tolist(), strict=True)
    ]
    assert loss(0.1)(logits, mixed).tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_smoothed_cross_entropy_is_that_of_torch(smoothing):
    """Of class indices row by row, and of mixed targets in the mean, which is all torch offers."""
    logits, mixed = rows()
    torch_loss = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)
    torch.testing.assert_close(
        SoftCrossEntropy(smoothing)(logits, mixed).mean(), torch_loss(logits, mixed)
    )
    labels = torch.arange(7) % 5
    one_hot = torch.nn.functional.one_hot(labels, 5).float()
    by_row = torch.stack(
        [torch_loss(z[None], t[None]) for z, t in zip(logits, labels, strict=True)]
    )
    torch.testing.assert_close(SoftCrossEntropy(smoothing)(logits, one_hot), by_row)


def test_smoothing_keeps_the_weight_of_a_row():
    target = torch.tensor([[0.5, 0.2, 0.1], [2.0, 0.0, 0.0]])
    torch.testing.assert_close(smooth(target, 0.3).sum(1), target.sum(1))
    assert smooth(target, 0.0) is target


def test_weights_of_images_are_not_averaged_away():
    """Row 0 is sure of class 0 and weighs it 0.1, row 1 is unsure and weighs it 0.9.

    Cross-entropies of the classes (0, 1): row 0 (0.0181, 4.0181), row 1 (0.6931, 0.6931). Image by
    image (0.1 * 0.0181 + 0.9 * 4.0181 + 0.6931) / 2 = 2.1556; by the mean weight of 0.5, 1.3556.
    """
    logits = torch.tensor([[4.0, 0.0], [0.0, 0.0]])
    target = torch.tensor([[0.1, 0.9], [0.9, 0.1]])
    assert SoftCrossEntropy()(logits, target).mean().item() == pytest.approx(2.1556, abs=1e-4)
    averaged = target.mean(0).expand(2, 2)
    assert SoftCrossEntropy()(logits, averaged).mean().item() == pytest.approx(1.3556, abs=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_logits_are_widened_first(loss, dtype):
    logits, target = rows()
    logits = logits.to(dtype)
    found = loss()(logits, target)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss()(logits.float(), target))


@pytest.mark.parametrize("loss", LOSSES)
def test_large_logits_stay_finite(loss):
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    value = loss()(logits, torch.tensor([[0.0, 1.0, 0.0]])).sum()
    value.backward()
    assert value.isfinite() and logits.grad.isfinite().all()
