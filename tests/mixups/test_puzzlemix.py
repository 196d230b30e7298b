import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from openmix.errors import Unsupported
from openmix.mixups import PuzzleMix
from openmix.ops.labelling import cheapest_labels, energy
from openmix.ops.puzzle import moves, rearranged


def energy_by_hand(labels, unary, down, right):
    rows, columns = labels.shape
    total = 0.0
    for i in range(rows):
        for j in range(columns):
            total += unary[i, j, labels[i, j]]
            if i + 1 < rows:
                total += down[i, j] * ((labels[i, j] - labels[i + 1, j]) / 2) ** 2
            if j + 1 < columns:
                total += right[i, j] * ((labels[i, j] - labels[i, j + 1]) / 2) ** 2
    return total


def grid(n, rows, columns, strength, seed=0):
    torch.manual_seed(seed)
    sizes = ((n, rows, columns, 3), (n, rows - 1, columns), (n, rows, columns - 1))
    unary, down, right = (torch.rand(size).double() for size in sizes)
    return unary, strength * down, strength * right


@pytest.mark.parametrize("strength", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("size", [(2, 2), (2, 3), (3, 2)], ids=str)
def test_labels_are_the_cheapest_of_all(size, strength):
    costs = grid(6, *size, strength)
    found = energy(cheapest_labels(*costs), *costs)
    for k, cost in enumerate(zip(*(c.numpy() for c in costs), strict=True)):
        every = itertools.product(range(3), repeat=size[0] * size[1])
        best = min(energy_by_hand(np.array(z).reshape(size), *cost) for z in every)
        assert found[k].item() == pytest.approx(best, abs=1e-9)


def test_labels_of_a_large_grid_are_no_dearer_than_annealed_ones():
    """16 x 16: single changes at falling temperature find nothing that is 1 % cheaper."""
    costs = grid(1, 16, 16, 0.3)
    found = energy(cheapest_labels(*costs), *costs).item()
    unary, down, right = (c[0].numpy() for c in costs)
    rng, z = np.random.default_rng(0), costs[0][0].argmin(-1).numpy()
    for step in range(30_000):
        i, j, label = rng.integers(16), rng.integers(16), rng.integers(3)
        change = unary[i, j, label] - unary[i, j, z[i, j]]
        near = [(down, i - 1, j, i - 1, j), (down, i, j, i + 1, j)]
        near += [(right, i, j - 1, i, j - 1), (right, i, j, i, j + 1)]
        for weight, a, b, r, c in near:
            if 0 <= r < 16 and 0 <= c < 16:
                change += weight[a, b] * ((label - z[r, c]) ** 2 - (z[i, j] - z[r, c]) ** 2) / 4
        if change < 0 or rng.random() < np.exp(-change / (0.3 * 0.9997**step + 1e-9)):
            z[i, j] = label
    assert found <= energy_by_hand(z, unary, down, right) * 1.01


def shown_energy(mixer, x, s, i, j, z, lam):
    """What the paper's energy makes of a 0/1 choice of blocks, read from the pixels shown."""
    side, block = len(z), x.shape[-1] // len(z)
    near = min(mixer.neighbourhood, block)
    images = [F.avg_pool2d(x[k : k + 1] * mixer.std, near)[0].numpy() for k in (j, i)]
    blocks = [F.avg_pool2d(s[k][None], block)[0].numpy() for k in (j, i)]
    beta, k, total = mixer.beta / side / 16, block // near, 0.0
    for r, c in itertools.product(range(side), repeat=2):
        hidden = blocks[1 - z[r, c]]
        total += hidden[r, c] / hidden.sum()
        total -= mixer.eta / side**2 * np.log((lam if z[r, c] else 1 - lam) ** 2 + 1e-8)
        for dr, dc in ((1, 0), (0, 1)):
            if r + dr == side or c + dc == side:
                continue
            total += beta * (z[r, c] != z[r + dr, c + dc])
            here, there = images[z[r, c]], images[z[r + dr, c + dc]]
            along = range(k)
            if dr:
                gaps = [
                    np.abs(here[:, (r + 1) * k - 1, c * k + t] - there[:, (r + 1) * k, c * k + t])
                    for t in along
                ]
            else:
                gaps = [
                    np.abs(here[:, r * k + t, (c + 1) * k - 1] - there[:, r * k + t, (c + 1) * k])
                    for t in along
                ]
            total += beta * mixer.gamma * np.mean(gaps)
    return total


@pytest.mark.parametrize(("side", "block"), [(2, 8), (4, 4), (4, 2)])
def test_costs_are_the_papers_energy_but_for_a_constant(side, block):
    torch.manual_seed(0)
    mixer = PuzzleMix(beta=20.0)
    x = torch.randn(3, 2, side * block, side * block).double()
    saliency, partner = torch.rand(3, side * block, side * block).double(), torch.tensor([2, 0, 1])
    costs = mixer.costs(x, saliency, partner, side, 0.3)
    for i in range(3):
        rest = []
        for _ in range(6):
            z = torch.randint(0, 2, (1, side, side))
            own = energy(2 - 2 * z, *(c[i : i + 1] for c in costs)).item()
            by_hand = shown_energy(mixer, x, saliency, i, partner[i], z[0].numpy(), 0.3)
            rest.append(own - by_hand)
        np.testing.assert_allclose(rest, rest[0], atol=1e-9)


def test_a_half_costs_the_mean_of_both_and_its_own_prior():
    torch.manual_seed(0)
    x, saliency = torch.randn(2, 3, 8, 8).double(), torch.rand(2, 8, 8).double()
    unary, _, _ = PuzzleMix(eta=0.0).costs(x, saliency, 1, 4, 0.3)
    torch.testing.assert_close(unary[..., 1], (unary[..., 0] + unary[..., 2]) / 2)
    prior = PuzzleMix().costs(x, saliency, 1, 4, 0.3)[0] - unary
    expected = -0.2 / 16 * torch.tensor([0.09, 0.42, 0.49]).double().log()
    torch.testing.assert_close(prior, expected.expand_as(prior), rtol=0, atol=1e-7)


def test_a_strong_prior_is_obeyed(batch):
    x, _ = batch()
    saliency = torch.ones(6, 32, 32)
    for lam, mean in ((0.99, 1.0), (0.5, 0.5), (0.01, 0.0)):
        z = PuzzleMix(eta=50.0).solve(x, saliency, 1, 8, lam)
        torch.testing.assert_close(z, torch.full_like(z, mean))


def moves_by_hand(saliency, shown, price):
    """Rounds of bids, block by block, for one image."""
    side = len(shown)
    places = list(itertools.product(range(side), repeat=2))
    cost = [
        [
            price * ((r - u) ** 2 + (c - v) ** 2) / (side - 1) ** 2
            - saliency[r, c] * (shown[u, v] > 0)
            for u, v in places
        ]
        for r, c in places
    ]
    for _ in range(side):
        bids = {}
        for block, row in enumerate(cost):
            place = int(np.argmin(row))
            bids.setdefault(place, []).append((row[place], block))
        winners = {place: min(b) for place, b in bids.items() if min(b)[0] < 0}
        for place, offers in bids.items():
            for _, block in offers:
                if place not in winners or winners[place][1] != block:
                    cost[block][place] += 1
    return [winners[p][1] if p in winners else p for p in range(side * side)]


@pytest.mark.parametrize("price", [0.0, 0.05, 0.8])
@pytest.mark.parametrize("side", [2, 4, 5])
def test_moves_equal_bids_block_by_block(side, price):
    rng = np.random.default_rng(0)
    saliency = rng.random((6, side, side)) ** 4
    saliency /= saliency.sum((1, 2), keepdims=True)
    shown = rng.integers(0, 3, (6, side, side)) / 2
    found = moves(torch.from_numpy(saliency), torch.from_numpy(shown), price)
    for k in range(6):
        assert found[k].tolist() == moves_by_hand(saliency[k], shown[k], price)


def test_the_salient_block_moves_next_door():
    """Nearly all saliency at top left, which is hidden: the block appears at its neighbour's."""
    saliency = torch.tensor([[[0.9, 0.02], [0.04, 0.04]]])
    shown = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])
    assert moves(saliency, shown, 0.8).tolist() == [[0, 0, 2, 3]]
    assert moves(saliency, shown, 0.95).tolist() == [[0, 1, 2, 3]]


