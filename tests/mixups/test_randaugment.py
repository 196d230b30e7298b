"""Against torchvision, which does one image at a time."""

import pytest
import torch
from torchvision.transforms.v2 import RandAugment as Reference
from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

from openmix.mixups import RandAugment
from openmix.ops import photometric

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
MOVES = ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")
SIGNED = {
    "_brighten": "Brightness",
    "_colour": "Color",
    "_contrast": "Contrast",
    "_sharpen": "Sharpness",
}
PLAIN = {"_posterize": "Posterize", "_solarize": "Solarize"}


@pytest.fixture
def images():
    """Eight smooth and noisy colour images of 20 x 24, the first of one colour."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(8, 3, 5, 6, generator=generator)
    image = torch.nn.functional.interpolate(coarse, (20, 24), mode="bilinear") * 200
    image += 40 * torch.rand(image.shape, generator=generator)
    image[0] = 77
    return image.floor()


def by_torchvision(images, name, magnitude, sign=1):
    """Operation ``name`` of RandAugment at ``magnitude`` of 10 on each image, through Pillow."""
    reference = Reference(num_magnitude_bins=11, interpolation="bilinear")
    strengths, signed = Reference._AUGMENTATION_SPACE[name]
    strengths = strengths(11, *images.shape[-2:])
    strength = 0.0 if strengths is None else float(strengths[magnitude]) * (sign if signed else 1)
    done = [
        reference._apply_image_or_video_transform(
            to_pil_image(image.byte()), name, strength, interpolation="bilinear", fill={}
        )
        for image in images
    ]
    return torch.stack([pil_to_tensor(image) for image in done]).float()


def draws(monkeypatch, sign, kind=0):
    monkeypatch.setattr(torch, "rand", lambda n, **_: torch.full((n,), 0.5 + 0.4 * sign))
    monkeypatch.setattr(torch, "randint", lambda _high, shape, **_: torch.full(shape, kind))


def agree(ours, theirs, equal=0.98):
    assert (ours - theirs).abs().max() <= 1 and (ours == theirs).float().mean() > equal


@pytest.mark.parametrize("magnitude", [2, 9])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("kind", range(5))
def test_moves(kind, sign, magnitude, images, monkeypatch):
    draws(monkeypatch, sign, kind)
    ours = RandAugment(MEAN, STD, magnitude=magnitude)._move(images)
    theirs = [by_torchvision(images, MOVES[kind], magnitude, either) for either in (-1, 1)]
    agree(ours, min(theirs, key=lambda each: (each - ours).abs().max()), equal=0.4)
    assert (theirs[0] - theirs[1]).abs().max() > 50


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("kind"), range(5))
def test_both_signs_of_a_move_differ(kind, sign, images, monkeypatch):
    mixer = RandAugment(MEAN, STD)
    draws(monkeypatch, sign, kind)
    one = mixer._move(images)
    draws(monkeypatch, -sign, kind)
    assert (one - mixer._move(images)).abs().max() > 50


@pytest.mark.parametrize("magnitude", [0, 3, 5, 9, 10])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("method", [*SIGNED, *PLAIN])
def test_colours(method, sign, magnitude, images, monkeypatch):
    draws(monkeypatch, sign)
    ours = getattr(RandAugment(MEAN, STD, magnitude=magnitude), method)(images)
    agree(ours, by_torchvision(images, (SIGNED | PLAIN)[method], magnitude, sign))


@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
def test_operations_without_a_strength(name, images):
    theirs = by_torchvision(
        images, {"autocontrast": "AutoContrast", "equalize": "Equalize"}[name], 0
    )
    agree(getattr(photometric, name)(images), theirs)


def test_grey_images_have_no_colour(images):
    grey = images[:, :1]
    assert torch.equal(photometric.colour(grey, torch.full((8,), 1.9)), grey)
    theirs = by_torchvision(grey, "Contrast", 9)
    agree(photometric.contrast(grey, torch.full((8,), 1.81)), theirs)


def test_every_operation_is_as_likely(monkeypatch):
    """Each leaves a grey level of its own; five of fourteen are moves, one is nothing."""
    names = ("move", "autocontrast", "equalize", "posterize", "solarize")
    names += ("brightness", "colour", "contrast", "sharpness")
    for level, name in enumerate(names, 1):
        monkeypatch.setattr(
            photometric, name, lambda image, *_, level=level: torch.full_like(image, level)
        )
    torch.manual_seed(0)
    mixer, n = RandAugment(MEAN, STD), 28_000
    applied = mixer.operate(torch.zeros(n, 1, 2, 2))
    assert (applied == applied[:, :, :1, :1]).all()
    found = applied[:, 0, 0, 0].long().bincount(minlength=10)
    expected = torch.tensor([1, 5, 1, 1, 1, 1, 1, 1, 1, 1]) * n / 14
    assert (found - expected).abs().max() < 250
    for half in applied[:, 0, 0, 0].chunk(2):  # the first image draws as the last does
        assert abs((half == 1).float().mean() - 5 / 14) < 0.02


def test_operations_follow_each_other(monkeypatch):
    """``num_ops`` times, on grey levels; what comes out is normalised as what went in was."""
    monkeypatch.setattr(RandAugment, "operate", lambda _self, image: 255 - image / 3)
    grey = torch.randint(256, (4, 3, 5, 5)).float()
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    x, y = (grey / 255 - mean) / std, torch.eye(4)
    out, target = RandAugment(MEAN, STD, num_ops=3).mix(x, y)
    for _ in range(3):
        grey = 255 - grey / 3
    torch.testing.assert_close(out, (grey / 255 - mean) / std)
    assert target is y


def test_magnitude_beyond_ten_stays_a_picture(images):
    torch.manual_seed(0)
    for _ in range(30):
        out = RandAugment(MEAN, STD, magnitude=28).operate(images)
        assert out.min() >= 0 and out.max() <= 255 and torch.equal(out, out.floor())
