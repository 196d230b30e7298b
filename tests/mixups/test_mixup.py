import pytest
import torch

from openmix.mixups import Mixup


def test_by_hand():
    x = torch.tensor([0.0, 10.0, 20.0]).view(3, 1, 1, 1)
    out, target = Mixup().mix(x, torch.eye(3), lam=0.7, partner=torch.tensor([1, 2, 0]))
    torch.testing.assert_close(out.flatten(), torch.tensor([3.0, 13.0, 14.0]))
    expected = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.7, 0.3], [0.3, 0.0, 0.7]])
    torch.testing.assert_close(target, expected)


def test_every_row_has_its_own_weight():
    x = torch.tensor([0.0, 10.0, 20.0]).view(3, 1, 1, 1)
    lam = torch.tensor([0.9, 0.5, 0.0])
    out, target = Mixup().mix(x, torch.eye(3), lam=lam, partner=torch.tensor([1, 2, 0]))
    torch.testing.assert_close(out.flatten(), torch.tensor([1.0, 15.0, 0.0]))
    expected = torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(target, expected)


@pytest.mark.parametrize("per_sample", [False, True])
def test_per_sample_draws_one_weight_a_row(per_sample, batch):
    torch.manual_seed(0)
    mixer = Mixup(per_sample=per_sample)
    _, target = mixer.mix(batch(8)[0], torch.eye(8))
    assert len(set(target.diagonal().tolist())) == (8 if per_sample else 1)
    torch.testing.assert_close(torch.as_tensor(mixer.lam).expand(8), target.diagonal())


@pytest.mark.parametrize("per_sample", [False, True])
def test_weights_follow_the_beta_distribution(per_sample):
    torch.manual_seed(0)
    mixer, x, y = Mixup(0.4, per_sample), torch.zeros(4, 1, 1, 1), torch.eye(4)
    weights = torch.cat(
        [mixer.mix(x, y)[1].diagonal()[: 4 if per_sample else 1] for _ in range(4000)]
    )
    assert weights.mean().item() == pytest.approx(0.5, abs=0.025)
    assert weights.var().item() == pytest.approx(1 / (4 * 1.8), rel=0.05)


def test_negative_alpha_is_refused():
    with pytest.raises(ValueError, match="alpha must be 0 or more, got -1"):
        Mixup(alpha=-1)
