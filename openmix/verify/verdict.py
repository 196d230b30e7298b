"""What two trainings of one run have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openmix import records
from openmix.leaderboard.statistics import estimate
from openmix.records.metrics import METRICS

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """``same``: the numbers can be taken for those of the record; ``text`` says how far."""

    same: bool
    text: str


def verdict(before: Record, now: Record, others: list[float]) -> Verdict:
    """Compare a record with a second training; ``others`` are the values of the other seeds.

    Weights that are equal to the bit, with history and metrics, are the same run. Else the two
    values are two draws of one cell: each has to lie where, by the cell with the other one in its
    place, a further run is to be expected, 95 % by Student's t. (The interval of the mean, on the
    board, is too narrow for a single run, the more so the more seeds it has. And a value that is
    far off widens the interval that it is part of, so that one of both is not enough.)
    """
    if _bits(before) == _bits(now):
        return Verdict(True, "identical bits")
    rule, metric = before["selection"], METRICS[before["primary"]]
    old, new = (record["metrics"].get(rule, {}).get(metric.name) for record in (before, now))
    if old is None or new is None:
        return Verdict(False, f"differs by having no finite {metric.name} ({rule}) in one of both")
    gap = f"{metric.name} {new:.{metric.digits}f}, on record {old:.{metric.digits}f}"
    differs = f"differs by {new - old:+.{metric.digits}f} ({gap}"
    if not others:
        return Verdict(False, f"{differs}; its cell has one seed, and so no interval)")
    low, high = _further([*others, old])
    bounds = f"{low:.{metric.digits}f} to {high:.{metric.digits}f} by its {len(others) + 1} seeds"
    back = _further([*others, new])
    if low <= new <= high and back[0] <= old <= back[1]:
        return Verdict(True, f"within the interval of its cell ({gap}; a further run: {bounds})")
    return Verdict(False, f"{differs}; a further run: {bounds})")


def _further(values: list[float]) -> tuple[float, float]:
    """Where one more value is to be expected: mean ± t s √(1 + 1/n)."""
    mean, half, n = estimate(values)
    return mean - half * (n + 1) ** 0.5, mean + half * (n + 1) ** 0.5


def others_of(path: Path, record: Record) -> list[float]:
    """The values of the other seeds of a setting on the same data, from the files beside one."""
    rule, found = record["selection"], {}
    for file in path.parent.glob(f"{record['key']}-s*.json"):
        try:
            other = records.read(file)
        except records.RecordError:
            continue
        same = other["data"].get("checksum") == record["data"].get("checksum")
        if other["status"] == "done" and same and other["seed"] != record["seed"]:
            found[other["seed"]] = other
    values = [one["metrics"].get(rule, {}).get(record["primary"]) for one in found.values()]
    return [value for value in values if value is not None]


def parting(before: Record, now: Record) -> str:
    """Where two histories part, in words; empty where they do not."""
    for one, other in zip(before["history"], now["history"], strict=False):
        for name in sorted(one.keys() & other.keys()):
            if one[name] != other[name]:
                return f"epoch {one.get('epoch')}: {name} {other[name]}, on record {one[name]}"
    lengths = len(now["history"]), len(before["history"])
    return "" if lengths[0] == lengths[1] else f"{lengths[0]} epochs, on record {lengths[1]}"


def surroundings(before: Record, now: Record) -> list[str]:
    """What of the environment is otherwise, as may explain other bits."""
    old, new = before["environment"], now["environment"]
    return [
        f"{name} {new.get(name)}, on record {old.get(name)}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _bits(record: Record) -> tuple[Any, ...]:
    return record["hashes"].get("weights"), record["history"], record["metrics"]
