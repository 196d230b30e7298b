"""Which epoch of a run counts: the selection rules, applied to its history."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

METRICS = ("top1", "top5", "nll", "ece")
"""Test metrics of one evaluation: top1, top5 and ece in percent, nll in nats."""

RULES = {
    "median10": "median of the last ten evaluated epochs",
    "last": "last epoch",
    "val": "epoch of best validation accuracy",
    "best": "selected on test",
}
"""Selection rules and what they mean; ``best`` picks on the test set and is optimistic."""


def select(
    history: Sequence[Mapping[str, Any]], val: bool = False
) -> dict[str, dict[str, float | None]]:
    """Reduce a history to ``{rule: {metric: value}}``; an undefined value is None.

    Epochs without evaluation (no ``top1``) are passed over. ``median10`` is taken for each metric
    by itself; ``best`` and ``val`` take all metrics at the first epoch of best ``top1`` and best
    ``val_top1``. ``val`` is given only when asked for and present in the history.
    """
    evaluated = [entry for entry in history if "top1" in entry]
    if not evaluated:
        return {}
    metrics = [name for name in METRICS if name in evaluated[-1]]
    chosen = {
        "last": evaluated[-1:],
        "median10": evaluated[-10:],
        "best": _first_best(evaluated, "top1"),
    }
    if val:
        chosen["val"] = _first_best(evaluated, "val_top1")
    return {
        rule: {name: _median([entry.get(name) for entry in entries]) for name in metrics}
        for rule, entries in chosen.items()
        if entries
    }


def _first_best(entries: list[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    able = [entry for entry in entries if _finite(entry.get(name))]
    return [max(able, key=lambda entry: entry[name])] if able else []


def _median(values: list[float | None]) -> float | None:
    return statistics.median(values) if all(map(_finite, values)) else None


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
