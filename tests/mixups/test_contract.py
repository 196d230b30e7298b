"""What every mixup promises, over every ``configs/mixup/*.yaml`` and two kinds of network."""

import inspect
from contextlib import contextmanager
from functools import cache

import pytest
import torch
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf
from torch import nn

from openmix.config.compose import compose
from openmix.config.groups import names
from openmix.config.targets import nodes
from openmix.errors import Unsupported
from openmix.losses import SoftCrossEntropy
from openmix.mixups.base import Mixer

MIXUPS = names("mixup")
HAS = {"resnet": {"stages", "cam"}, "vit": {"stages", "attention"}}
LACK = {
    "attention": "transformer with a class token",
    "cam": "convolutional network",
    "stages": "feature stages",
}
SIZES = [(32, 32), (24, 32), (40, 16)]


@cache
def node(mixup):
    return OmegaConf.to_container(compose([f"mixup={mixup}"]).config.mixup, resolve=True)


def build(mixup, net=None):
    """A fresh mixer, set up for ``net`` where one is given."""
    torch.manual_seed(1)
    mixer = instantiate(node(mixup), _convert_="all")
    if net is not None:
        mixer.setup(net)
    return mixer


@cache
def lacking(mixup, kind):
    """What the classes that the yaml names need, and the network does not have."""
    needs = {n for _, sub in nodes(node(mixup)) for n in get_class(sub["_target_"]).needs}
    return needs - HAS[kind]


def able(mixup):
    """A kind of network that the mixup works with, a transformer if it can."""
    return next(kind for kind in ("vit", "resnet") if not lacking(mixup, kind))


PAIRS = [(mixup, kind) for mixup in MIXUPS for kind in HAS]
WORKING = [pair for pair in PAIRS if not lacking(*pair)]
on_pairs = pytest.mark.parametrize(("mixup", "kind"), WORKING)
on_mixups = pytest.mark.parametrize("mixup", MIXUPS)


def step(mixer, net, x, y, seed=0, **given):
    torch.manual_seed(seed)
    return mixer(net, x, y, **given)


@contextmanager
def seen_by(net):
    """Collect the batches that ``net`` is called with."""
    seen = []
    handle = net.register_forward_pre_hook(lambda _module, args: seen.append(args[0]))
    try:
        yield seen
    finally:
        handle.remove()


def state_of(net):
    """Mode and hooks of every module."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        name: (module.training, *(len(getattr(module, h)) for h in hooks))
        for name, module in net.named_modules()
    }


def check(mixer, mixed, y):
    """Shapes and ranges of what a mixer hands over."""
    logits, target, losses = mixed
    assert logits.ndim == 2 and logits.shape == target.shape and logits.shape[1] == y.shape[1]
    assert logits.isfinite().all() and all(term.ndim == 0 for term in losses.values())
    assert target.dtype == y.dtype and not target.requires_grad
    assert target.min() >= 0
    if mixer.rows_sum_to_one:
        torch.testing.assert_close(target.sum(1), torch.ones(len(target)), rtol=0, atol=1e-5)


def parts(mixer, argument):
    """The mixers within ``mixer`` that take ``argument``, and in which method."""
    for part in mixer.modules():
        if isinstance(part, Mixer):
            for method in ("forward", "mix"):
                if argument in inspect.signature(getattr(part, method)).parameters:
                    yield part, method
                    break


def call(part, method, net, x, y, seed=0, **given):
    """Logits or images, and targets, of one of :func:`parts`."""
    torch.manual_seed(seed)
    args = (net, x, y) if method == "forward" else (x, y)
    return getattr(part, method)(*args, **given)[:2]


def test_every_kind_of_mixup_is_here():
    assert {"none", "mixup", "cutmix", "manifoldmix", "transmix"} <= set(MIXUPS)
    assert len(WORKING) < len(PAIRS)


@pytest.mark.parametrize(("mixup", "kind"), PAIRS)
def test_setup_refuses_a_network_that_lacks_what_is_needed_and_no_other(mixup, kind, tiny):
    mixer, lack = build(mixup), lacking(mixup, kind)
    if not lack:
        assert mixer.setup(tiny(kind)) is None
        return
    with pytest.raises(Unsupported, match="|".join(LACK[need] for need in lack)) as caught:
        mixer.setup(tiny(kind))
    assert type(tiny(kind)).__name__ in str(caught.value) and "\n" not in str(caught.value)


@on_pairs
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_shapes_and_targets(mixup, kind, n, size, tiny, batch):
    net = tiny(kind, size).eval()
    mixer = build(mixup, net)
    x, y = batch(n, size)
    for seed in range(4):
        check(mixer, step(mixer, net, x, y, seed), y)


@on_pairs
def test_arguments_are_left_alone(mixup, kind, tiny, batch):
    net = tiny(kind)
    mixer = build(mixup, net)
    x, y = batch()
    before = x.clone(), y.clone()
    for seed in range(6):
        step(mixer, net, x, y, seed).logits.sum().backward()
        assert torch.equal(x, before[0]) and torch.equal(y, before[1])
        assert x.grad is None and y.grad is None


@on_pairs
@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_own_label_weight_is_own_pixel_share(mixup, kind, size, tiny):
    """Image i is white and all others black: its row's mean is its share of the pixels."""
    n = 5
    net, y = tiny(kind, size).eval(), torch.eye(10)[:n]
    mixer = build(mixup, net)
    if not mixer.own_pixels:
        pytest.skip("shows more than the pixels of the batch")
    for seed in range(6):
        for i in range(n):
            x = torch.zeros(n, 3, *size)
            x[i] = 1
            with seen_by(net) as seen:
                target = step(mixer, net, x, y, seed).target
            share, weight = seen[-1].double().mean((1, 2, 3)), target.double()[:, i]
            assert (seen[-1] >= 0).all() and (seen[-1] <= 1).all()
            if mixer.weight_is_area:
                assert (target > 0).sum(1).max() <= 2
                torch.testing.assert_close(weight, share, rtol=0, atol=1e-6)
            else:  # row i's partner shows image i to a row that is not i; batches may be joined
                share, weight = share.view(-1, n).sum(0), weight.view(-1, n).sum(0)
                assert (weight[share > 0] > 0).all()


