"""What is measured, and which epoch of a run counts: the selection rules over its history."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """A number of a test: what a record, a board and a report have to know of it.

    ``share``: a proportion of the test images in percent, so that a single value has a binomial
    standard error. ``digits`` are shown behind the point.
    """

    name: str
    label: str
    unit: str
    higher: bool
    digits: int
    share: bool = False

    @property
    def title(self) -> str:
        """``top-1 accuracy in percent``."""
        return f"{self.label} in {self.unit}"

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1."""
        return 1 if self.higher else -1

    def measure(self) -> dict[str, Any]:
        """What a record says of its own numbers."""
        return {name: value for name, value in asdict(self).items() if name != "name"}


METRICS = {
    metric.name: metric
    for metric in (
        Metric("top1", "top-1 accuracy", "percent", higher=True, digits=2, share=True),
        Metric("top5", "top-5 accuracy", "percent", higher=True, digits=2, share=True),
        Metric("nll", "negative log-likelihood", "nats", higher=False, digits=4),
        Metric("ece", "expected calibration error", "percent", higher=False, digits=2),
    )
}
"""Every metric that a test can have, by the name it has in records."""

PRIMARY = "top1"
"""The metric that epochs are chosen by, and that a board shows unless told otherwise."""

RULES = {
    "median10": "median of the last ten evaluated epochs",
    "last": "last epoch",
    "val": "epoch of best validation accuracy",
    "best": "selected on test",
}
"""Selection rules and what they mean; ``best`` picks on the test set and is optimistic."""


def select(
    history: Sequence[Mapping[str, Any]], primary: str = PRIMARY, val: bool = False
) -> dict[str, dict[str, float | None]]:
    """Reduce a history to ``{rule: {metric: value}}``; an undefined value is None.

    Epochs without evaluation (no ``primary``) are passed over. ``median10`` is taken for each
    metric by itself; ``best`` and ``val`` take all metrics at the first epoch of best ``primary``
    and best ``val_<primary>``. ``val`` is given only when asked for and present in the history.
    """
    evaluated = [entry for entry in history if primary in entry]
    if not evaluated:
        return {}
    metrics, sign = [name for name in METRICS if name in evaluated[-1]], METRICS[primary].sign
    chosen = {
        "last": evaluated[-1:],
        "median10": evaluated[-10:],
        "best": _first_best(evaluated, primary, sign),
    }
    if val:
        chosen["val"] = _first_best(evaluated, f"val_{primary}", sign)
    return {
        rule: {name: _median([entry.get(name) for entry in entries]) for name in metrics}
        for rule, entries in chosen.items()
        if entries
    }


def _first_best(entries: list[Mapping[str, Any]], name: str, sign: int) -> list[Mapping[str, Any]]:
    able = [entry for entry in entries if _finite(entry.get(name))]
    return [max(able, key=lambda entry: sign * entry[name])] if able else []


def _median(values: list[float | None]) -> float | None:
    return statistics.median(values) if all(map(_finite, values)) else None


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
