import math
import random

import pytest
import torch
from scipy.stats import ks_2samp

from openmix.mixups import RandomErasing


def authors_loop(height, width, low=0.02, high=0.4, aspect=0.3):
    """Top, left, height and width of one rectangle, drawn as the paper's algorithm 1 says."""
    while True:
        area = random.uniform(low, high) * height * width
        ratio = random.uniform(aspect, 1 / aspect)
        tall, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if tall < height and wide < width:
            return random.randint(0, height - tall), random.randint(0, width - wide), tall, wide


def rectangles(hidden):
    """Top, left, height, width of masks ``(n, 1, H, W)``, each of which must be a rectangle."""
    rows, columns = hidden[:, 0].any(2), hidden[:, 0].any(1)
    assert torch.equal(hidden[:, 0], rows[:, :, None] & columns[:, None, :])
    sides = [side.int() for side in (rows, columns)]
    assert all((side.diff(dim=1) == 1).sum(1).max() <= 1 for side in sides)
    return torch.stack([s.argmax(1) for s in sides] + [s.sum(1) for s in sides], 1)


@pytest.mark.parametrize("size", [(32, 32), (20, 36)], ids=str)
def test_rectangles_are_distributed_as_by_the_authors_loop(size):
    torch.manual_seed(0)
    random.seed(0)
    n = 6000
    ours = rectangles(RandomErasing(prob=1.0).hidden(torch.empty(n, 1, *size)))
    theirs = torch.tensor([authors_loop(*size) for _ in range(n)])
    for i in range(4):
        assert ks_2samp(ours[:, i], theirs[:, i]).pvalue > 1e-3
    assert ks_2samp(ours[:, 2] * ours[:, 3], theirs[:, 2] * theirs[:, 3]).pvalue > 1e-3


def test_half_of_the_images_are_erased_in():
    torch.manual_seed(0)
    hit = RandomErasing().hidden(torch.empty(4000, 1, 32, 32)).flatten(1).any(1)
    assert hit.float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_only_the_rectangle_changes_and_it_becomes_the_mean(batch):
    x, y = batch()
    mixer = RandomErasing(prob=1.0)
    torch.manual_seed(5)
    hidden = mixer.hidden(x).expand_as(x)
    torch.manual_seed(5)
    out, target = mixer.mix(x, y)
    assert torch.equal(target, y) and hidden.flatten(1).any(1).all()
    assert (out[hidden] == 0).all() and torch.equal(out[~hidden], x[~hidden])


def test_nothing_is_erased_where_nothing_fits():
    torch.manual_seed(0)
    assert not RandomErasing(prob=1.0).hidden(torch.empty(50, 1, 1, 4)).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"low": 0.5}, "low <= high"), ({"aspect": 1.5}, "aspect must lie in")],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        RandomErasing(**wrong)
