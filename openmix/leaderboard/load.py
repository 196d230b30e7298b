"""Records as a table: one row a run, in one order whatever the order of the files."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from openmix.leaderboard.history import History
from openmix.records.metrics import METRICS, RULES

IDENTITY = ["dataset", "backbone", "protocol", "protocol_key", "mixup", "variant", "key", "seed"]
COST = ["images_per_second", "peak_memory_mb", "train_seconds", "parameters"]
PLACE = ["device", "python", "torch", "torchvision", "timm"]
OBJECTS = ["config", "environment", "overrides", "history"]
"""Columns that hold a dict, a list or a :class:`History`; they have no place in a CSV."""


def load(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Table of runs, see :func:`row` for the columns, sorted by identity."""
    return ordered(pd.DataFrame([row(record) for record in records]))


def ordered(runs: pd.DataFrame) -> pd.DataFrame:
    """Sort by identity and count anew."""
    return runs.sort_values(IDENTITY, ignore_index=True) if len(runs) else runs


def row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Identity, status, a number ``rule.metric`` each, cost, origin, and :data:`OBJECTS`."""
    cost, place, code = record["cost"], record["environment"], record["code"] or {}
    row = {name: record[name] for name in [*IDENTITY, "status", "reason", "epochs", "selection"]}
    for rule in RULES:
        values = record["metrics"].get(rule, {})
        row |= {f"{rule}.{metric}": _number(values.get(metric)) for metric in METRICS}
    row |= {name: _number(cost.get(name)) for name in COST}
    row |= {name: place.get(name) or "" for name in PLACE}
    row |= {"commit": code.get("commit") or "", "dirty": code.get("dirty")}
    row |= {"changed": " ".join(code.get("changed", ()))}
    row |= {"sources": " ".join(map(":".join, sorted(record["sources"].items())))}
    row |= {"data_checksum": record["data"].get("checksum") or ""}
    row |= {"test_images": _number(record["data"].get("test"))}
    row |= {name: record[name] for name in ("restarts", "started", "finished")}
    row = {
        name: printable(value) if isinstance(value, str) else value for name, value in row.items()
    }
    objects = {name: record[name] for name in ("config", "environment", "overrides")}
    return row | objects | {"history": History.of(record["history"])}


def printable(text: str) -> str:
    """One line without control characters, which could rewrite a terminal."""
    if text.isprintable():
        return text
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
