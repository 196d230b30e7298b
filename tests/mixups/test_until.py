import pytest
import torch

from openmix.mixups import CutMix, ManifoldMix, Mixup, Until
from openmix.mixups.base import Clock


def at(mixer, epoch, progress):
    """``mixer`` at this time of the training."""
    mixer.clock = Clock()
    mixer.clock.epoch, mixer.clock.progress = epoch, progress
    return mixer


@pytest.mark.parametrize(
    ("given", "epoch", "progress", "mixes"),
    [
        ({"share": 0.75}, 149, 0.7499, True),
        ({"share": 0.75}, 150, 0.75, False),
        ({"share": 1.0}, 199, 0.9999, True),
        ({"share": 0.0}, 0, 0.0, False),
        ({"epoch": 3}, 2, 0.99, True),
        ({"epoch": 3}, 3, 0.01, False),
        ({"epoch": 0, "share": 1.0}, 0, 0.0, False),
    ],
)
def test_mixes_until_then(given, epoch, progress, mixes, tiny, batch):
    net, (x, y) = tiny("resnet").eval(), batch()
    mixer, other = at(Until(CutMix(), **given), epoch, progress), CutMix()
    torch.manual_seed(1)
    images, target = mixer.mix(x, y)
    torch.manual_seed(1)
    logits = mixer(net, x, y).logits
    torch.manual_seed(1)
    expected = other.mix(x, y) if mixes else (x, y)
    assert torch.equal(images, expected[0]) and torch.equal(target, expected[1])
    assert torch.equal(logits, net(expected[0]))
    assert mixer.lam == (other.lam if mixes else 1.0)


def test_a_mixer_inside_the_network_is_stopped_too(tiny, batch):
    net, (x, y) = tiny("resnet").eval(), batch()
    mixer = Until(ManifoldMix(layers=(1,)), epoch=5)
    mixer.setup(net)
    assert not torch.equal(mixer(net, x, y).logits, net(x))
    assert torch.equal(at(mixer, 5, 0.1)(net, x, y).logits, net(x))


def test_promises_are_those_of_the_mixer():
    assert Until(Mixup()).weight_is_area and not Until(ManifoldMix()).weight_is_area
