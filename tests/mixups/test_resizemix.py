import pytest
import torch

from openmix.mixups import ResizeMix


def test_mean_own_weight_at_224_px():
    """1 - E[τ²] = 0.757 for τ ~ U(0.1, 0.8), and no λ outside of its range."""
    torch.manual_seed(0)
    mixer, x, y = ResizeMix(), torch.zeros(2, 1, 224, 224), torch.eye(2)
    mixer._paste = lambda x, *_: x  # the pixels are slow and not looked at here
    weights = torch.stack([mixer.mix(x, y)[1][0, 0] for _ in range(10_000)])
    assert weights.mean().item() == pytest.approx(0.757, abs=0.008)
    assert weights.min() >= 1 - 0.64 and weights.max() <= 1 - (22 / 224) ** 2 + 1e-6


@pytest.mark.parametrize("size", [(32, 32), (20, 48), (8, 8)], ids=str)
def test_the_box_is_whole_and_placed_for_each_image(size):
    torch.manual_seed(0)
    n = 16
    x = torch.arange(float(n)).view(n, 1, 1, 1).expand(n, 1, *size)
    places, mixer = set(), ResizeMix()
    for ratio in (0.3, 0.5, 0.8):
        out, target = mixer.mix(x, torch.eye(n), ratio=ratio, partner=1)
        h, w = int(size[0] * ratio), int(size[1] * ratio)
        pasted = out != x
        assert (pasted.sum((1, 2, 3)) == h * w).all()
        for row in pasted[:, 0]:
            ys, xs = row.nonzero(as_tuple=True)
            assert ys.max() - ys.min() == h - 1 and xs.max() - xs.min() == w - 1
            places.add((ratio, ys.min().item(), xs.min().item()))
        own = 1 - h * w / (size[0] * size[1])
        torch.testing.assert_close(target.diagonal(), torch.full((n,), own))
    assert len(places) > 12


def first_rows_and_columns(place, n, size, ratio):
    """Where the boxes of ``n`` images begin, ``(2, n)``."""
    torch.manual_seed(0)
    x = torch.tensor([0.0, 1.0]).repeat(n // 2).view(-1, 1, 1, 1).expand(-1, 1, size, size)
    out, _ = ResizeMix(place=place).mix(x, torch.ones(n, 1), ratio=ratio, partner=1)
    pasted = (out != x)[:, 0]
    return torch.stack([pasted.any(axis).int().argmax(1) for axis in (2, 1)])


@pytest.mark.parametrize(
    ("place", "odds"), [("shifted", [3, 1, 1, 1, 2]), ("uniform", [8 / 5] * 5)]
)
def test_where_a_box_of_4_pixels_begins_among_8(place, odds):
    """Shifted: of 8 centres, 0 to 2 begin at 0 and the last two at 4."""
    for first in first_rows_and_columns(place, 1000, 8, 0.5):
        expected = [125 * share for share in odds]
        assert first.bincount(minlength=5).tolist() == pytest.approx(expected, abs=55)


@pytest.mark.parametrize(
    ("place", "share"), [("shifted", 1 - (15 / 32) ** 2), ("uniform", 1 - (15 / 17) ** 2)]
)
def test_how_often_a_box_touches_an_edge_at_32_pixels(place, share):
    """0.78 of the authors' boxes, 0.22 of those anywhere inside."""
    first = first_rows_and_columns(place, 4000, 32, 0.5)
    touches = ((first == 0) | (first == 16)).any(0)
    assert touches.float().mean().item() == pytest.approx(share, abs=0.03)


def test_content_is_the_whole_partner_by_nearest_neighbours():
    """4 x 6 to 2 x 3 takes every other pixel; 5 to 3 takes pixels 0, 1 and 3."""
    torch.manual_seed(0)
    x = torch.stack([torch.zeros(1, 4, 6), torch.arange(1.0, 25.0).view(1, 4, 6)])
    out, target = ResizeMix().mix(x, torch.eye(2), ratio=0.5, partner=torch.tensor([1, 0]))
    found = out[0][out[0] > 0].view(2, 3)
    assert found.tolist() == [[1, 3, 5], [13, 15, 17]]
    torch.testing.assert_close(target[0], torch.tensor([0.75, 0.25]))

    x = torch.stack([torch.zeros(1, 5, 5), torch.arange(1.0, 26.0).view(1, 5, 5)])
    out, _ = ResizeMix().mix(x, torch.eye(2), ratio=0.6, partner=1)
    assert out[0][out[0] > 0].view(3, 3).tolist() == [[1, 2, 4], [6, 7, 9], [16, 17, 19]]


def test_shrinking_agrees_with_torch_nearest():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 32, 32)
    x[0] = 0
    for ratio in (0.11, 0.33, 0.5, 0.77, 0.8):
        out, _ = ResizeMix().mix(x, torch.eye(2), ratio=ratio, partner=1)
        h = int(32 * ratio)
        expected = torch.nn.functional.interpolate(x[1:], (h, h), mode="nearest")
        assert torch.equal(out[0][out[0] != 0], expected[expected != 0].flatten())


def test_every_layout_of_the_images_is_mixed_alike():
    x = torch.randn(5, 3, 12, 20)
    turned = x.mT.contiguous().mT
    last = x.contiguous(memory_format=torch.channels_last)
    found = []
    for images in (x, last, turned):
        torch.manual_seed(0)
        found.append(ResizeMix().mix(images, torch.eye(5), ratio=0.6, partner=2)[0])
    assert torch.equal(found[1], found[0]) and torch.equal(found[2], found[0])
    assert not torch.equal(found[0], x)


def test_a_box_too_small_to_show_changes_nothing(batch):
    x, y = batch(3, (8, 8))
    out, target = ResizeMix().mix(x, y, ratio=0.1)
    assert torch.equal(out, x) and torch.equal(target, y)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.8), (0.5, 0.4), (0.1, 1.1)])
def test_impossible_ranges_are_refused(low, high):
    with pytest.raises(ValueError, match="need 0 < low <= high <= 1"):
        ResizeMix(low, high)
