import copy
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from openmix.errors import Unsupported
from openmix.mixups import CoMixup
from openmix.ops import joint


def energy_by_hand(labels, unary, between):
    side, total = len(labels), 0.0
    for i, j in itertools.product(range(side), repeat=2):
        total += unary[i, j, labels[i, j]]
        if i + 1 < side:
            total += between[labels[i, j], labels[i + 1, j]]
        if j + 1 < side:
            total += between[labels[i, j], labels[i, j + 1]]
    return total


def every_labelling(cells, count):
    return np.array(list(itertools.product(range(count), repeat=cells)))


def cheapest_by_hand(unary, between):
    """The best of all labellings of a small grid, and its cost."""
    side, _, count = unary.shape
    labels = every_labelling(side * side, count).reshape(-1, side, side)
    cost = unary[np.arange(side)[:, None], np.arange(side), labels].sum((1, 2))
    cost += between[labels[:, 1:], labels[:, :-1]].sum((1, 2))
    cost += between[labels[:, :, 1:], labels[:, :, :-1]].sum((1, 2))
    return labels[cost.argmin()], cost.min()


@pytest.mark.parametrize("strength", [0.05, 0.3, 1.0])
@pytest.mark.parametrize(("side", "count"), [(2, 5), (3, 3)])
def test_labels_are_the_cheapest_of_all(side, count, strength):
    torch.manual_seed(0)
    unary, between = torch.rand(20, side, side, count), strength * (1 - torch.eye(count))
    between = between.expand(20, count, count).clone()
    between[:, 0, 1] = between[:, 1, 0] = strength / 4
    labels = joint.cheapest_labels(unary.double(), between.double())
    gaps = []
    for z, u, b in zip(
        labels.numpy(), unary.double().numpy(), between.double().numpy(), strict=True
    ):
        gaps.append(energy_by_hand(z, u, b) - cheapest_by_hand(u, b)[1])
    assert min(gaps) > -1e-9 and np.mean(gaps) < 0.002 and np.mean(np.array(gaps) < 1e-9) >= 0.9
    found = joint.energy(labels, unary, between)
    by_hand = [energy_by_hand(*k) for k in zip(labels, unary, between, strict=True)]
    torch.testing.assert_close(found, torch.stack(by_hand))


def shares_by_hand(cost, affinity, start, beta, gamma, threshold, rounds):
    """Mixed image by mixed image, each by the best of all labellings; cost is ``(S, S, n)``."""
    side, _, n = cost.shape
    blocks, outputs = side * side, len(start)
    z, extra = np.eye(n)[start], np.zeros((outputs, n))
    for turn in range(rounds):
        for j in range(outputs):
            shown = sum(z[k].sum((0, 1)) for k in range(outputs) if k != j)
            crowd, price = affinity @ shown, np.zeros(n)
            for k in range(n):
                if crowd[k] > threshold * blocks:
                    price[k] = 2 * gamma / blocks * crowd[k]
            price += gamma / blocks * extra[j]
            levels = [np.eye(n)[k] for k in range(n)]
            if turn:
                area = z[j].sum((0, 1))
                three = sorted(range(n), key=lambda k: -area[k])[:3]
                for a, b in itertools.combinations(three, 2):
                    if area[a] > 0 and area[b] > 0:
                        levels.append((np.eye(n)[a] + np.eye(n)[b]) / 2)
            unary = np.stack(
                [(cost + price) @ level - 5e-4 * (level.max() < 1) for level in levels], -1
            )
            between = np.zeros((len(levels),) * 2)
            for a, b in itertools.permutations(range(len(levels)), 2):
                half = {levels[a].max(), levels[b].max()} == {0.5, 1.0}
                part = half and levels[a] @ levels[b] > 0
                between[a, b] = beta / blocks * (0.25 if part else 1)
            labels, _ = cheapest_by_hand(unary, between)
            z[j] = np.array(levels)[labels]
        if turn == rounds - 2:
            extra = repeats_by_hand(z.sum((1, 2)))
    return z


def repeats_by_hand(area):
    extra = np.zeros_like(area)
    for i, j in itertools.combinations(range(len(area)), 2):
        mine, other = (np.flatnonzero(area[k]) for k in (i, j))
        if mine.tolist() == other.tolist() and len(mine) > 1:
            extra[i, mine[0]] = extra[j, mine[1]] = 1
    return extra


