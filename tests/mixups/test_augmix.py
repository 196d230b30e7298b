"""Against Pillow, one image at a time, as the authors' code does it."""

import pytest
import torch
from PIL import Image, ImageOps
from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

from openmix.mixups import AugMix
from openmix.mixups.augmix import divergence
from openmix.ops import photometric

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


@pytest.fixture
def images():
    """Eight smooth and noisy colour images of 20 x 24, the first of one colour."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(8, 3, 5, 6, generator=generator)
    image = torch.nn.functional.interpolate(coarse, (20, 24), mode="bilinear") * 200
    image += 40 * torch.rand(image.shape, generator=generator)
    image[0] = 77
    return image.floor()


def by_pillow(images, operation):
    """``operation(PIL image, its number)`` on each."""
    done = [operation(to_pil_image(image.byte()), i) for i, image in enumerate(images)]
    return torch.stack([pil_to_tensor(image) for image in done]).float()


def test_autocontrast_and_equalize(images):
    ours = photometric.autocontrast(images)
    assert (ours - by_pillow(images, lambda im, _: ImageOps.autocontrast(im))).abs().max() <= 1
    ours = photometric.equalize(images)
    assert torch.equal(ours, by_pillow(images, lambda im, _: ImageOps.equalize(im)))


def test_posterize_and_solarize(images):
    bits, threshold = [1, 2, 3, 4, 5, 6, 7, 8], [0, 10, 50, 77, 100, 150, 200, 256]
    ours = photometric.posterize(images, torch.tensor(bits))
    assert torch.equal(ours, by_pillow(images, lambda im, i: ImageOps.posterize(im, bits[i])))
    ours = photometric.solarize(images, torch.tensor(threshold))
    assert torch.equal(ours, by_pillow(images, lambda im, i: ImageOps.solarize(im, threshold[i])))


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("sign", [-1, 1])
def test_moves(kind, sign, images, monkeypatch):
    """At level 2.9 of 10: 8 degrees, shear by 0.087, shifts by 2 of 24 and 1 of 20 pixels."""
    mixer = AugMix(MEAN, STD)
    monkeypatch.setattr(AugMix, "_level", lambda _self, image: torch.full((len(image),), 0.29))
    monkeypatch.setattr(torch, "rand", lambda n, **_: torch.full((n,), 0.5 + 0.4 * sign))
    monkeypatch.setattr(torch, "randint", lambda _high, shape, **_: torch.full(shape, kind))
    ours = mixer._move(images)
    shear, x, y = sign * 0.087, sign * 2, sign * 1
    matrix = [None, (1, shear, 0, 0, 1, 0), (1, 0, 0, shear, 1, 0), (1, 0, x, 0, 1, 0)]
    matrix.append((1, 0, 0, 0, 1, y))

    def move(image, _):
        if kind == 0:
            return image.rotate(-8 * sign, resample=Image.BILINEAR)
        bilinear = Image.BILINEAR
        return image.transform(image.size, Image.AFFINE, matrix[kind], resample=bilinear)

    theirs = by_pillow(images, move)
    assert (ours - theirs).abs().max() <= 1 and (theirs - images).abs().max() > 50
    assert (ours == theirs).float().mean() > 0.4


def test_levels_are_those_of_the_authors(images):
    torch.manual_seed(0)
    level = AugMix(MEAN, STD)._level(torch.empty(20_000, 1, 1, 1))
    assert 0.01 <= level.min() < 0.011 and 0.299 < level.max() <= 0.3
    assert level.mean().item() == pytest.approx(0.155, abs=0.002)


def test_chains_have_one_to_three_operations_each_as_likely(images, monkeypatch):
    """Every operation adds one: so many were applied to each image."""
    counted = {name: 0 for name in ("autocontrast", "equalize", "posterize", "solarize", "affine")}

    def count(name):
        def add(image, *_):
            counted[name] += len(image)
            return image + 1

        return add

    for name in counted:
        monkeypatch.setattr(photometric, name, count(name))
    torch.manual_seed(0)
    n = 9000
    applied = AugMix(MEAN, STD).chains(torch.zeros(n, 1, 2, 2)).flatten(1)
    assert (applied == applied[:, :1]).all()
    lengths = torch.bincount(applied[:, 0].long(), minlength=4)
    assert lengths[0] == 0 and (lengths[1:] - n / 3).abs().max() < 250
    assert sum(counted.values()) == applied[:, 0].sum()
    affine = counted.pop("affine")
    assert all(abs(count - 2000) < 250 for count in counted.values())
    assert abs(affine - 10_000) < 500


def test_a_distortion_lies_between_the_image_and_its_chains(monkeypatch):
    """Chains that paint white leave ``(1 - m) x + m``; m is uniform and one for each image."""
    monkeypatch.setattr(AugMix, "chains", lambda _self, image: torch.full_like(image, 255.0))
    torch.manual_seed(0)
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    x = (torch.zeros(4000, 3, 2, 2) - mean) / std
    m = AugMix(MEAN, STD).distort(x) * std + mean
    assert (m - m[:, :1, :1, :1]).abs().max() < 1e-5
    m = m[:, 0, 0, 0]
    assert m.min() > -1e-5 and m.max() < 1 + 1e-5
    assert m.mean().item() == pytest.approx(0.5, abs=0.02)
    assert m.var().item() == pytest.approx(1 / 12, abs=0.005)


def test_weights_of_the_chains_are_a_flat_dirichlet(monkeypatch):
    """Of chains black, black and white, the white one has a share with mean 1/3, variance 1/18;
    times m (uniform) the second moment is (1/18 + 1/9) / 3."""
    painted = torch.tensor([0.0, 0.0, 255.0]).repeat_interleave(4000).view(-1, 1, 1, 1)
    monkeypatch.setattr(AugMix, "chains", lambda _self, _image: painted)
    torch.manual_seed(0)
    share = AugMix([0.0], [1.0]).distort(torch.zeros(4000, 1, 1, 1)).flatten()
    assert share.mean().item() == pytest.approx(1 / 6, abs=0.01)
    assert share.square().mean().item() == pytest.approx(1 / 18, abs=0.005)


def test_divergence_by_hand():
    """Image by image and view by view, in double precision."""
    torch.manual_seed(0)
    logits = 3 * torch.randn(3 * 4, 5, dtype=torch.float64)
    total = 0.0
    for i in range(4):
        p = [logits[view * 4 + i].softmax(0) for view in range(3)]
        middle = (p[0] + p[1] + p[2]) / 3
        total += sum(float((q * (q / middle).log()).sum()) for q in p) / 3
    assert divergence(logits, 3).item() == pytest.approx(total / 4, rel=1e-6)
    assert divergence(logits[:4].repeat(3, 1), 3).item() == pytest.approx(0, abs=1e-6)


def test_labels_belong_to_the_clean_images_only(tiny, batch):
    net, (x, y) = tiny("resnet").eval(), batch()
    logits, target, losses = AugMix(MEAN, STD)(net, x, y)
    torch.testing.assert_close(logits, net(x))
    assert torch.equal(target, y) and losses["jsd"] > 0


def test_images_of_a_batch_get_different_operations(monkeypatch):
    """One operation each; which one an image gets is as likely for the first as for the last."""
    for value, name in enumerate(("autocontrast", "equalize", "posterize", "solarize", "affine")):
        monkeypatch.setattr(photometric, name, lambda im, *_, value=value: im + value)
    torch.manual_seed(0)
    mixer, n = AugMix(MEAN, STD, depth=1), 90
    applied = torch.stack([mixer.chains(torch.zeros(n, 1, 1, 1)).flatten() for _ in range(200)])
    assert len(applied[0].unique()) == 5
    for half in applied.split(n // 2, 1):
        shares = torch.bincount(half.flatten().long(), minlength=5) / half.numel()
        expected = torch.tensor([1, 1, 1, 1, 5]) / 9
        torch.testing.assert_close(shares, expected, rtol=0, atol=0.02)
