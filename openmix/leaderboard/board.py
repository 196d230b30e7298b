"""The board: methods down, protocols across, one cell for all seeds of a method in a protocol."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from openmix.leaderboard.statistics import Estimate, estimate, paired
from openmix.records import Problem
from openmix.records.identity import canonical, flatten, relevant, text

HIGHER_IS_BETTER = {"top1": True, "top5": True, "nll": False, "ece": False}


@dataclass(frozen=True, order=True)
class Column:
    """One protocol. ``notes`` tells it from its namesakes and warns of noisy labels."""

    dataset: str
    backbone: str
    protocol: str
    notes: tuple[str, ...]
    protocol_key: str

    @property
    def label(self) -> str:
        return " / ".join((self.dataset, self.backbone, self.protocol, *self.notes))


@dataclass(frozen=True, order=True)
class Row:
    """One method; ``variant`` names the values that differ from its defaults."""

    mixup: str
    variant: str

    @property
    def label(self) -> str:
        return f"{self.mixup} {self.variant}".strip()


@dataclass(frozen=True)
class Cell:
    """All runs of one method in one protocol.

    ``status`` is done, failed, unsupported or missing; ``value`` stands on the runs that are done,
    ``delta`` on the seeds shared with the baseline, ``note`` says what became of the other runs.
    """

    status: str
    value: Estimate | None = None
    delta: Estimate | None = None
    note: str = ""


@dataclass(frozen=True)
class Board:
    """Everything a renderer needs; ``cells`` has one list a row, one cell a column."""

    rule: str
    metric: str
    baseline: str
    columns: list[Column]
    rows: list[Row]
    cells: list[list[Cell]]
    problems: list[Problem]
    runs: int


def build(
    frame: pd.DataFrame,
    rule: str = "median10",
    metric: str = "top1",
    baseline: str = "none",
    problems: Sequence[Problem] = (),
) -> Board:
    """Arrange a non-empty table of runs. ``baseline`` is the label of a row; it may be absent.

    Only runs of one protocol key share a column. One column is ordered best first, as a ranking;
    several are ordered by name with the baseline first, since nothing is averaged across them.
    """
    columns, rows = _columns(frame), _rows(frame)
    runs = frame[["protocol_key", "seed", "status", "reason"]].copy()
    runs["score"] = frame[f"{rule}.{metric}"].where(frame.status == "done")
    parts = {
        row: dict(iter(runs.loc[index].groupby("protocol_key"))) for row, index in rows.items()
    }
    reference = next((parts[row] for row in rows if row.label == baseline), {})
    lines = []
    for row in rows:
        base = {} if row.label == baseline else reference
        keys = [column.protocol_key for column in columns]
        lines.append((row, [_cell(parts[row].get(key), base.get(key)) for key in keys]))
    lines.sort(key=lambda line: _order(line, metric, baseline))
    return Board(
        rule,
        metric,
        baseline,
        columns,
        [row for row, _ in lines],
        [cells for _, cells in lines],
        list(problems),
        len(frame),
    )


def differences(trees: Sequence[dict[str, Any]], keys: Sequence[str], shown: int = 3) -> list[str]:
    """Tell flat configs apart: for each, its entries among those in which they differ, shortened.

    Where the shortened texts are equal, the key is added.
    """
    names = sorted({name for tree in trees for name in tree})
    names = [name for name in names if len({_entry(tree, name) for tree in trees}) > 1]
    more = f" +{len(names) - shown} more" if len(names) > shown else ""
    texts = [" ".join(_entry(tree, name) for name in names[:shown]) + more for tree in trees]
    return [
        t if texts.count(t) == 1 else f"{t} #{key}".strip()
        for t, key in zip(texts, keys, strict=True)
    ]


def _entry(tree: dict[str, Any], name: str) -> str:
    return f"{name}={text(tree[name])}" if name in tree else f"~{name}"


def _columns(frame: pd.DataFrame) -> list[Column]:
    heads, trees = {}, {}
    for key, runs in frame.groupby("protocol_key"):
        tree = trees[key] = _protocol(runs.config.iloc[0])
        noise = tree.get("dataset.label_noise", 0)
        note = f"{100 * noise:g} % label noise" if isinstance(noise, int | float) and noise else ""
        heads[key] = (*min(zip(runs.dataset, runs.backbone, runs.protocol, strict=True)), note)
    columns = []
    for head in set(heads.values()):
        keys = [key for key in heads if heads[key] == head]
        for key, difference in zip(keys, differences([trees[k] for k in keys], keys), strict=True):
            columns.append(Column(*head[:3], tuple(filter(None, (head[3], difference))), key))
    return sorted(columns)


def _protocol(config: dict[str, Any]) -> dict[str, Any]:
    return flatten({name: part for name, part in relevant(config).items() if name != "mixup"})


def _rows(frame: pd.DataFrame) -> dict[Row, pd.Index]:
    """Rows with the runs of each; two settings of one name (a default changed) are two rows."""
    variant = frame.groupby("key").variant.transform("min")
    label = variant.copy()
    for _, runs in frame.groupby(["mixup", variant]):
        if _ambiguous(runs):
            recipes = runs.config.map(_recipe)
            keys = runs.key.groupby(recipes).min()
            texts = differences([flatten(json.loads(recipe)) for recipe in keys.index], list(keys))
            told = recipes.map(dict(zip(keys.index, texts, strict=True)))
            label[runs.index] = (variant[runs.index] + " " + told).str.strip()
    for _, runs in frame.groupby(["mixup", label]):
        if _ambiguous(runs):
            label[runs.index] = (label[runs.index] + " #" + runs.key).str.strip()
    return {Row(*name): runs.index for name, runs in frame.groupby(["mixup", label])}


def _ambiguous(runs: pd.DataFrame) -> bool:
    return runs.groupby("protocol_key").key.nunique().max() > 1


def _recipe(config: dict[str, Any]) -> str:
    return json.dumps(canonical(config.get("mixup")), sort_keys=True)


def _cell(runs: pd.DataFrame | None, baseline: pd.DataFrame | None) -> Cell:
    if runs is None:
        return Cell("missing")
    done = runs.score.notna()
    others = runs[~done]
    note = "; ".join(_note(status, group, len(runs)) for status, group in others.groupby("status"))
    if not done.any():
        status = others.status.max()  # unsupported before failed before done without a value
        return Cell("missing" if status == "done" else status, note=note)
    values = runs[done].set_index("seed").score
    delta = None if baseline is None else paired(values, baseline.set_index("seed").score)
    return Cell("done", estimate(values), delta, note)


def _note(status: str, runs: pd.DataFrame, total: int) -> str:
    reasons = ", ".join(sorted(set(runs.reason) - {""}))
    if len(runs) == total and reasons:
        return reasons
    outcome = "without a value" if status == "done" else status
    return f"{len(runs)} of {total} {outcome}" + (f": {reasons}" if reasons else "")


def _order(line: tuple[Row, list[Cell]], metric: str, baseline: str) -> tuple:
    row, cells = line
    if len(cells) > 1:
        return row.label != baseline, row
    value = cells[0].value
    sign = -1 if HIGHER_IS_BETTER[metric] else 1
    return value is None, sign * value.mean if value else 0, row