def objective(z, cost, beta, gamma, threshold):
    """Cost, twice-counted smoothness and threshold as the paper has them, for a unit affinity."""
    blocks, area = z.shape[1] * z.shape[2], z.sum((1, 2))
    others = area.sum(0) - area
    smooth = ((z[:, 1:] - z[:, :-1]) ** 2).sum() + ((z[:, :, 1:] - z[:, :, :-1]) ** 2).sum()
    variety = (area * np.where(others > threshold * blocks, others, 0)).sum()
    return (cost * z).sum() + beta / 2 / blocks * smooth + gamma / blocks * variety


def problem(groups, n, side, seed=0):
    """Costs as saliency and prior make them, affinities and random starts."""
    torch.manual_seed(seed)
    saliency = torch.rand(groups, side, side, n).double() ** 3
    cost = -saliency / saliency.sum((1, 2), keepdim=True)
    apart = torch.rand(groups, n, n).double()
    affinity = 0.99 * torch.eye(n).double() + 0.01 * (apart + apart.mT)
    return cost, affinity, torch.randint(n, (groups, n, side, side))


@pytest.mark.parametrize(
    ("n", "gamma", "threshold"), [(2, 1.0, 0.83), (3, 1.0, 0.83), (3, 1.0, 1.0), (3, 0.02, 0.83)]
)
def test_masks_are_those_of_a_loop_over_all_labellings(n, gamma, threshold):
    """The objective is what the loop reaches; so are nearly all of the masks."""
    settings = {"beta": 0.32, "gamma": gamma, "threshold": threshold}
    cost, affinity, start = problem(30, n, 2)
    found = joint.shares(cost, affinity, start, **settings, rounds=4).numpy()
    numbers = (t.numpy() for t in (cost, affinity, start))
    slow = [shares_by_hand(*one, **settings, rounds=4) for one in zip(*numbers, strict=True)]
    assert (np.array(slow) == 0.5).mean() > 0.04  # halves occur
    assert np.mean([np.array_equal(z, w) for z, w in zip(found, slow, strict=True)]) >= 0.9
    reached = [
        [objective(z, c.numpy(), **settings) for z, c in zip(way, cost, strict=True)]
        for way in (found, slow)
    ]
    assert np.mean(reached[0]) <= np.mean(reached[1]) + 0.01 * abs(np.mean(reached[1]))


def test_equal_mixed_images_give_up_one_image_each():
    torch.manual_seed(0)
    area = torch.randint(0, 3, (40, 5, 3)).float()
    expected = np.stack([repeats_by_hand(one) for one in area.numpy()])
    assert np.array_equal(joint.repeats(area).numpy(), expected) and expected.sum() > 40
    assert joint.repeats(torch.tensor([[[4.0, 0], [4, 0]]])).sum() == 0


def test_halves_are_of_the_three_images_that_show_most():
    """All images cost the same: a half of two saves a little, where it is open."""
    cost = torch.zeros(4, 2, 2, 5)
    counts = torch.tensor([[3.0, 0, 1, 0, 0], [4, 0, 0, 0, 0], [4, 3, 2, 1, 0], [1, 2, 0, 3, 4]])
    cost[2, ..., :2] = cost[3, ..., 3] = 1
    share = joint.cheapest_shares(cost, counts, 0.1)
    assert share[0].unique(dim=0).tolist() == [[[0.5, 0, 0.5, 0, 0]] * 2]
    assert share[1].max() == 1 and share[1].sum((0, 1)).max() == 4
    assert share[2].max(-1).values.min() == 1  # the fourth image has no halves
    assert share[3].sum((0, 1)).tolist() == [0, 2, 0, 0, 2]
    assert joint.cheapest_shares(cost, None, 0.1).max(-1).values.min() == 1


def test_variety_spreads_what_is_shown():
    """Without it all mixed images show the same; with it, each image about as much as any other."""
    cost, affinity, start = problem(6, 10, 4)
    same, varied = (
        joint.shares(cost, affinity, start, 0.32, gamma, 0.83, 4).sum((2, 3))
        for gamma in (0.0, 1.0)
    )
    assert same.std(1).max() < 1 < varied.std(1).mean()
    used = varied.sum(1)
    assert used.min() >= 8 and used.max() <= 32 and same.sum(1).max() >= 40


