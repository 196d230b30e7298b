"""What a step costs beyond the bare arithmetic: python benchmarks/step_overhead.py

Our runner against plain PyTorch loops, same model and batches, turn by turn in one process, on one
thread: a loop with dense targets, which any mixing needs, and one with class numbers. Prints the
median cost of a step of each and the differences; then the cost of the first and the last of
100,000 steps. `--require 60` exits with 1 where our runner adds more than 60 µs to the dense loop.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
import torch.nn.functional as F
from torch import nn

from openmix import belongs
from openmix.config import compose
from openmix.identity import Identity
from openmix.runner import build

BLOCK = 50


def toy(width: int) -> dict:
    """A config node of an MLP over 8x8 images; ``width`` sets its cost."""
    linear = "torch.nn.Linear"
    layers = [
        {"_target_": "torch.nn.Flatten"},
        {"_target_": linear, "in_features": 64, "out_features": width},
        {"_target_": "torch.nn.ReLU"},
        {"_target_": linear, "in_features": width, "out_features": width},
        {"_target_": "torch.nn.ReLU"},
        {"_target_": linear, "in_features": width, "out_features": 10},
    ]
    return {"_target_": "torch.nn.Sequential", "_args_": layers, "provides": []}


def prepare(width: int, folder: str) -> build.Runner:
    """Our runner on digits, set up to take steps one at a time."""
    config = Identity.of(compose(["epochs=1000000", "schedule=constant"])).config
    config["backbone"] = toy(width)
    device = build.prepare_torch(config["runner"])
    data = build.build_data(config, device)
    named = {"identity": "toy", "title": "none", "traces": belongs.traces(config), "backends": []}
    runner = build.build(config, data, device, Path(folder), **named)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.load_or_resume()
    # As Runner.train() and its loop begin.
    runner.optim_wrapper.initialize_count_status(runner.model, 0, runner.train_loop.max_iters)
    runner.call_hook("before_run")
    runner.call_hook("before_train")
    return runner


def our_blocks(runner: build.Runner):
    """Each ``next`` takes BLOCK steps and yields the seconds of one."""
    loop, steps = runner.train_loop, 0
    while True:
        for i, batch in enumerate(loop.dataloader.batches(loop.epoch)):
            if steps % BLOCK == 0:
                began = time.perf_counter()
            loop.run_iter(i, batch)
            steps += 1
            if steps % BLOCK == 0:
                yield (time.perf_counter() - began) / BLOCK
        loop.epoch += 1


def bare_blocks(runner: build.Runner, width: int, dense: bool):
    """The same steps as a plain loop writes them, with dense targets or class numbers."""
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
        nn.Linear(width, 10),
    )  # fmt: skip
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    normalise, steps, epoch = runner.learner.normalise, 0, 0
    while True:
        for images, labels in runner.train_loop.dataloader.batches(epoch):
            if steps % BLOCK == 0:
                began = time.perf_counter()
            if dense:
                labels = torch.zeros(len(labels), 10).scatter_(1, labels[:, None], 1)
            loss = F.cross_entropy(net(normalise(images)), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            steps += 1
            if steps % BLOCK == 0:
                yield (time.perf_counter() - began) / BLOCK
        epoch += 1


def compare(width: int, rounds: int) -> dict[str, tuple[float, float]]:
    """For each bare loop: median seconds of its step, and how much more ours takes."""
    with tempfile.TemporaryDirectory() as folder:
        runner = prepare(width, folder)
        loops = {
            "ours": our_blocks(runner),
            "dense targets": bare_blocks(runner, width, dense=True),
            "class numbers": bare_blocks(runner, width, dense=False),
        }
        taken = [{name: next(loop) for name, loop in loops.items()} for _ in range(rounds)][5:]
    median = statistics.median
    return {
        name: (median(t[name] for t in taken), median(t["ours"] - t[name] for t in taken))
        for name in ("dense targets", "class numbers")
    }


def growth(steps: int) -> tuple[float, float]:
    """Median seconds of a step among the first and the last tenth of ``steps``."""
    with tempfile.TemporaryDirectory() as folder:
        ours = our_blocks(prepare(8, folder))
        blocks = [next(ours) for _ in range(steps // BLOCK)]
    tenth = len(blocks) // 10
    return statistics.median(blocks[1:tenth]), statistics.median(blocks[-tenth:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--require", type=float, help="largest difference in microseconds")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--steps", type=int, default=100_000)
    options = parser.parse_args()
    torch.set_num_threads(1)

    against = compare(width=400, rounds=options.rounds)
    for name, (bare, more) in against.items():
        share = f"{more * 1e6:+.0f} µs ({more / bare:+.1%})"
        print(f"bare loop, {name}: {bare * 1e6:5.0f} µs a step; ours {share}")
    first, last = growth(options.steps)
    print(f"steps of {options.steps}: first tenth {first * 1e6:.0f} µs, last {last * 1e6:.0f} µs")
    more = against["dense targets"][1] * 1e6
    return int(options.require is not None and more > options.require)


if __name__ == "__main__":
    sys.exit(main())