@on_pairs
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_is_the_mean_of_per_sample_losses(mixup, kind, smoothing, tiny, batch):
    net = tiny(kind).double().eval()
    mixer = build(mixup, net)
    x, y = (t.double() for t in batch())
    for seed in range(4):
        logits, target, _ = step(mixer, net, x, y, seed)
        loss = SoftCrossEntropy(smoothing)(logits, target).mean()
        rows = []
        for z, t in zip(logits.detach(), target, strict=True):
            log_p = z - z.exp().sum().log()
            t = t * (1 - smoothing) + t.sum() * smoothing / len(t)
            rows.append(-sum(float(a) * float(b) for a, b in zip(t, log_p, strict=True)))
        assert loss.item() == pytest.approx(sum(rows) / len(rows), rel=1e-5)


@on_pairs
def test_the_seed_decides(mixup, kind, tiny, batch):
    net = tiny(kind).eval()
    mixer = build(mixup, net)
    x, y = batch()
    draws = [step(mixer, net, x, y, seed) for seed in range(12)]
    mixer = build(mixup, net)
    again = [step(mixer, net, x, y, seed) for seed in range(12)]
    for a, b in zip(draws, again, strict=True):
        assert torch.equal(a.logits, b.logits) and torch.equal(a.target, b.target)
    if type(mixer) is not Mixer and mixer.varies:
        outcomes = {
            (*a.logits.flatten().tolist(), *(t.item() for t in a.losses.values())) for a in draws
        }
        assert len(outcomes) > 3
        if mixer.family != "augmentation":  # those leave the labels alone
            assert len({tuple(a.target.flatten().tolist()) for a in draws}) > 3


@on_pairs
@pytest.mark.parametrize("precision", ["bfloat16", "autocast"])
def test_low_precision(mixup, kind, precision, tiny, batch):
    """Targets stay float32 whatever the network computes in."""
    net = tiny(kind)
    mixer = build(mixup, net)
    x, y = batch()
    if precision == "bfloat16":
        net, x = net.bfloat16(), x.bfloat16()
    for seed in range(4):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast"):
            mixed = step(mixer, net, x, y, seed)
            loss = SoftCrossEntropy()(mixed.logits, mixed.target).mean()
        check(mixer, mixed, y)
        assert mixed.logits.dtype == torch.bfloat16 and loss.dtype == torch.float32
        loss.backward()
        assert all(p.grad.isfinite().all() for p in net.parameters())


@on_pairs
def test_bfloat16_mixes_as_float32_does(mixup, kind, tiny, batch):
    net = tiny(kind).eval()
    mixer, other = build(mixup, net), build(mixup, net)  # each with a history of its own
    x, y = batch()
    x = x.bfloat16().float()  # rounding images may move what is most salient in them
    for seed in range(4):
        with seen_by(net) as exact:
            step(mixer, net, x, y, seed)
        low = tiny(kind).eval().bfloat16()
        with seen_by(low) as rounded:
            step(other, low, x.bfloat16(), y, seed)
        torch.testing.assert_close(rounded[0].float(), exact[0], rtol=0.02, atol=0.05)


