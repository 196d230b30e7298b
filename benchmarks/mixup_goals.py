"""Whether mixing is as fast as it should be: python benchmarks/mixup_goals.py [WORD ...]

Prints for each goal whose name holds a WORD, or for all, what was measured at three sizes on the
CPU, beside the same for another implementation. Goals are multiples of what the hardware allows at
best, or of what a plain form takes; `!` marks one that is missed by more than the noise of the
measurement, in which case the exit status is 1. How it is timed: benchmarks/timing.py.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import peers
import torch
import torch.nn.functional as F
from exact_cut import gaps
from mixup_cost import CLASSES, SHAPES, batch, build, networks, training_step
from timing import Call, launches, peak_memory, ratio, steady, turns
from torch import Tensor

from openmix.config import names
from openmix.errors import Unsupported
from openmix.mixups import (
    AlignMix,
    AttentiveMix,
    CutMix,
    FMix,
    GridMixup,
    Mixup,
    PuzzleMix,
    SaliencyMix,
    SmoothMix,
)
from openmix.mixups.base import Mixer

CPU = torch.device("cpu")
MAPS = {32: 4, 64: 8, 224: 7}
"""Side of a ResNet-18's last map, 512 channels, with the stem for the image's size."""

PRIOR = 0.4


@dataclass
class Goal:
    """``bounds`` on the time of ours over ``limit``, or of ``limit`` over ours if ``faster``."""

    name: str
    against: str
    bounds: tuple[float, float, float]
    ours: Callable[[Tensor], Call]
    limit: Callable[[Tensor], Call | None]
    peer: Callable[[Tensor], Call] | None = None
    faster: bool = False


def mixing(mixer: Mixer) -> Callable[[Tensor], Call]:
    def prepared(x: Tensor) -> Call:
        y = F.one_hot(torch.arange(len(x)) % CLASSES, CLASSES).float()
        return lambda: mixer.mix(x, y)

    return prepared


def timm(method: str) -> Callable[[Tensor], Call]:
    def prepared(x: Tensor) -> Call:
        return peers.packages(x, torch.arange(len(x)) % CLASSES, CLASSES)[f"{method}/timm"]

    return prepared


def attentivemix(x: Tensor) -> Call:
    """Its mixing without the teacher, whose last maps are taken as given."""
    maps, mixer = torch.rand(len(x), *[MAPS[x.shape[-1]]] * 2), AttentiveMix()
    mixer.teacher = None
    mixer.response = lambda _: maps
    return mixing(mixer)(x)


def puzzlemix(x: Tensor) -> Call:
    """Its masks of 8 x 8 blocks and their transport, the saliency given."""
    mixer, saliency = PuzzleMix(), torch.rand(len(x), *x.shape[-2:]).square()

    def mix() -> Tensor:
        return mixer.assemble(x, saliency, 1, mixer.solve(x, saliency, 1, 8, PRIOR))

    return mix


def features(x: Tensor) -> Tensor:
    """In the place of a ResNet-18's last map."""
    return torch.rand(len(x), 512, *[MAPS[x.shape[-1]]] * 2)


def alignmix(x: Tensor) -> Call:
    maps, mixer = features(x), AlignMix()
    return lambda: mixer.align(maps, 1, PRIOR, True)


def alignmix_densely(x: Tensor) -> Call:
    own, mixer = features(x).flatten(2), AlignMix()
    return lambda: peers.aligned_densely(own, own.roll(1, 0), mixer.eps, mixer.iterations)


