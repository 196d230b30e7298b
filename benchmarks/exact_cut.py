"""How far PuzzleMix's batched solver stays above the cheapest masks, which a graph cut finds."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_flow
from torch import Tensor, nn

from openmix.data.digits import digits
from openmix.internals import input_saliency
from openmix.mixups import PuzzleMix
from openmix.ops import draw
from openmix.ops.labelling import cheapest_labels, energy


def least_energy(unary: np.ndarray, down: np.ndarray, right: np.ndarray) -> float:
    """The least :func:`openmix.ops.labelling.energy` of one grid ``(R, C, 3)``, exact to 1e-8.

    A minimum cut: two nodes a cell say whether its label is above 0 and above 1. Squared distances
    are convex, so that three labels cut as exactly as two.
    """
    rows, columns = unary.shape[:2]
    cells = rows * columns
    above_0 = np.arange(cells).reshape(rows, columns)
    above_1, source, sink = above_0 + cells, 2 * cells, 2 * cells + 1
    floor = unary.min(-1, keepdims=True)
    cost = unary - floor
    never = cost.sum() + down.sum() + right.sum()
    edges = [
        (source, above_0, cost[..., 0]),
        (above_0, above_1, cost[..., 1]),
        (above_1, sink, cost[..., 2]),
        (above_1, above_0, np.full((rows, columns), never)),
    ]
    for weight, here, there in (
        (down, np.s_[:-1], np.s_[1:]),
        (right, np.s_[:, :-1], np.s_[:, 1:]),
    ):
        for one, other in ((here, there), (there, here)):
            edges += [(node[one], node[other], weight / 4) for node in (above_0, above_1)]
            edges += [(above_1[one], above_0[other], weight / 2)]
    tails, heads, costs = (
        np.concatenate([np.ravel(np.broadcast_to(edge[k], edge[2].shape)) for edge in edges])
        for k in range(3)
    )
    unit = never / 2**30
    capacity = np.round(costs / unit).astype(np.int32)
    graph = coo_array((capacity, (tails, heads)), shape=(sink + 1, sink + 1)).tocsr()
    return maximum_flow(graph, source, sink).flow_value * unit + floor.sum()


def trained_on_digits(epochs: int = 6) -> tuple[nn.Module, Tensor, Tensor]:
    """A small network that knows the digits, test images ``(N, 1, 32, 32)`` and dense targets."""
    (train, test) = digits()

    def images(arrays) -> Tensor:
        return F.interpolate(
            torch.from_numpy(arrays.images).float() / 127.5 - 1, (32, 32), mode="bilinear"
        )

    layers: list[nn.Module] = []
    for inputs, width in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    x, labels, wanted = images(train), *(torch.from_numpy(part.labels) for part in (train, test))
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            F.cross_entropy(net(x[rows]), labels[rows]).backward()
            optimizer.step()
    return net, images(test), F.one_hot(wanted, 10).float()


def gaps(side: int, count: int = 128) -> Tensor:
    """Energy above the least one, as a share of it, for ``count`` pairs of digits: ``(count,)``."""
    torch.manual_seed(0)
    net, x, y = trained_on_digits()
    x, y, mixer, found = x[:count], y[:count], PuzzleMix(), []
    saliency = input_saliency(net, x, y)
    for rows in torch.arange(count).split(16):
        partner = rows.roll(1) - rows[0]
        costs = mixer.costs(x[rows], saliency[rows], partner, side, draw.beta(mixer.alpha))
        reached = energy(cheapest_labels(*costs), *(c for c in costs))
        least = [
            least_energy(*grid) for grid in zip(*(c.double().numpy() for c in costs), strict=True)
        ]
        found.append(reached.double() / torch.tensor(least) - 1)
    return torch.cat(found)