@on_pairs
@pytest.mark.parametrize("training", [True, False])
def test_network_is_left_as_it_was(mixup, kind, training, tiny, batch):
    net = tiny(kind).train(training)
    mixer = build(mixup, net)
    before = state_of(net)
    for seed in range(6):
        step(mixer, net, *batch(), seed)
        assert state_of(net) == before


@on_pairs
@pytest.mark.parametrize("training", [True, False])
def test_network_is_left_as_it_was_when_it_raises(mixup, kind, training, tiny, batch):
    net = tiny(kind).train(training)
    mixer = build(mixup, net)

    def fail(_module, _args):
        raise RuntimeError("out of memory")

    net.get_classifier().register_forward_pre_hook(fail)
    before = state_of(net)
    for seed in range(6):
        with pytest.raises(RuntimeError, match="out of memory"):
            step(mixer, net, *batch(), seed)
        assert state_of(net) == before


@on_pairs
def test_gradients_come_from_the_backward_pass_alone(mixup, kind, tiny, batch):
    """The network's own parameters have one at every step, a mixer's at some step."""
    idle = None
    for seed in range(6):
        net = tiny(kind)
        mixer = build(mixup, net)
        if not mixer.own_pixels:  # there may be a history to begin
            step(mixer, net, *batch(), seed)
        mixed = step(mixer, net, *batch(), seed)
        trained = nn.ModuleList([net, mixer])
        assert all(p.grad is None for p in trained.parameters())
        loss = SoftCrossEntropy()(mixed.logits, mixed.target).mean() + sum(mixed.losses.values())
        loss.backward()
        missing = {n for n, p in trained.named_parameters() if p.requires_grad and p.grad is None}
        assert not any(name.startswith("0.") for name in missing)
        idle = missing if idle is None else idle & missing
    assert not idle


@on_pairs
def test_state_dict_round_trip(mixup, kind, tiny, batch):
    net = tiny(kind).eval()
    one, other = build(mixup, net), build(mixup, net)
    step(one, net, *batch())
    other.load_state_dict(one.state_dict())
    for seed in range(4):
        a, b = step(one, net, *batch(), seed), step(other, net, *batch(), seed)
        assert torch.equal(a.logits, b.logits) and torch.equal(a.target, b.target)


@on_pairs
def test_channels_last_stays(mixup, kind, tiny, batch):
    net = tiny(kind)
    mixer = build(mixup, net)
    x, y = batch()
    x = x.contiguous(memory_format=torch.channels_last)
    for seed in range(6):
        with seen_by(net) as seen:
            step(mixer, net, x, y, seed)
        assert seen[0].is_contiguous(memory_format=torch.channels_last)


@on_mixups
@pytest.mark.parametrize("n", [1, 5])
def test_a_rotation_is_the_permutation_it_stands_for(mixup, n, tiny, batch):
    net = tiny(able(mixup)).eval()
    x, y = batch(n)
    for part, method in parts(build(mixup, net), "partner"):
        for shift in {0, n // 2, n - 1}:
            rows = (torch.arange(n) - shift) % n
            rotated = call(part, method, net, x, y, partner=shift)
            permuted = call(part, method, net, x, y, partner=rows)
            for a, b in zip(rotated, permuted, strict=True):
                assert torch.equal(a, b)


@on_mixups
@pytest.mark.parametrize("weight", [0.0, 1.0, 1e-6, 1 - 1e-6])
@pytest.mark.parametrize("per_row", [False, True])
def test_extreme_blend_weights(mixup, weight, per_row, tiny, batch):
    """λ = 1 leaves the batch as it is; no λ makes a weight that is no weight."""
    net = tiny(able(mixup)).eval()
    x, y = batch()
    lam = torch.full((len(x),), weight) if per_row else weight
    for part, method in parts(build(mixup, net), "lam"):
        out, target = call(part, method, net, x, y, lam=lam, partner=1)
        assert out.isfinite().all() and target.isfinite().all()
        if weight == 1 and part.exact_at_one:
            torch.testing.assert_close(out, net(x) if method == "forward" else x)
        if weight == 1:
            torch.testing.assert_close(target, y)
        own = (target * y).sum(1)
        assert (own >= -1e-6).all() and (own <= 1 + 1e-6).all()


@on_mixups
def test_every_mixer_names_its_paper(mixup):
    for _, sub in nodes(node(mixup)):
        cls = get_class(sub["_target_"])
        wraps = cls.__name__ in ("Mixer", "Choice")
        assert wraps or cls.paper.startswith("https://"), cls
