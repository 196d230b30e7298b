"""What mixing costs: python benchmarks/mixup_cost.py [NAME ...] [--device cuda] [--write]

1. The mixing of a batch alone, for methods that only touch their input, as a multiple of the
   physical limit, one `torch.lerp(out=)` of the same batch timed in the same rounds; beside it the
   same method of timm, torchvision and kornia where they have it and are installed.
2. A whole training step over one without mixing, for every method; `--write` keeps these in
   benchmarks/mixup_cost.json, which the tables of methods show.
3. Kernel launches and waits for the device of a mixing step.

One thread, process clock, freed memory retained: other jobs on the machine and the allocator's
return of large blocks would otherwise drown the differences.
"""

import argparse
import ctypes
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from openmix.backbones import small_resnet
from openmix.catalogue import COSTS
from openmix.config import compose, names
from openmix.mixups.base import Mixer

SHAPES = [(128, 3, 32, 32), (256, 3, 64, 64), (64, 3, 224, 224)]
FORMATS = {"contig": torch.contiguous_format, "cl": torch.channels_last}
CLASSES = 100
ROUNDS = 15


def retain_memory() -> None:
    """Keep freed blocks: glibc maps and unmaps large ones at every call, 20 times their copy."""
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(-1, 2**30)  # M_TRIM_THRESHOLD
    libc.mallopt(-3, 2**30)  # M_MMAP_THRESHOLD


def medians(calls: dict[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
    """Median seconds of each call, turn by turn."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    taken = {name: [] for name in calls}
    for number in range(ROUNDS + 3):
        for name, call in calls.items():
            began = clock()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number >= 3:
                taken[name].append(clock() - began)
    return {name: statistics.median(values) for name, values in taken.items()}


def build(name: str) -> Mixer:
    return instantiate(compose([f"mixup={name}"]).config.mixup, _convert_="all")


def peers(x: Tensor, y: Tensor, labels: Tensor) -> dict[str, Callable[[], object]]:
    """The same methods elsewhere, as ``method/package``."""
    from timm.data.mixup import Mixup as TimmMixup
    from torchvision.transforms import v2

    mixup = TimmMixup(mixup_alpha=1.0, cutmix_alpha=0.0, label_smoothing=0, num_classes=CLASSES)
    cutmix = TimmMixup(mixup_alpha=0.0, cutmix_alpha=1.0, label_smoothing=0, num_classes=CLASSES)
    tv_mixup, tv_cutmix = v2.MixUp(num_classes=CLASSES), v2.CutMix(num_classes=CLASSES)
    found = {
        "mixup/timm": lambda: mixup(x, labels),
        "cutmix/timm": lambda: cutmix(x, labels),
        "mixup/torchvision": lambda: tv_mixup(x, labels),
        "cutmix/torchvision": lambda: tv_cutmix(x, labels),
    }
    try:
        import kornia.augmentation as kornia
    except ImportError:
        return found
    k_mixup, k_cutmix = kornia.RandomMixUpV2(p=1.0), kornia.RandomCutMixV2(p=1.0)
    return found | {
        "mixup/kornia": lambda: k_mixup(x, labels),
        "cutmix/kornia": lambda: k_cutmix(x, labels),
    }


def mixing(wanted: list[str], device: torch.device) -> None:
    """Print the first table."""
    print("mixing a batch, as a multiple of one lerp of it\n")
    head = [f"{s[0]}x{s[-1]}px {f}" for s in SHAPES for f in FORMATS]
    rows: dict[str, list[str]] = {}
    for shape in SHAPES:
        for layout in FORMATS.values():
            x = torch.randn(shape, device=device).contiguous(memory_format=layout)
            labels = torch.randint(CLASSES, shape[:1], device=device)
            y = F.one_hot(labels, CLASSES).float()
            out, other = torch.empty_like(x), x.roll(1, 0)
            calls = {"limit": lambda: torch.lerp(x, other, 0.3, out=out)}  # noqa: B023
            for name in wanted:
                mixer = build(name).to(device)
                try:
                    mixer.mix(x, y)
                except NotImplementedError:
                    continue
                calls[name] = lambda mixer=mixer: mixer.mix(x, y)  # noqa: B023
            calls |= {k: f for k, f in peers(x.clone(), y, labels).items() if k[:3] != "lim"}
            seconds = medians(calls, device)
            for name, value in seconds.items():
                text = f"{value * 1e3:.3f} ms" if name == "limit" else ""
                rows.setdefault(name, []).append(text or f"{value / seconds['limit']:.1f}x")
    width = max(map(len, rows))
    print(" " * width, *(f"{h:>15}" for h in head))
    for name in sorted(rows):
        print(name.ljust(width), *(f"{cell:>15}" for cell in rows[name]))


def networks(device: torch.device) -> list[nn.Module]:
    """A ResNet-18 and a small transformer for 32 px, in this order of preference."""
    import timm

    vit = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=4, depth=6, num_classes=CLASSES
    )
    return [small_resnet("resnet18", CLASSES).to(device), vit.to(device)]


def steps(wanted: list[str], device: torch.device) -> dict[str, float]:
    """Print and return the second table."""
    print("\na training step over one without mixing (batch 32, 32 px)\n")
    x = torch.randn(32, 3, 32, 32, device=device)
    y = F.one_hot(torch.randint(CLASSES, (32,), device=device), CLASSES).float()
    costs = {}
    for name in wanted:
        for net in networks(device):
            mixer, plain = build(name), Mixer()
            try:
                mixer.setup(net)
            except ValueError:
                continue
            calls = {"plain": step(net, plain, x, y), "mixed": step(net, mixer.to(device), x, y)}
            seconds = medians(calls, device)
            costs[name] = round(seconds["mixed"] / seconds["plain"], 2)
            print(f"{name:16} {costs[name]:5.2f}x  on {type(net).__name__}", flush=True)
            break
    return costs


def step(net: nn.Module, mixer: Mixer, x: Tensor, y: Tensor) -> Callable[[], None]:
    parameters = [*net.parameters(), *mixer.parameters()]

    def take() -> None:
        mixed = mixer(net, x, y)
        loss = F.cross_entropy(mixed.logits, mixed.target) + sum(mixed.losses.values())
        loss.backward()
        for p in parameters:
            p.grad = None

    return take


class Launches(TorchDispatchMode):
    """Count operations, and those that make the host wait."""

    def __init__(self):
        super().__init__()
        self.launches = self.waits = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        view = func.is_view
        self.launches += not view
        self.waits += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def launches(wanted: list[str], device: torch.device) -> None:
    """Print the third table."""
    print("\noperations and waits of mixing a batch (128, 3, 32, 32)\n")
    x = torch.randn(SHAPES[0], device=device)
    y = torch.eye(CLASSES, device=device)[torch.randint(CLASSES, (128,), device=device)]
    for name in wanted:
        mixer = build(name).to(device)
        try:
            mixer.mix(x, y)
        except NotImplementedError:
            continue
        with Launches() as count:
            mixer.mix(x, y)
        print(f"{name:16} {count.launches:4d} operations, {count.waits} waits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="mixups; all if none is given")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write", action="store_true", help="keep the cost of a step")
    options = parser.parse_args()
    torch.set_num_threads(1)
    retain_memory()
    wanted, device = options.names or names("mixup"), torch.device(options.device)
    mixing(wanted, device)
    costs = steps(wanted, device)
    launches(wanted, device)
    if options.write:
        COSTS.write_text(json.dumps(costs, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
