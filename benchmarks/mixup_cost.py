"""What mixing costs: python benchmarks/mixup_cost.py [NAME ...] [--device cuda] [--write]

1. The mixing of a batch alone, for methods that only touch their input, as a multiple of one
   `torch.lerp(out=)` of the same batch; below it the same method of timm, torchvision and kornia.
2. A whole training step over one without mixing, and the operations and waits for the device that
   it adds. `--write` keeps the costs in benchmarks/mixup_cost.json, which the tables of methods
   show. Methods that mix some batches only are averaged over mixed and other ones.

How it is timed: benchmarks/timing.py. How fast it should be: benchmarks/mixup_goals.py.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import peers
import timm
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from scipy.stats import trim_mean
from timing import Call, launches, ratio, steady, turns
from torch import Tensor, nn

from openmix.backbones import small_resnet
from openmix.catalogue import COSTS
from openmix.config import compose, names
from openmix.errors import Unsupported
from openmix.mixups.base import Mixer

SHAPES = [(128, 3, 32, 32), (256, 3, 64, 64), (64, 3, 224, 224)]
FORMATS = {"contig": torch.contiguous_format, "cl": torch.channels_last}
CLASSES = 100
BATCH = 32


def build(name: str) -> Mixer:
    config = compose([f"mixup={name}"]).config
    return instantiate(config.mixup, _convert_="all")


def always(name: str) -> Mixer:
    """The method on every batch, whatever share of the batches its file mixes."""
    mixer = build(name)
    if hasattr(mixer, "bounds"):
        mixer.bounds = [bound / mixer.bounds[-1] for bound in mixer.bounds]
    return mixer


def without_network(mixer: Mixer, x: Tensor, y: Tensor) -> bool:
    """Whether all that the mixer may draw only touches its input."""
    try:
        for _ in range(50):
            mixer.mix(x, y)
    except NotImplementedError:
        return False
    return True


def batch(shape: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Images, class numbers and dense targets."""
    labels = torch.randint(CLASSES, shape[:1], device=device)
    return torch.randn(shape, device=device), labels, F.one_hot(labels, CLASSES).float()


def mixing(wanted: list[str], device: torch.device) -> None:
    """Print the first table."""
    print("mixing a batch, as a multiple of one lerp of it\n")
    rows: dict[str, list[str]] = {}
    for shape in SHAPES:
        for layout in FORMATS.values():
            x, labels, y = batch(shape, device)
            x = x.contiguous(memory_format=layout)
            calls: dict[str, Call | None] = {"one lerp": peers.lerp(x)}
            for name in wanted:
                mixer = always(name).to(device)
                if without_network(mixer, x[:2], y[:2]):
                    calls[name] = lambda mixer=mixer: mixer.mix(x, y)  # noqa: B023
            for name, call in peers.packages(x, labels, CLASSES).items():
                if name.partition("/")[0] in calls:
                    calls[name] = call
            taken = turns({name: call for name, call in calls.items() if call}, device)
            for name in calls:
                cell = "not installed"
                if name == "one lerp":
                    cell = f"{1e3 * median(taken[name]):.3f} ms"
                elif name in taken:
                    cell = f"{ratio(taken[name], taken['one lerp'])[0]:.1f}x"
                rows.setdefault(name, []).append(cell)
    width = max(map(len, rows))
    print(" " * width, *(f"{f'{s[0]}x{s[-1]}px {f}':>14}" for s in SHAPES for f in FORMATS))
    for name in sorted(rows):
        print(name.ljust(width), *(f"{cell:>14}" for cell in rows[name]))


def networks(device: torch.device) -> list[nn.Module]:
    """A ResNet-18 and a small transformer for 32 px, in this order of preference."""
    vit = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=4, depth=6, num_classes=CLASSES
    )
    return [small_resnet("resnet18", CLASSES).to(device), vit.to(device)]


def training_step(net: nn.Module, mixer: Mixer, x: Tensor, y: Tensor) -> Call:
    parameters = [*net.parameters(), *mixer.parameters()]

    def take() -> None:
        mixed = mixer(net, x, y)
        loss = F.cross_entropy(mixed.logits, mixed.target) + sum(mixed.losses.values())
        loss.backward()
        for p in parameters:
            p.grad = None

    return take


def steps(wanted: list[str], device: torch.device, rounds: int) -> dict[str, float]:
    """Print and return the second table, the methods for a network timed in the same rounds."""
    print(f"\na training step over one without mixing, {BATCH} images of 32 px\n")
    x, _, y = batch((BATCH, 3, 32, 32), device)
    left, costs = list(wanted), {}
    for net in networks(device):
        calls = {"plain": training_step(net, Mixer(), x, y)}
        for name in list(left):
            mixer = build(name)
            try:
                mixer.setup(net)
            except Unsupported:
                continue
            left.remove(name)
            calls[name] = training_step(net, mixer.to(device), x, y)
        taken = turns(calls, device, rounds, least=0)
        # A trimmed mean, for draws differ: some batches are mixed, some are not.
        mean = {name: trim_mean(each, 0.1) for name, each in taken.items()}
        plain = launches(calls.pop("plain"))
        for name, call in calls.items():
            costs[name] = round(float(mean[name] / mean["plain"]), 2)
            counts = [launches(call) for _ in range(3)]  # not every batch is mixed
            more = max(count.launches for count in counts) - plain.launches
            more = f"{more:+5d} operations, {sum(count.waits for count in counts)} waits"
            print(f"{name:16} {costs[name]:5.2f}x  {more}  on {type(net).__name__}", flush=True)
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="mixups; all if none is given")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=15, help="of training steps")
    parser.add_argument("--write", action="store_true", help="keep the cost of a step")
    options = parser.parse_args()
    steady()
    wanted, device = options.names or names("mixup"), torch.device(options.device)
    if not options.write:
        mixing(wanted, device)
    costs = steps(wanted, device, options.rounds)
    if options.write:
        kept = json.loads(COSTS.read_text(encoding="utf-8")) if COSTS.is_file() else {}
        text = json.dumps(kept | costs, indent=1, sort_keys=True)
        COSTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
