import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as reference

from openmix.data import augment
from openmix.data.augment import CropFlip, Flip, RandomResizedCrop
from openmix.data.erasing import RandomErasing
from openmix.errors import ConfigError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pixels(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(seed))


@settings(max_examples=40, deadline=None)
@given(
    pad=st.integers(0, 4),
    mode=st.sampled_from(["reflect", "zeros"]),
    flip=st.booleans(),
    channels=st.sampled_from([1, 3]),
    height=st.integers(5, 9),
    width=st.integers(5, 9),
    batch=st.integers(1, 9),
)
def test_device_path_gives_the_same_bytes(pad, mode, flip, channels, height, width, batch):
    transform = CropFlip(pad, mode, flip)
    store = transform.prepare(pixels(11, channels, height, width))
    index = torch.randint(0, 11, (batch,), generator=seeded(1))
    on_host = transform(store, index, seeded(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augment, "_crop_on_host", augment._crop_on_device)
        on_device = transform(store, index, seeded(2))
    assert on_host.shape == (batch, channels, height, width)
    assert on_host.dtype == torch.uint8
    assert torch.equal(on_host, on_device)


@pytest.mark.parametrize("mode", ["reflect", "zeros"])
def test_padding_is_torchs(mode):
    images = pixels(3, 2, 6, 8)
    expected = torch.nn.functional.pad(
        images.float(), (4,) * 4, mode="constant" if mode == "zeros" else mode
    )
    assert torch.equal(CropFlip(4, mode).prepare(images).float(), expected)


def test_crops_are_windows_of_their_own_image():
    images = pixels(20, 3, 8, 8)
    transform = CropFlip(2)
    store = transform.prepare(images)
    index = torch.arange(20).repeat(20)
    windows = store.unfold(2, 8, 1).unfold(3, 8, 1).permute(0, 2, 3, 1, 4, 5).flatten(1, 2)
    found = set()
    for image, crop in zip(index.tolist(), transform(store, index, seeded()), strict=True):
        plain = (windows[image] == crop).flatten(1).all(1)
        flipped = (windows[image] == crop.flip(-1)).flatten(1).all(1)
        assert plain.any() or flipped.any()
        found |= {(number, False) for number in plain.nonzero().flatten().tolist()}
        found |= {(number, True) for number in flipped.nonzero().flatten().tolist()}
    assert len(found) == 25 * 2


def test_flip_mirrors_half():
    images = pixels(1, 1, 4, 4)
    transform = Flip()
    out = transform(transform.prepare(images), torch.zeros(2000, dtype=torch.long), seeded())
    plain = (out == images).flatten(1).all(1)
    assert ((out == images.flip(-1)).flatten(1).all(1) | plain).all()
    assert 900 < plain.sum() < 1100


def test_store_is_not_modified():
    transform = CropFlip(1)
    store = transform.prepare(pixels(4, 3, 6, 6))
    before = store.clone()
    transform(store, torch.arange(4), seeded()).zero_()
    assert torch.equal(store, before)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("shape", [(64, 64), (24, 40)])
def test_resized_crop_is_torchvisions(interpolation, shape):
    images = pixels(30, 3, *shape)
    transform = RandomResizedCrop(flip=False, interpolation=interpolation)
    index = torch.arange(30).flip(0)
    boxes = torch.stack(transform.boxes(30, *shape, seeded(3))).long().T.tolist()
    got = transform(images, index, seeded(3))
    for image, box, out in zip(index.tolist(), boxes, got, strict=True):
        mode = InterpolationMode(interpolation)
        expected = reference.resized_crop(images[image].float(), *box, list(shape), mode, True)
        torch.testing.assert_close(out, expected.clamp(0, 255), atol=2e-3, rtol=0)


def test_resized_crop_mirrors_the_same_crop():
    images = pixels(50, 1, 16, 16)
    index = torch.arange(50)
    plain = RandomResizedCrop(flip=False)(images, index, seeded(4))
    mixed = RandomResizedCrop()(images, index, seeded(4))
    same = torch.isclose(mixed, plain, atol=1e-3).flatten(1).all(1)
    mirrored = torch.isclose(mixed, plain.flip(-1), atol=1e-3).flatten(1).all(1)
    assert (same | mirrored).all()
    assert 10 < same.sum() < 40


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(4, 80),
    width=st.integers(4, 80),
    low=st.floats(0.01, 1),
    seed=st.integers(0, 99),
)
def test_boxes_lie_inside(height, width, low, seed):
    top, left, tall, wide = RandomResizedCrop((low, 1.0)).boxes(64, height, width, seeded(seed))
    assert (top >= 0).all() and (left >= 0).all()
    assert (tall >= 1).all() and (wide >= 1).all()
    assert (top + tall <= height).all() and (left + wide <= width).all()


def test_boxes_reach_both_ends():
    top, left, tall, wide = RandomResizedCrop((0.5, 0.6)).boxes(500, 8, 8, seeded())
    for start, length in ((top, tall), (left, wide)):
        assert set(start[length == 6].tolist()) == {0, 1, 2}


def test_box_share_of_the_area_is_uniform():
    _, _, tall, wide = RandomResizedCrop((0.1, 0.5)).boxes(4000, 64, 64, seeded())
    share = tall * wide / 64**2
    assert share.min() > 0.09 and share.max() < 0.52
    assert abs(share.mean() - 0.3) < 0.01
    assert abs(share.std() - 0.4 / 12**0.5) < 0.01


def test_fall_back_is_the_largest_centred_box():
    boxes = RandomResizedCrop((1.0, 1.0)).boxes(5, 10, 40, seeded())
    assert torch.stack(boxes).T.tolist() == [[0, 13, 10, 13]] * 5


@pytest.mark.parametrize(
    "make",
    [
        lambda: CropFlip(-1),
        lambda: CropFlip(mode="mirror"),
        lambda: CropFlip(8).prepare(pixels(1, 1, 8, 8)),
        lambda: RandomResizedCrop(scale=(0.5, 0.2)),
        lambda: RandomResizedCrop(interpolation="nearest"),
    ],
)
def test_bad_options_are_told_in_one_line(make):
    with pytest.raises(ConfigError) as error:
        make()
    assert "\n" not in str(error.value)


def test_erasing_fills_a_box_with_noise():
    image = torch.full((3, 64, 64), 200, dtype=torch.uint8)
    torch.manual_seed(0)
    always = RandomErasing(1.0, mean=[0.5] * 3, std=[0.1] * 3)
    erased = torch.stack([always(image) for _ in range(200)])
    changed = (erased != image).any(1)
    assert (image == 200).all()
    share = changed.float().mean((1, 2))
    assert share.min() > 0.015 and share.max() < 0.35
    noise = erased[:, 0][changed].float()
    assert abs(noise.mean() - 127.5) < 1 and abs(noise.std() - 25.5) < 1
    sometimes = RandomErasing(0.25, mean=[0.5] * 3, std=[0.1] * 3)
    hits = sum(sometimes(image) is not image for _ in range(1000))
    assert 200 < hits < 300
