import numpy as np
import pytest
import torch

from openmix.mixups import FMix
from openmix.ops.fourier import keep_largest, low_frequency

CPU = torch.device("cpu")
VARIANTS = ["isotropic", "paper", "official"]


def masks(variant, n, lam):
    torch.manual_seed(0)
    return keep_largest(low_frequency(n, 32, 32, 3.0, variant, CPU), lam)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("lam", [0.0, 0.0004, 0.3, 0.5, 0.77, 1.0])
def test_mask_area_is_lambda_within_a_pixel(variant, lam):
    torch.manual_seed(0)
    x, mixer = torch.empty(6, 3, 24, 32), FMix(variant=variant)
    for given, rows in ((lam, 1), (torch.full((6,), lam), 6)):
        mask = mixer.mask(x, given)
        assert mask.shape == (rows, 1, 24, 32) and mask.unique().tolist() in ([0], [1], [0, 1])
        area = mask.double().mean((1, 2, 3))
        assert (area - lam).abs().max() <= 1 / (24 * 32) + 1e-6
        if lam in (0, 1):
            assert (area == lam).all()


@pytest.mark.parametrize("size", [8, 32, 224])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("decay", [0.0, 3.0])
def test_search_finds_what_sorting_finds(variant, size, decay):
    """One share a row keeps the largest pixels, as many as asked for, give or take a few."""
    torch.manual_seed(0)
    image, share = low_frequency(64, size, size, decay, variant, CPU), torch.rand(64)
    share[0], share[1] = 0, 1
    masks = keep_largest(image, share)
    assert not masks[0].any() and masks[1].all()
    for row, wanted, mask in zip(image, share, masks, strict=True):
        kept = int(mask.sum())
        assert abs(wanted * size**2 - kept) <= max(2, size / 45)
        if 0 < kept < size**2:
            assert row[mask == 1].min() > row[mask == 0].max()


def test_the_last_pixel_is_a_fair_coin():
    """λ HW = 10.3 keeps 10 pixels or 11, 10.3 on average."""
    torch.manual_seed(0)
    image = torch.randn(1, 8, 8)
    counts = torch.tensor([keep_largest(image, 10.3 / 64).sum() for _ in range(3000)])
    assert set(counts.tolist()) == {10, 11}
    assert counts.mean().item() == pytest.approx(10.3, abs=0.04)


def test_variants_are_told_apart_by_their_edges():
    """Switches between columns over switches between rows, and rows that switch more than twice.

    At λ = 0.5 and 32 px: 57.9 / 45.9 by the paper's formula, 60.2 / 41.2 by the authors' code. A
    row of the latter is one sine wave and a constant: it switches twice round the row, or never.
    """
    expected = {"isotropic": (51.4, 50.9), "paper": (57.9, 45.9), "official": (60.2, 41.2)}
    for variant, (columns, rows) in expected.items():
        m = masks(variant, 2000, 0.5)
        assert (m[:, :, 1:] != m[:, :, :-1]).sum() / 2000 == pytest.approx(columns, abs=1.5)
        assert (m[:, 1:] != m[:, :-1]).sum() / 2000 == pytest.approx(rows, abs=1.5)
    busy = {}
    for variant in VARIANTS:
        m = masks(variant, 2000, torch.rand(2000, generator=torch.Generator().manual_seed(1)))
        busy[variant] = ((m != m.roll(1, 2)).sum(2) > 2).any(1).float().mean().item()
    assert busy["official"] == 0
    assert busy["paper"] == pytest.approx(0.266, abs=0.04)
    assert busy["isotropic"] > 0.2


def spectrum_scale(h, w, decay):
    """1 / max(f, 1 / max(h, w)) ** decay on the half spectrum, in numpy."""
    fy, fx = np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[: w // 2 + 1]
    return 1 / np.maximum(np.sqrt(fx**2 + fy**2), 1 / max(h, w)) ** decay


@pytest.mark.parametrize(("h", "w"), [(32, 32), (24, 32), (32, 20), (9, 15)])
@pytest.mark.parametrize("decay", [3.0, 1.5])
def test_official_is_the_authors_formula(h, w, decay):
    """Gaussians (n, h, w', 2), scaled; rows 0 and 1 of the HEIGHT axis taken as re and im."""
    half, n = w // 2 + 1, 3
    torch.manual_seed(0)
    used = torch.randn(n, 2, half, 2).numpy()
    param = np.random.default_rng(0).standard_normal((n, h, half, 2))
    param[:, :2] = used
    param *= spectrum_scale(h, w, decay)[None, :, :, None]
    expected = np.real(np.fft.irfftn(param[:, 0] + 1j * param[:, 1], (h, w), axes=(-2, -1)))
    torch.manual_seed(0)
    image = low_frequency(n, h, w, decay, "official", CPU).numpy()
    np.testing.assert_allclose(image, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("h", "w"), [(32, 32), (24, 32), (9, 15)])
def test_paper_is_the_papers_formula(h, w):
    torch.manual_seed(0)
    z = torch.randn(2, h, w // 2 + 1, 2).numpy()
    spectrum = (z[..., 0] + 1j * z[..., 1]) * spectrum_scale(h, w, 3.0)
    expected = np.fft.irfftn(spectrum, (h, w), axes=(-2, -1))
    torch.manual_seed(0)
    image = low_frequency(2, h, w, 3.0, "paper", CPU).numpy()
    np.testing.assert_allclose(image, expected, atol=1e-4 * np.abs(expected).max())


def test_isotropic_power_falls_with_frequency_alike_in_all_directions():
    """Amplitude is proportional to f ** -decay: rows and columns of the spectrum, even and odd."""
    torch.manual_seed(0)
    image = low_frequency(4000, 16, 16, 3.0, "isotropic", CPU)
    power = torch.fft.fft2(image).abs().square().mean(0)
    torch.testing.assert_close(power, power.T, rtol=0.15, atol=0)
    k = torch.arange(1.0, 8)
    torch.testing.assert_close(power[0, 1:8] / power[0, 1], k**-6, rtol=0.15, atol=0)
    torch.testing.assert_close(power[1, 1] / power[0, 2], torch.tensor(8.0), rtol=0.15, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("per_sample", [False, True])
def test_label_is_exactly_what_is_shown(variant, per_sample):
    torch.manual_seed(0)
    mixer = FMix(variant=variant, per_sample=per_sample)
    x = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 1, 16, 24)
    areas = []
    for _ in range(40):
        out, target = mixer.mix(x, torch.eye(5))
        shown = torch.stack([(out[:, 0] == i).float().mean((1, 2)) for i in range(5)], 1)
        torch.testing.assert_close(target, shown, rtol=0, atol=1e-6)
        areas.append(target.diagonal())
    assert all((len(set(a.tolist())) > 1) == per_sample for a in areas)


@pytest.mark.parametrize("per_sample", [False, True])
def test_mean_area_is_the_mean_of_lambda(per_sample):
    torch.manual_seed(0)
    x, mixer = torch.zeros(16, 1, 16, 16), FMix(per_sample=per_sample)
    own = [mixer.mix(x, torch.eye(16))[1].diagonal() for _ in range(100 if per_sample else 1000)]
    assert torch.cat(own).mean().item() == pytest.approx(0.5, abs=0.04)
