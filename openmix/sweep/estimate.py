"""How long a sweep may take, from what the same settings took before."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from openmix import records
from openmix.sweep.manifest import Sweep
from openmix.sweep.table import duration

LOOKED_AT = 5
"""Records of a setting that are read."""

Setting = tuple[str, str, str]


def estimate(sweep: Sweep, runs: Sequence[int]) -> str:
    """One line: hours of training on what earlier runs used, and for how many runs none is known.

    A run is taken to need, for each epoch, the median of what earlier records of the same dataset,
    backbone and mixup needed.
    """
    seconds: dict[str, float] = defaultdict(float)
    unknown = 0
    rates: dict[Setting, tuple[float, str] | None] = {}
    for index in runs:
        identity = sweep.identity(index)
        setting = identity.dataset, identity.backbone, identity.mixup
        if setting not in rates:
            root = Path(sweep.manifest["cwd"], identity.records)
            rates[setting] = _rate(root, setting)
        if rate := rates[setting]:
            seconds[rate[1]] += rate[0] * identity.config["epochs"]
        else:
            unknown += 1
    if not runs:
        return "nothing to train"
    parts = [f"{duration(total)} on {device}" for device, total in sorted(seconds.items())]
    told = " + ".join(parts) + " of training, by earlier records" if parts else ""
    rest = f"time unknown for {unknown} of {len(runs)} runs: no record of their kind"
    return "; ".join(filter(None, (told, rest if unknown else "")))


def _rate(root: Path, setting: Setting) -> tuple[float, str] | None:
    """Seconds an epoch and the device it took them on."""
    names = dict(zip(("dataset", "backbone", "mixup"), setting, strict=True))
    folder = records.path(root, names | {"key": "", "seed": 0}).parent
    found = []
    for file in sorted(folder.glob("*.json"))[:LOOKED_AT]:
        try:
            record = records.read(file)
        except records.RecordError:
            continue
        if record["status"] == "done":
            cost = record["cost"]
            spent = cost["train_seconds"] * cost.get("world_size", 1) / max(record["epochs"], 1)
            found.append((spent, str(record["environment"].get("device"))))
    if not found:
        return None
    device = found[0][1]
    return median(spent for spent, where in found if where == device), device