LERP, BOX = "one lerp(out=)", "a box copied in place"
GOALS = [
    Goal("Mixup", LERP, (1.5, 1.2, 1.3), mixing(Mixup()), peers.lerp, timm("mixup")),
    Goal("CutMix", BOX, (3.3, 3, 2), mixing(CutMix()), peers.box_copy, timm("cutmix")),
    Goal(
        "FMix, one mask", LERP, (4, 1.7, 1.7), mixing(FMix()), peers.lerp,
        lambda x: lambda: peers.fmix_one_mask(x),
    ),
    Goal(
        "FMix, a mask for each image", "a loop over images", (7, 4, 4),
        mixing(FMix(per_sample=True)), lambda x: lambda: peers.fmix_loop(x), faster=True,
    ),
    Goal("GridMixup", LERP, (3.5, 1.7, 1.6), mixing(GridMixup()), peers.lerp),
    Goal("SmoothMix", LERP, (3.5, 1.7, 1.6), mixing(SmoothMix()), peers.lerp),
    Goal("AttentiveMix without its teacher", LERP, (9, 5.5, 2.5), attentivemix, peers.lerp),
    Goal(
        "SaliencyMix", "OpenCV in a loop", (4, 2, 1.5), mixing(SaliencyMix()),
        peers.saliencymix_by_opencv, faster=True,
    ),
    Goal("PuzzleMix without its saliency", LERP, (400, 45, 20), puzzlemix, peers.lerp),
    Goal(
        "AlignMix", "its two matrix products", (4, 2.5, 2.5), alignmix,
        lambda x: peers.two_matmuls(features(x)), alignmix_densely,
    ),
]  # fmt: skip


def timed(goal: Goal) -> bool:
    """Print a goal's row; whether it is met."""
    met, cells, beside = True, [], []
    for shape, bound in zip(SHAPES, goal.bounds, strict=True):
        x = torch.randn(shape)
        limit = goal.limit(x)
        if limit is None:
            print(f"{goal.name:33} {goal.against} is not installed")
            return True
        calls = {"ours": goal.ours(x), "limit": limit}
        if goal.peer:
            calls["peer"] = goal.peer(x)
        taken = turns(calls, CPU)
        over, under = ("limit", "ours") if goal.faster else ("ours", "limit")
        value, margin = ratio(taken[over], taken[under])
        missed = value + margin < bound if goal.faster else value - margin > bound
        met &= not missed
        cells.append(f"{value:7.2f} ({bound:g}){'!' if missed else ' '}")
        if goal.peer:
            beside.append(f"{ratio(taken['peer'], taken['limit'])[0]:.1f}")
    sign = ">=" if goal.faster else "<="
    row = f"{goal.name:33} {sign} {' '.join(f'{c:>15}' for c in cells)}  {goal.against:24}"
    print(row, " / ".join(beside), flush=True)
    return met


def waits() -> dict[str, int]:
    """Of each method that waits for the device in a training step: how often, in six steps."""
    x, _, y = batch((4, 3, 32, 32), CPU)
    left, found = set(names("mixup")), {}
    for net in networks(CPU):
        for name in sorted(left):
            mixer = build(name)
            try:
                mixer.setup(net)
            except Unsupported:
                continue
            left.remove(name)
            take = training_step(net, mixer, x, y)
            if count := sum(launches(take).waits for _ in range(6)):
                found[name] = count
    return found


def counted() -> list[tuple[str, float, float, str]]:
    """What is not a time: name, value, the most it may be, and what of."""
    counts = [launches(attentivemix(torch.randn(n, 3, 32, 32))).launches for n in (64, 128)]
    found = [("AttentiveMix", counts[1] - counts[0], 0, "operations more for 128 images than 64")]
    for shape in SHAPES[:2]:
        x = torch.randn(shape)
        result = features(x).nbytes
        ours, dense = (peak_memory(f(x)) - result for f in (alignmix, alignmix_densely))
        share = ours / dense
        size = f"{shape[-1]} px"
        found.append(
            ("AlignMix", 100 * share, 5, f"% of the extra memory of its dense form, {size}")
        )
    for side in (4, 8):
        size = f"{side} x {side} blocks"
        found.append(
            ("PuzzleMix", 100 * gaps(side).mean().item(), 0.15, f"% above the cut, {size}")
        )
    waiting = waits()
    found.append(("waits for the device", len(waiting), 0, f"methods that wait {waiting or ''}"))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="parts of the names of goals")
    words = [word.lower() for word in parser.parse_args().words]
    steady()
    sizes = " ".join(f"{'x'.join(map(str, shape)):>15}" for shape in SHAPES)
    print(f"{'measured (goal)':33}    {sizes}  {'in multiples of':24} others")
    met = True
    for goal in GOALS:
        if not words or any(word in goal.name.lower() for word in words):
            met &= timed(goal)
    if not words:
        for name, value, most, what in counted():
            met &= value <= most
            print(f"{name:33} <= {value:7.3f} ({most:g}){'!' if value > most else ' '} {what}")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
