import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from openmix import internals
from openmix.mixups import GuidedMixup
from openmix.ops.pairing import farthest_cycle
from openmix.ops.saliency import gaussian_blur, spectral_residual


def cycle_by_hand(maps):
    """Start at the most distant pair; go on to the farthest image that has no predecessor yet."""
    n = len(maps)
    distance = {(i, j): np.linalg.norm(maps[i] - maps[j]) for i in range(n) for j in range(n)}
    first, current = max(((i, j) for i, j in distance if i != j), key=distance.get)
    partner, free = {first: current}, set(range(n)) - {first, current}
    while free:
        following = max(free, key=lambda j: distance[current, j])
        partner[current], current = following, following
        free.remove(following)
    return [*({**partner, current: first}[i] for i in range(n))]


@pytest.mark.parametrize("n", [2, 3, 8, 25])
def test_greedy_pairs_form_the_cycle_found_by_hand(n):
    for seed in range(5):
        maps = np.random.default_rng(seed).random((n, 5, 6))
        found = farthest_cycle(torch.from_numpy(maps)).tolist()
        assert found == cycle_by_hand(maps)
        seen, at = [], 0
        for _ in range(n):
            seen.append(at)
            at = found[at]
        assert at == 0 and sorted(seen) == list(range(n))


def test_a_single_image_is_its_own_partner(batch):
    x, y = batch(1)
    out, target = GuidedMixup().mix(x, y)
    torch.testing.assert_close(out, x)
    torch.testing.assert_close(target, y)


def test_spectral_residual_equals_numpys():
    images = np.random.default_rng(0).random((3, 3, 20, 31))
    found = spectral_residual(torch.from_numpy(images)).numpy()
    for image, maps in zip(images, found, strict=True):
        spectrum = np.fft.fft2(0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2])
        log = np.log(np.sqrt(np.abs(spectrum) ** 2 + 1e-10))
        padded = np.pad(log, 1, mode="edge")
        near = [padded[i : i + 20, j : j + 31] for i in range(3) for j in range(3)]
        residual = np.exp(log - np.mean(near, 0) + 1j * np.angle(spectrum))
        np.testing.assert_allclose(maps, np.abs(np.fft.ifft2(residual)), atol=1e-6)


def test_large_images_are_analysed_and_blurred_small():
    """At 128 px, then resized; blurred once more at the size of the image."""
    x, y = torch.randn(2, 3, 160, 200), torch.eye(2)
    small = F.interpolate(x, (128, 128), mode="bilinear", antialias=True)
    found = spectral_residual(small).double().numpy()
    blurred = torch.stack([torch.from_numpy(blur_by_hand(maps)) for maps in found])[:, None]
    maps = F.interpolate(blurred, (160, 200), mode="bilinear")[:, 0]
    seen = spectral_residual(x, blur=(7, 3.0))
    torch.testing.assert_close(seen.double(), maps, rtol=0, atol=1e-5)
    once = gaussian_blur(spectral_residual(x), 7, 3.0)
    assert (seen - once).abs().max() > 0.01 * once.max()
    for a, b in zip(
        GuidedMixup().mix(x, y), GuidedMixup().mix(x, y, maps=maps.float()), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def blur_by_hand(grey):
    bell = np.exp(-(np.arange(-3, 4) ** 2) / 18)
    kernel = np.outer(bell, bell) / bell.sum() ** 2
    padded = np.pad(grey, 3, mode="reflect")
    return np.array(
        [
            [(padded[i : i + 7, j : j + 7] * kernel).sum() for j in range(grey.shape[1])]
            for i in range(grey.shape[0])
        ]
    )


@pytest.mark.parametrize("partner", [2, torch.tensor([1, 3, 0, 2])], ids=str)
def test_weight_of_a_pixel_is_its_share_of_the_saliency(partner):
    """Given maps are blurred once, made to sum to 1, and compared pixel by pixel."""
    rng = np.random.default_rng(0)
    x, maps = rng.standard_normal((4, 3, 12, 10)), rng.random((4, 12, 10))
    rows = (np.arange(4) - partner) % 4 if isinstance(partner, int) else partner.numpy()
    out, target = GuidedMixup().mix(
        torch.from_numpy(x), torch.eye(4), partner=partner, maps=torch.from_numpy(maps)
    )
    smooth = [m / m.sum() for m in map(blur_by_hand, maps)]
    for i, j in enumerate(rows):
        weight = smooth[i] / (smooth[i] + smooth[j])
        np.testing.assert_allclose(out[i], weight * x[i] + (1 - weight) * x[j], atol=1e-5)
        assert target[i, i].item() == pytest.approx(weight.mean(), abs=1e-5)
        assert target[i, j].item() == pytest.approx(1 - weight.mean(), abs=1e-5)


def test_spectral_maps_are_blurred_twice(batch):
    x, y = batch()
    once = gaussian_blur(spectral_residual(x), 7, 3.0)
    for a, b in zip(GuidedMixup().mix(x, y), GuidedMixup().mix(x, y, maps=once), strict=True):
        assert torch.equal(a, b)


def test_where_nothing_is_salient_the_images_count_alike():
    x, y = torch.rand(2, 3, 16, 16), torch.eye(2)
    out, target = GuidedMixup().mix(x, y, partner=1, maps=torch.zeros(2, 16, 16))
    torch.testing.assert_close(out, (x + x.flip(0)) / 2)
    torch.testing.assert_close(target, torch.full((2, 2), 0.5))


def test_input_saliency_of_a_linear_network():
    """d CE / d x = W^T (softmax - y): known without autograd."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 5, 7), nn.Dropout(0.5)).double()
    x, y = torch.randn(6, 3, 4, 5).double(), torch.eye(7)[:6].double()
    found = internals.input_saliency(net, x, y)
    weight = net[1].weight.detach()
    probabilities = (x.flatten(1) @ weight.T + net[1].bias.detach()).softmax(1)
    gradient = ((probabilities - y) @ weight).view_as(x)
    torch.testing.assert_close(found, gradient.square().mean(1).sqrt())
    assert net.training and net[2].training and not x.requires_grad
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("kind", ["resnet", "vit"])
def test_guided_ap_mixes_by_the_gradient(kind, tiny, batch):
    x, y = batch()
    net = tiny(kind)
    mixer = GuidedMixup(saliency="gradient")
    seen = []
    net.register_forward_pre_hook(lambda _module, args: seen.append(args[0].detach()))
    mixed = mixer(net, x, y)
    out, target = mixer.mix(x, y, maps=internals.input_saliency(tiny(kind), x, y))
    torch.testing.assert_close(seen[-1], out)
    torch.testing.assert_close(mixed.target, target)
    assert all(p.grad is None for p in net.parameters()) and net.training
    with pytest.raises(NotImplementedError, match="mixer"):
        mixer.mix(x, y)


def test_guided_ap_leaves_running_statistics_alone(tiny, batch):
    net = tiny("resnet")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    internals.input_saliency(net, *batch())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
