"""Learning curves small enough to keep ten thousand of them in memory."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from openmix.records.metrics import METRICS, PRIMARY

NAMES = ("epoch", "train_loss", *METRICS)
POINTS = 60
"""A curve is thinned to at most this many epochs, its last one included."""


class History:
    """A thinned learning curve; iterates over epochs as dicts, absent values left out.

    ``values`` is ``(epochs, len(NAMES))`` float32, NaN where a value is absent.
    """

    __slots__ = ("values",)

    def __init__(self, values: np.ndarray):
        self.values = values

    @classmethod
    def of(cls, entries: Sequence[Mapping[str, Any]]) -> "History":
        """Thin the history of a record, to evaluated epochs if there are any."""
        entries = [entry for entry in entries if isinstance(entry.get("epoch"), int)]
        kept = [entry for entry in entries if PRIMARY in entry] or entries
        stride = -(-len(kept) // POINTS) or 1
        kept = kept[(len(kept) - 1) % stride :: stride]
        try:  # None becomes NaN
            rows = [[entry.get(name) for name in NAMES] for entry in kept]
            return cls(np.array(rows, dtype=np.float32).reshape(-1, len(NAMES)))
        except (TypeError, ValueError):
            return cls.of([])  # not numbers: nothing to draw

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[dict[str, float]]:
        for row in self.values.tolist():
            entry = {name: value for name, value in zip(NAMES, row, strict=True) if value == value}
            yield entry | {"epoch": int(row[0])}
