"""How long a leaderboard takes, and how much memory.

python benchmarks/board_speed.py [--records 10000] [--cached 100000] [--require]

First records of 200 epochs are written into a temporary folder, and the command is timed on them
twice: reading every file, then with nothing changed. Then a larger number of runs is put into a
cache as it would lie there, and loading and aggregating it is timed. ``--require`` ends in exit
code 1 above 10 s and 1 GB, 2 s, and 5 s.
"""

import argparse
import copy
import gc
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from openmix import records

EPOCHS, SEEDS, METHODS = 200, 5, 50


def runs(count: int, epochs: int) -> Iterator[dict[str, Any]]:
    """Made-up records: ``METHODS`` methods, ``SEEDS`` seeds, as many protocols as it takes."""
    random = np.random.default_rng(0)
    for number in range(count):
        protocol, rest = divmod(number, METHODS * SEEDS)
        method, seed = divmod(rest, SEEDS)
        top1 = 70 + protocol % 20 + 0.05 * method + 0.25 * random.normal()
        config = _config(protocol, method) | {"seed": seed}
        curve = top1 - 30 * np.exp(-np.arange(epochs) / 40) + random.normal(size=epochs)
        history = [
            {"epoch": e, "train_loss": 9 / e + 0.123456789, "lr": 0.1 / e, "top1": v, "top5": v}
            | {"nll": 4 - v / 25, "ece": 5.123456789}
            for e, v in enumerate(curve.tolist(), 1)
        ]
        yield {
            "schema": records.SCHEMA,
            "task": "classification",
            "method": "supervised",
            "primary": records.PRIMARY,
            "measures": {name: metric.measure() for name, metric in records.METRICS.items()},
            "sources": {},
            "status": "done",
            "reason": "",
            "key": records.key(config),
            "protocol_key": records.protocol_key(config),
            "protocol": "p",
            "dataset": f"data{protocol:03d}",
            "backbone": "resnet18",
            "mixup": f"method{method:02d}" if method else "none",
            "variant": "",
            "seed": seed,
            "epochs": epochs,
            "overrides": [f"mixup=method{method}", f"seed={seed}"],
            "config": config,
            "selection": "median10",
            "metrics": records.select(history),
            "history": history,
            "cost": {"images_per_second": 1e3 + method, "train_seconds": 3e3, "parameters": 11e6},
            "environment": {"python": "3.11.7", "torch": "2.13.0", "device": "a GPU"},
            "code": {"commit": "0" * 40, "dirty": False},
            "data": {"checksum": "0", "train": 50000, "val": 0, "test": 10000},
            "hashes": {},
            "restarts": 0,
            "started": "2030-01-01T00:00:00Z",
            "finished": "2030-01-01T01:00:00Z",
        }


def _config(protocol: int, method: int) -> dict[str, Any]:
    """About as much as a real one holds."""
    return {
        "dataset": {"name": f"data{protocol}", "num_classes": 100, "mean": [0.5] * 3},
        "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9},
        "runner": {f"option{i}": i for i in range(20)},
        "mixup": {"_target_": f"m.M{method}", "alpha": 1.0},
        "epochs": EPOCHS,
    }


def files(count: int) -> list[tuple[str, float, float]]:
    """Time the command on record files: (what, measured, limit)."""
    with tempfile.TemporaryDirectory() as folder:
        for run in runs(count, EPOCHS):
            records.write(Path(folder, "records"), copy.copy(run))
        time.sleep(2.5)  # a file that changed just now is not trusted to lie still
        command = [sys.executable, ROOT / "tools/leaderboard.py", "records=records", "out=board"]
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            home = os.environ | {"XDG_CACHE_HOME": folder}
            subprocess.run(command, cwd=folder, env=home, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - start)
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        page = Path(folder, "board/leaderboard.html").stat().st_size / 2**20
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{page:8.2f} MB the page of {count:,} records")
    print(f"{used.ru_utime + used.ru_stime:8.2f} s of processor time for both calls below")
    return [
        (f"s to collect and render {count:,} records", seconds[0], 10),
        ("GB at most while doing so", memory, 1),
        ("s with nothing changed", seconds[1], 2),
    ]


def cached(count: int) -> list[tuple[str, float, float]]:
    """Time loading and aggregating a large cache, with the libraries loaded."""
    from openmix.leaderboard import cache, collect
    from openmix.leaderboard.board import build

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cache.zip")
        # In another process: what it needs to make the cache would be in the way here.
        process = multiprocessing.get_context("spawn").Process(target=fill, args=(path, count))
        process.start()
        process.join()
        gc.disable()  # as the tool does
        start = time.perf_counter()
        frame, _ = collect.latest(cache.load(path))
        loaded = time.perf_counter()
        board = build(frame)
        end = time.perf_counter()
    print(f"{loaded - start:8.2f} s of it to load {len(frame):,} runs, for {len(board.rows)} rows")
    return [(f"s to aggregate {count:,} records from the cache", end - start, 5)]


def fill(path: Path, count: int) -> None:
    """Write a cache of so many runs."""
    import pandas as pd

    from openmix.leaderboard import cache
    from openmix.leaderboard.load import row

    rows = [row(run) for run in runs(count, 60)]
    stamps = {f"records/{number}.json": (number, number) for number in range(count)}
    cache.save(path, cache.Cache(pd.DataFrame(rows), stamps, {}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--cached", type=int, default=100_000)
    parser.add_argument("--require", action="store_true")
    options = parser.parse_args()
    slow = 0
    for what, measured, limit in [*files(options.records), *cached(options.cached)]:
        slow += measured > limit
        print(f"{measured:8.2f} {what} (at most {limit})", flush=True)
    return int(options.require and slow > 0)


if __name__ == "__main__":
    sys.exit(main())
