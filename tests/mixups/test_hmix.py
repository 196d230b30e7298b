import pytest
import torch

from openmix.mixups import HMix, Mixup
from openmix.ops import draw


def test_by_hand(monkeypatch):
    """λ 0.5, ratio 0.5 of 8 x 8: the box has sides of 4; around (1, 7) it keeps rows 0-2 and
    columns 5-7, 9 pixels, so that 55/64 is left to carry λ and is blended by 32/55."""
    monkeypatch.setattr(draw, "uniform", lambda _n: [0.125, 0.875])
    x = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])
    out, target = HMix(ratio=0.5).mix(x, torch.eye(2), lam=0.5, partner=1)
    expected = torch.full((8, 8), 32 / 55)
    expected[0:3, 5:8] = 0
    torch.testing.assert_close(out[1, 0], expected)
    torch.testing.assert_close(out[0, 0], 1 - expected)
    torch.testing.assert_close(target, torch.full((2, 2), 0.5))


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("ratio", [0.25, 0.5, 1.0])
def test_label_is_lam_however_the_box_is_clipped(per_sample, ratio):
    """Each image shows only its own number; counted in double precision."""
    torch.manual_seed(0)
    n, mixer = 5, HMix(ratio=ratio, per_sample=per_sample)
    x = torch.eye(n, dtype=torch.float64).view(n, n, 1, 1).expand(n, n, 12, 18)
    for _ in range(30):
        lam = draw.beta_rows(1.0, x) if per_sample else draw.beta(1.0)
        out, target = mixer.mix(x, torch.eye(n), lam=lam, partner=2)
        torch.testing.assert_close(target.double(), out.mean((2, 3)), rtol=0, atol=1e-6)
        wanted = torch.as_tensor(lam).expand(n)
        torch.testing.assert_close(target.diagonal(), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("per_sample", [False, True])
def test_there_is_one_level_outside_the_box_and_none_inside(per_sample):
    torch.manual_seed(0)
    mixer, x = HMix(per_sample=per_sample), torch.empty(6, 1, 16, 16)
    for lam in (0.2, 0.5, 0.8):
        rows = torch.full((6,), lam) if per_sample else lam
        for mask in mixer.mask(x, rows)[:, 0]:
            levels = mask.unique()
            assert levels[0] == 0 and len(levels) == 2 and lam < levels[1] <= 1
            zero = mask == 0
            assert torch.equal(zero, zero.any(1)[:, None] & zero.any(0))
            assert zero.sum() <= (1 - lam) * 0.5 * 256


def test_ratio_0_is_mixup(batch):
    x, y = batch()
    for lam in (0.3, torch.linspace(0, 1, 6)):
        ours = HMix(ratio=0.0).mix(x, y, lam=lam, partner=2)
        for a, b in zip(ours, Mixup().mix(x, y, lam=lam, partner=2), strict=True):
            torch.testing.assert_close(a, b)


def test_a_box_that_covers_everything_leaves_nothing(monkeypatch):
    monkeypatch.setattr(draw, "uniform", lambda _n: [0.5, 0.5])
    assert (HMix(ratio=1.0).mask(torch.empty(1, 1, 8, 8), 0.0) == 0).all()


def test_impossible_ratio_is_refused():
    with pytest.raises(ValueError, match="ratio must lie in"):
        HMix(ratio=1.5)