def test_affinity_by_hand():
    saliency = torch.zeros(1, 3, 16, 24)
    for image, (row, column) in enumerate([(0, 0), (3, 5), (8, 16)]):  # of windows of 8 x 8
        saliency[0, image, row : row + 8, column : column + 8] = 1
    apart = torch.tensor([[0.0, 8, 24], [8, 0, 16], [24, 16, 0]])
    expected = 0.9 * torch.eye(3) + 0.1 * apart * 3 / 96
    torch.testing.assert_close(CoMixup(omega=0.1).affinity(saliency)[0], expected)
    for lone in (saliency[:, :1], saliency[:, :, :5, :5]):
        assert torch.equal(CoMixup(omega=0.0).affinity(lone)[0], torch.eye(lone.shape[1]))


def test_cost_is_saliency_and_prior(monkeypatch):
    torch.manual_seed(0)
    saliency, mixer = torch.rand(2, 5, 8, 12), CoMixup(blocks=2, eta=0.3)
    given = {}
    monkeypatch.setattr(
        "openmix.mixups.comixup.shares", lambda *args: given.update(cost=args[0], rest=args[3:])
    )
    mixer.masks(saliency)
    blocks = saliency.unflatten(3, (2, 6)).unflatten(2, (2, 4)).sum((3, 5))
    prior = given["cost"] + (blocks / blocks.sum((2, 3), keepdim=True)).permute(0, 2, 3, 1)
    assert prior.std((1, 2)).max() < 1e-6
    torch.testing.assert_close((prior[:, 0, 0] * -4 / 0.3).exp().sum(1), torch.ones(2))
    assert given["rest"] == (0.32, 1.0, 0.83, 4)


def test_labels_are_the_shares_of_the_pixels(batch, monkeypatch):
    """7 images in groups of 3: two groups and a rest of one; blocks of 8 x 4 pixels."""
    x, _ = batch(7, (16, 8))
    mixer = CoMixup(blocks=2, group=3)

    def masks(saliency):
        groups, n = saliency.shape[:2]
        share = torch.zeros(groups, n, 2, 2, n)
        for i in range(n):
            share[:, i, 0, :, i] = 1
            share[:, i, 1, 0, (i + 1) % n] += 0.5
            share[:, i, 1, 0, i] += 0.5
            share[:, i, 1, 1, (i + 1) % n] = 1
        return share

    monkeypatch.setattr(mixer, "masks", masks)
    mixed, target = mixer.mix_by(x, torch.eye(7), torch.rand(7, 16, 8))
    expected, label = x.clone(), torch.eye(7)
    for i, j in enumerate([1, 2, 0, 4, 5, 3, 6]):
        expected[i, :, 8:, :4] = (x[i, :, 8:, :4] + x[j, :, 8:, :4]) / 2
        expected[i, :, 8:, 4:] = x[j, :, 8:, 4:]
        label[i] = 0.625 * torch.eye(7)[i] + 0.375 * torch.eye(7)[j]
    torch.testing.assert_close(mixed, expected)
    torch.testing.assert_close(target, label)


@pytest.mark.parametrize("clean", [1.0, 0.5, 0.0])
def test_loss_by_hand(clean, tiny, batch):
    """CE(mixed) + clean CE(images); saliency of the training pass, or of one in evaluation mode."""
    net, (x, y) = tiny("resnet"), batch()
    mixer, other = CoMixup(clean=clean), copy.deepcopy(net)
    torch.manual_seed(0)
    mixed = mixer(net, x, y)
    seen = x.clone().requires_grad_()
    logits = other(seen) if clean else other.eval()(seen)
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, y), seen, retain_graph=True)
    torch.manual_seed(0)
    shown, target = mixer.mix_by(x, y, gradient.square().mean(1).sqrt())
    total = F.cross_entropy(other.train()(shown), target)
    total = total + (clean * F.cross_entropy(logits, y) if clean else 0)
    loss = F.cross_entropy(mixed.logits, mixed.target)
    torch.testing.assert_close(loss, total)
    loss.backward()
    total.backward()
    for mine, by_hand in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, by_hand.grad, rtol=1e-3, atol=1e-5)


def test_images_that_blocks_do_not_divide_are_refused(tiny, batch):
    with pytest.raises(Unsupported, match=r"do not divide 32x32 pixels; set mixup.blocks"):
        CoMixup(blocks=5)(tiny("resnet"), *batch())
