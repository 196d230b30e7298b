import math

import pytest
import torch

from openmix.mixups import RankMixup
from openmix.ops import draw

DRAWS = [(0.2, 1), (0.9, 3), (0.6, 4)]


def fixed(monkeypatch):
    lams, shifts = iter([lam for lam, _ in DRAWS]), iter([k for _, k in DRAWS])
    monkeypatch.setattr(draw, "beta", lambda a: next(lams))
    monkeypatch.setattr(draw, "shift", lambda n: next(shifts))


def softmax_max(z):
    return 1 / sum(math.exp(v - max(z)) for v in z)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("mode", ["mrl", "mndcg"])
def test_term_row_by_row(mode, count, tiny, batch, monkeypatch):
    """Each image against its blends, number by number; labels repeat, so some share a class."""
    net, (x, _) = tiny("resnet").double().eval(), batch(7)
    labels = [0, 1, 0, 0, 2, 1, 3]
    x, y = x.double(), torch.eye(10, dtype=torch.float64)[labels]
    fixed(monkeypatch)
    logits, target, losses = RankMixup(mode, 0.5, count=count, margin=0.05)(net, x, y)
    assert torch.equal(target, y) and torch.equal(logits, net(x))
    terms = []
    for n in range(7):
        z, blends = net(x[n : n + 1])[0].tolist(), []
        for lam, shift in DRAWS[:count]:
            m = (n - shift) % 7
            image = lam * x[n : n + 1] + (1 - lam) * x[m : m + 1]
            same = labels[n] == labels[m]
            blends.append((1.0 if same else max(lam, 1 - lam), net(image)[0].tolist()))
        if mode == "mrl":
            for relevance, mixed in blends:
                terms.append((relevance < 1) * max(max(mixed) - max(z) + 0.05, 0))
            continue
        blends.sort(key=lambda pair: -pair[0])
        gain, ideal = softmax_max(z) / math.log2(2), 1 / math.log2(2)
        for place, (relevance, mixed) in enumerate(blends, start=3):
            gain += softmax_max(mixed) / math.log2(place)
            ideal += relevance / math.log2(place)
        terms.append(1 - min(gain / ideal, ideal / gain))
    assert losses["rank"].item() == pytest.approx(0.5 * sum(terms) / len(terms), rel=1e-4)
    assert losses["rank"] > 0


def test_blends_and_images_are_batches_of_their_own(tiny, batch):
    """So that batch statistics of the one do not enter the other."""
    net, (x, y) = tiny("resnet"), batch()
    sizes = []
    net.register_forward_pre_hook(lambda _m, args: sizes.append(len(args[0])))
    logits = RankMixup()(net, x, y).logits
    assert sizes == [18, 6]
    torch.testing.assert_close(logits, tiny("resnet")(x))


def test_perfectly_ranked_costs_nothing():
    """An image known for sure, and blends as sure as their label weights."""
    relevance = torch.tensor([[0.7, 0.9]])
    mixed = torch.tensor([[[0.7, 0.3, 0.0], [0.9, 0.1, 0.0]]]).log()
    logits = torch.tensor([[1.0, 0.0, 0.0]]).log()
    assert RankMixup().ranking(logits, mixed, relevance).item() == pytest.approx(0, abs=1e-6)


def test_draws_differ_from_step_to_step(tiny, batch):
    net, (x, y) = tiny("resnet").eval(), batch()
    torch.manual_seed(0)
    assert len({RankMixup()(net, x, y).losses["rank"].item() for _ in range(6)}) == 6