def test_blocks_are_laid_out_in_order():
    x = torch.randn(2, 3, 4, 6)
    order = torch.tensor([[3, 0, 2, 2], [0, 1, 2, 3]])
    out = rearranged(x, order, 2)
    assert torch.equal(out[1], x[1])
    assert torch.equal(out[0, :, :2, :3], x[0, :, 2:, 3:])
    assert torch.equal(out[0, :, :2, 3:], x[0, :, :2, :3])
    assert torch.equal(out[0, :, 2:, 3:], x[0, :, 2:, :3])


def test_blocks_of_channels_last_images_are_laid_out_alike():
    torch.manual_seed(0)
    x, order = torch.randn(3, 3, 8, 12), torch.randint(16, (3, 16))
    found = rearranged(x.contiguous(memory_format=torch.channels_last), order, 4)
    assert torch.equal(found, rearranged(x, order, 4))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_equal_bids_go_to_the_first_place():
    """One salient block between two places as near: it moves to the upper one."""
    saliency, shown = torch.zeros(1, 3, 3), torch.zeros(1, 3, 3)
    saliency[0, 1, 1] = 0.9
    shown[0, 0, 1] = shown[0, 2, 1] = 1.0
    assert moves(saliency, shown, 0.1).tolist() == [[0, 4, 2, 3, 4, 5, 6, 7, 8]]


def test_without_transport_each_block_is_blended_in_place():
    torch.manual_seed(0)
    x, saliency = torch.randn(2, 1, 4, 4), torch.rand(2, 4, 4)
    z = torch.tensor([[[0.0, 0.5], [1.0, 1.0]], [[1.0, 0.5], [0.0, 0.0]]])
    out = PuzzleMix(transport=False).assemble(x, saliency, 1, z)
    for i in range(2):
        weight = np.kron(z[i].numpy(), np.ones((2, 2)))
        expected = weight * x[i, 0].numpy() + (1 - weight) * x[1 - i, 0].numpy()
        np.testing.assert_allclose(out[i, 0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "side", "moved", "expected"),
    [
        ((32, 32), 2, 4, 8),
        ((32, 32), 16, 4, 16),
        ((32, 32), 4, None, 4),
        ((24, 32), 2, 4, 2),
        ((224, 224), 16, 4, 16),
    ],
)
def test_moving_blocks_part_the_masks(size, side, moved, expected):
    assert PuzzleMix(moved=moved)._moving(*size, side) == expected


def test_fine_blocks_move_in_a_coarse_mask(batch):
    x, _ = batch()
    z = torch.tensor([[0.0, 0.5], [1.0, 1.0]]).expand(6, 2, 2)
    out = PuzzleMix(moved=4).assemble(torch.ones_like(x), torch.rand(6, 32, 32), 1, z)
    torch.testing.assert_close(out, torch.ones_like(x))


def test_images_that_no_number_of_blocks_divides_are_refused(tiny, batch):
    with pytest.raises(Unsupported, match=r"no number of mixup\.blocks divides .* 31x33 images"):
        PuzzleMix()(tiny("resnet"), *batch(2, (31, 33)))
