import copy

import pytest
import torch
import torch.nn.functional as F

from openmix import internals
from openmix.mixups import AdaptiveMaskBlock, AdAutoMix
from openmix.mixups.adautomix import mixture
from openmix.ops import draw


def set_up(net, **options):
    torch.manual_seed(0)
    mixer = AdAutoMix(**options)
    mixer.setup(net)
    with torch.no_grad():  # masks that differ from 1/K
        for p in mixer.block.parameters():
            p.mul_(30)
    return mixer


def fixed(monkeypatch, betas, shifts):
    betas, shifts = iter(betas), iter(shifts)
    monkeypatch.setattr(draw, "beta", lambda _a: next(betas))
    monkeypatch.setattr(draw, "shift", lambda _n: next(shifts))


def maps_by_loops(block, features, lams, rows):
    """One row, place by place in float64: ``rows`` are those of its images, not resized."""
    places = []
    for lam, row in zip(lams, rows, strict=True):
        vectors = features[row].double().flatten(1).T
        share = torch.full((len(vectors), 1), lam).double()
        places.append(torch.cat([vectors, share], 1) if block.embed else vectors)

    def through(conv, place):
        return conv.weight.double()[:, :, 0, 0] @ place + conv.bias.double()

    maps = torch.empty(len(rows), len(places[0]), dtype=torch.double)
    for i, image in enumerate(places):
        values = torch.stack([through(block.value, place)[0] for place in image])
        for at, place in enumerate(image):
            query = through(block.query, place).clamp(min=0)
            scores = torch.zeros(len(image)).double()
            for j, other in enumerate(places):
                if j != i:
                    keys = torch.stack([through(block.key, o).clamp(min=0) for o in other])
                    scores += keys @ query
            maps[i, at] = (scores / len(query) ** 0.5).softmax(0) @ values
    return maps.softmax(0)


@pytest.mark.parametrize("embed", [True, False])
@pytest.mark.parametrize(
    ("lams", "shifts"), [([0.3, 0.7], [0, 1]), ([0.2, 0.5, 0.3], [0, 3, 1])], ids=["two", "three"]
)
def test_masks_by_hand(embed, lams, shifts):
    torch.manual_seed(0)
    block = AdaptiveMaskBlock(6, 2, embed)
    with torch.no_grad():
        for p in block.parameters():
            p.copy_(torch.randn_like(p) / 2)
    features = torch.randn(4, 6, 3, 2)
    masks = block(features, lams, shifts, (3, 2))
    for i in range(4):
        expected = maps_by_loops(block, features, lams, [(i - shift) % 4 for shift in shifts])
        torch.testing.assert_close(masks[i].flatten(1).double(), expected, rtol=1e-4, atol=1e-5)
    large = block(features, lams, shifts, (6, 4))
    assert large.shape == (4, len(lams), 6, 4)
    torch.testing.assert_close(large.sum(1), torch.ones(4, 6, 4))


def logits_and_masks(mixer, x, lams, shifts):
    """Masks by the block for these images, and what the average network makes of all."""
    with internals.stage_map(mixer.teacher.net, -2) as seen:
        unmixed = mixer.teacher(x)
    masks = mixer.block(seen[0], lams, shifts, (32, 32))
    mixed = sum(masks[:, k, None] * x.roll(shift, 0) for k, shift in enumerate(shifts))
    return unmixed, mixer.teacher(mixed), mixed


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("count", [2, 3])
def test_generator_loss_by_hand(count, turns, tiny, batch, monkeypatch):
    """-0.3 CE + 0.7 sum of λ cos at steps 1, 3, ...; CE at steps 2, 4, ..."""
    net, (x, y) = tiny("resnet"), batch()
    mixer = set_up(net, counts=(count,))
    if count == 2:
        lams, shifts, betas, drawn = [0.2, 0.8], [0, 1], [0.2, 0.6], [1, 2]
    else:
        lams, shifts = [0.1, 0.4, 0.5], [0, 1, 3]
        betas, drawn = [0.16, 0.64, 0.8, 0.5, 0.5, 0.5], [1, 3, 2, 2]
    fixed(monkeypatch, betas * turns, drawn * turns)
    for _ in range(turns):
        losses = mixer(net, x, y).losses
    assert set(losses) == {"generator"}
    unmixed, logits, _ = logits_and_masks(mixer, x, lams, shifts)
    target = sum(lam * y.roll(shift, 0) for lam, shift in zip(lams, shifts, strict=True))
    expected = easy = F.cross_entropy(logits, target)
    if turns % 2:
        near = 0.0
        for lam, shift in zip(lams, shifts, strict=True):
            other = unmixed.roll(shift, 0)
            dot = (logits * other).sum(1)
            near += lam * (dot / logits.norm(dim=1) / other.norm(dim=1)).mean()
        expected = 0.7 * near - 0.3 * easy
    torch.testing.assert_close(losses["generator"], expected)


