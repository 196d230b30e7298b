"""Published numbers beside ours."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from openmix.leaderboard.arrange import Column, Row
from openmix.leaderboard.cell import Cell
from openmix.leaderboard.statistics import Estimate

FOLDER = Path(__file__).resolve().parents[2] / "results" / "published"
NAMES = {
    "vanilla": "none",
    "gridmix": "gridmixup",
    "imagenet1k": "imagenet",
    "deits": "deitsmall",
    "swint": "swintiny",
    "convnextt": "convnexttiny",
}
"""Published names that are called otherwise here; elsewhere case and punctuation differ at most."""

FIELDS = ("dataset", "backbone", "epochs", "recipe", "method", "alpha", "top1", "metric")


@dataclass(frozen=True)
class PublishedMatch:
    """A published top-1 accuracy beside ours; ``row`` and ``column`` count from 0 on the board.

    ``inside`` says whether the number lies in our 95 % interval, None without an interval.
    """

    row: int
    column: int
    paper_value: float
    ours: Estimate
    inside: bool | None
    source: str
    notes: str


def load(folder: Path = FOLDER) -> list[dict[str, str]]:
    """Read every CSV file of a folder, if it is there; each line needs :data:`FIELDS`."""
    entries = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            entries += [{**line, "publication": path.stem} for line in csv.DictReader(file)]
    return entries


def match(
    entries: Iterable[dict[str, str]],
    frame: pd.DataFrame,
    columns: Sequence[Column],
    rows: Sequence[Row],
    cells: Sequence[Sequence[Cell]],
) -> list[PublishedMatch]:
    """Find the cells whose data set, backbone, epochs and method have a published number.

    A column of noisy or fewer labels matches none. Recipes may differ in more than that; the notes
    name the published one.
    """
    known: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for entry in entries:
        names = (entry["dataset"], entry["backbone"], entry["method"])
        known.setdefault(tuple(map(_plain, names)), []).append(entry)
    found = []
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            cell, names = cells[i][j], (column.dataset, column.backbone, row.mixup)
            near = known.get(tuple(map(_plain, names)))
            if cell.value is None or near is None:
                continue
            run = frame.loc[cell.runs[0]]
            data = run.config.get("dataset", {})
            if data.get("label_noise") or data.get("train_limit"):
                continue
            mixup = run.config.get("mixup") or {}
            same = (entry for entry in near if entry["epochs"] == str(run.epochs))
            found += [_match(i, j, cell.value, entry, mixup) for entry in same]
    return found


def _match(
    row: int, column: int, ours: Estimate, entry: dict[str, str], mixup: dict[str, Any]
) -> PublishedMatch:
    value = float(entry["top1"])
    inside = None if ours.half is None else abs(value - ours.mean) <= ours.half
    source = f"{entry['publication']}: {entry.get('source_file', '')}".rstrip(": ")
    said = [entry["recipe"], entry["metric"], entry.get("provenance", "")]
    if entry["alpha"]:
        said.append(f"α = {entry['alpha']}{_other(entry['alpha'], mixup.get('alpha'))}")
    said += [entry.get("note", ""), entry.get("defects", "")]
    return PublishedMatch(row, column, value, ours, inside, source, "; ".join(filter(None, said)))


def _other(published: str, alpha: Any) -> str:
    if not isinstance(alpha, int | float) or published == f"{alpha:g}":
        return ""
    return f", here {alpha:g}"


def _plain(name: str) -> str:
    plain = re.sub("[^a-z0-9]", "", name.lower())
    return NAMES.get(plain, plain)
