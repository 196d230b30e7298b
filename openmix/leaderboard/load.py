"""Records as a table: one row a run, in one order whatever the order of the files."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from openmix.records.metrics import METRICS, RULES

IDENTITY = ["dataset", "backbone", "protocol", "protocol_key", "mixup", "variant", "key", "seed"]
COST = ["images_per_second", "peak_memory_mb", "train_seconds", "parameters"]
PLACE = ["device", "python", "torch", "torchvision", "timm"]


def load(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Table of runs: identity, status, one column ``rule.metric`` each, cost, origin and config."""
    frame = pd.DataFrame([_row(record) for record in records])
    return frame.sort_values(IDENTITY, ignore_index=True) if len(frame) else frame


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    cost, place, code = record["cost"], record["environment"], record["code"] or {}
    row = {name: record[name] for name in [*IDENTITY, "status", "reason", "epochs", "selection"]}
    for rule in RULES:
        values = record["metrics"].get(rule, {})
        row |= {f"{rule}.{metric}": _number(values.get(metric)) for metric in METRICS}
    row |= {name: _number(cost.get(name)) for name in COST}
    row |= {name: place.get(name) for name in PLACE}
    row |= {"commit": code.get("commit"), "dirty": code.get("dirty")}
    row |= {name: record[name] for name in ("restarts", "started", "finished")}
    row = {
        name: printable(value) if isinstance(value, str) else value for name, value in row.items()
    }
    return row | {"config": record["config"]}


def printable(text: str) -> str:
    """One line without control characters, which could rewrite a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