@pytest.mark.parametrize("count", [2, 3])
def test_network_loss_by_hand(count, tiny, batch, monkeypatch):
    """CE(generated) + CE(clean), of three half the latter and half CE(plain mixture)."""
    net, (x, y) = tiny("resnet"), batch()
    mixer = set_up(net, counts=(count,))
    if count == 2:
        lams, shifts = [0.6, 0.4], [0, 2]
        fixed(monkeypatch, [0.2, 0.6], [1, 2])
    else:
        lams, shifts = [0.2, 0.5, 0.3], [0, 2, 4]
        fixed(monkeypatch, [0.1, 0.1, 0.1, 0.4, 1.0, 0.6], [1, 3, 2, 4])
    other = copy.deepcopy(net)
    mixed = mixer(net, x, y)
    shown = logits_and_masks(mixer, x, lams, shifts)[2].detach()
    target = sum(lam * y.roll(shift, 0) for lam, shift in zip(lams, shifts, strict=True))
    total, clean = F.cross_entropy(other(shown), target), F.cross_entropy(other(x), y)
    if count == 2:
        total += clean
    else:
        plain = sum(lam * x.roll(shift, 0) for lam, shift in zip(lams, shifts, strict=True))
        total += (clean + F.cross_entropy(other(plain), target)) / 2
    torch.testing.assert_close(F.cross_entropy(mixed.logits, mixed.target), total)
    assert mixer.lam == pytest.approx(lams[0])


def test_who_learns_from_what(tiny, batch):
    """The network never from the block's loss, the block never from the network's."""
    net = tiny("resnet")
    mixer = set_up(net)
    torch.manual_seed(0)
    mixed = mixer(net, *batch())
    F.cross_entropy(mixed.logits, mixed.target).backward()
    assert all(p.grad is None for p in mixer.parameters())
    net.zero_grad()
    mixed.losses["generator"].backward()
    assert all(p.grad is None for p in net.parameters())
    assert all(p.grad.abs().sum() > 0 for p in mixer.block.parameters())
    assert all(p.grad is None for p in mixer.teacher.parameters())


@pytest.mark.parametrize(
    ("first", "plain"), [(0.03, True), (0.98, True), (0.04, False), (0.5, False)]
)
def test_close_to_0_or_1_is_a_plain_mixture(first, plain, tiny, batch):
    net, (x, _) = tiny("resnet"), batch()
    mixer = set_up(net)
    lams, shifts = [first, 0.4 * (1 - first), 0.6 * (1 - first)], [0, 1, 2]
    shown = mixer.shown(x, torch.randn(6, 32, 16, 16), lams, shifts)
    assert torch.allclose(shown, mixture(x, lams, shifts), atol=1e-6) == plain


def test_the_turn_is_part_of_the_state(tiny, batch):
    """Whoever resumes after one step is not adversarial at the second."""
    net, (x, y) = tiny("resnet").eval(), batch()
    one, other = set_up(net), set_up(net)
    one(net, x, y)
    other.load_state_dict(one.state_dict())
    losses = []
    for mixer in (one, other):
        torch.manual_seed(5)
        losses.append(mixer(net, x, y).losses["generator"])
    assert torch.equal(*losses) and losses[0] > 0


def test_channels_last_stays(tiny, batch):
    net, (x, y) = tiny("resnet"), batch()
    mixer, seen = set_up(net), []
    net.register_forward_pre_hook(lambda _module, args: seen.append(args[0]))
    mixer(net, x.contiguous(memory_format=torch.channels_last), y)
    assert len(seen) == 3
    assert all(images.is_contiguous(memory_format=torch.channels_last) for images in seen)


def test_number_of_images_is_drawn(tiny, batch):
    net, (x, y) = tiny("resnet"), batch()
    mixer = set_up(net, counts=(2, 3))
    torch.manual_seed(0)
    rows = {len(mixer(net, x, y).target) for _ in range(12)}
    assert rows == {12, 18}
    with pytest.raises(ValueError, match="numbers from 2 on"):
        AdAutoMix(counts=(1, 3))
