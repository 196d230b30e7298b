"""The board: methods down, protocols across, one cell for all seeds of a method in a protocol."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from openmix.leaderboard import statistics
from openmix.leaderboard.aggregate import Aggregate, aggregate, profiles
from openmix.leaderboard.arrange import Column, Row, column_keys, columns_of, rows_of
from openmix.leaderboard.cell import Cell, Run, scores, summarise, tops
from openmix.leaderboard.friedman import Friedman, friedman
from openmix.leaderboard.published import PublishedMatch, match
from openmix.leaderboard.statement import sentences
from openmix.records import Problem
from openmix.records.metrics import METRICS, PRIMARY

UNRANKED = "withheld: it ranks methods, which these runs do not bear"

Grid = dict[Row, list[list[Run]]]
"""The runs of each row, a list for every column."""


@dataclass(frozen=True)
class Board:
    """Everything a renderer needs; ``cells`` has one list a row, one cell a column.

    A row is complete when it has every (column, seed) that any row has. Complete rows come first,
    best first, and they alone have aggregates. ``progress`` is (how many it has, how many there
    are) of each row. ``valueless`` are the cells of protocols of which no run has a value, and
    which therefore are no columns, unless that is so of all. ``profile`` is, by label of each
    complete row, (tau, share of pairs whose difference to the baseline is as good as tau); empty
    without a baseline. ``friedman`` is a result or the reason why there is none. ``floor`` is the
    binomial standard error of a column in points. ``common`` is the board of what all rows with a
    value share, where that is less than everything.
    """

    rule: str
    metric: str
    baseline: str
    columns: list[Column]
    rows: list[Row]
    cells: list[list[Cell]]
    problems: list[Problem]
    runs: int
    aggregates: list[Aggregate | None]
    progress: list[tuple[int, int]]
    profile: dict[str, list[tuple[float, float]]]
    friedman: Friedman | str
    floor: list[float | None]
    published: list[PublishedMatch]
    valueless: list[tuple[Column, Row, Cell]]
    common: "Board | None" = None

    @property
    def complete(self) -> list[bool]:
        return [total is not None for total in self.aggregates]

    @property
    def compared(self) -> bool:
        """Whether there are complete methods, of several runs each, to compare."""
        return sum(self.complete) > 1 and self.progress[0][1] > 1

    @property
    def ranked(self) -> bool:
        """Whether the runs bear ranks, see ``aggregate``."""
        return any(total is not None and total.standing for total in self.aggregates)

    @property
    def statement(self) -> list[str]:
        """What the board shows, in sentences."""
        return sentences(self)


def build(
    frame: pd.DataFrame,
    rule: str = "median10",
    metric: str = PRIMARY,
    baseline: str = "none",
    problems: Iterable[Problem] = (),
    published: Sequence[dict[str, str]] = (),
    columns: Sequence[Column] | None = None,
) -> Board:
    """Arrange a non-empty table of runs. ``baseline`` is the label of a row; it may be absent.

    Only runs of one protocol key and the same data share a column, and nothing is averaged over a
    missing one. ``published`` holds lines of published numbers, see ``published.load``. ``columns``
    are those of the runs, where they have names already.
    """
    columns = columns or columns_of(frame)
    columns, grid, valueless = _with_values(columns, _grid(frame, columns, rule, metric))
    make = partial(_board, frame, rule, metric, baseline, list(problems), published)
    board = replace(make(columns, grid), valueless=valueless)
    shared = set.intersection(*filter(None, map(_blocks, grid.values())), *[_all(grid)])
    if all(board.complete) or not shared or sum(1 for cells in grid.values() if _blocks(cells)) < 2:
        return board
    kept = sorted({column for column, _ in shared})
    common = {
        row: [[run for run in cells[c] if (c, run.seed) in shared] for c in kept]
        for row, cells in grid.items()
        if _blocks(cells)
    }
    return replace(board, common=make([columns[c] for c in kept], common))


def parted(board: Board, frame: pd.DataFrame) -> list[tuple[Column, pd.DataFrame]]:
    """The runs of each column, where no method is complete over several; else nothing.

    Such columns have little or nothing in common, and make boards of their own.
    """
    if any(board.complete) or not board.progress[0][1]:
        return []
    runs = [
        sorted(i for cell in column for i in cell.runs) for column in zip(*board.cells, strict=True)
    ]
    parts = [frame.loc[index].reset_index(drop=True) for index in runs]
    return list(zip(board.columns, parts, strict=True)) if len(parts) > 1 else []


def _with_values(
    columns: Sequence[Column], grid: Grid
) -> tuple[list[Column], Grid, list[tuple[Column, Row, Cell]]]:
    """Part the columns in which a run has a value, if any, from the cells of the others."""
    kept = sorted({c for c, _ in _all(grid)}) or range(len(columns))
    valueless = [
        (column, row, summarise(cells[c], None, False))
        for c, column in enumerate(columns)
        for row, cells in sorted(grid.items())
        if c not in kept and cells[c]
    ]
    found = {row: [cells[c] for c in kept] for row, cells in grid.items()}
    return [columns[c] for c in kept], {row: it for row, it in found.items() if any(it)}, valueless


def _grid(frame: pd.DataFrame, columns: Sequence[Column], rule: str, metric: str) -> Grid:
    place = {column.key: c for c, column in enumerate(columns)}
    numbers = pd.DataFrame(
        {
            "score": frame[f"{rule}.{metric}"].where(frame.status == "done"),
            "optimism": frame[f"best.{PRIMARY}"] - frame[f"median10.{PRIMARY}"],
        }
    )
    numbers = numbers.astype(object).where(numbers.notna(), None)
    told = [frame[["seed", "status", "reason"]], numbers, frame[["sources", "dirty"]]]
    # A column that is a board of its own was parted from others before.
    keys = column_keys(frame) if len(columns) > 1 else pd.Series(columns[0].key, frame.index)
    table = pd.concat([keys, *told], axis=1)
    grid: Grid = {}
    for row, index in rows_of(frame).items():
        cells = grid[row] = [[] for _ in columns]
        for i, key, *rest in table.loc[index].itertuples():
            cells[place[key]].append(Run(i, *rest))
    return grid


def _blocks(cells: Sequence[Sequence[Run]]) -> set[tuple[int, int]]:
    """The (column, seed) pairs that a row has a value for."""
    return {(c, seed) for c, runs in enumerate(cells) for seed in scores(runs)}


def _all(grid: Grid) -> set[tuple[int, int]]:
    return set().union(*map(_blocks, grid.values()))


def _board(
    frame: pd.DataFrame,
    rule: str,
    metric: str,
    baseline: str,
    problems: list[Problem],
    published: Sequence[dict[str, str]],
    columns: list[Column],
    grid: Grid,
) -> Board:
    sign = METRICS[metric].sign
    seeds = {row: [scores(runs) for runs in cells] for row, cells in grid.items()}
    cells = _cells(grid, seeds, baseline, sign)
    blocks = sorted(_all(grid))
    progress = {row: (sum(map(len, seeds[row])), len(blocks)) for row in grid}
    ranked = sorted(row for row in grid if blocks and progress[row][0] == len(blocks))
    values = np.array([[seeds[row][c][seed] for row in ranked] for c, seed in blocks])
    sizes = [count for count in np.bincount([c for c, _ in blocks] or [0]).tolist() if count]
    totals, profile, diagram, means = {}, {}, "withheld: no method is complete", {}
    if ranked:
        base = next((i for i, row in enumerate(ranked) if row.label == baseline), None)
        optimism = [_mean([cell.optimism for cell in cells[row] if cell.value]) for row in ranked]
        found = aggregate(values, sizes, base, optimism, sign)
        if base is None and any(row.label == baseline and progress[row][0] for row in grid):
            # A rank without the baseline would stand beside a Δ to it, and could contradict it.
            found = [replace(total, standing=None) for total in found]
        totals = dict(zip(ranked, found, strict=True))
        labels = [row.label for row in ranked]
        if base is not None and len(blocks) > 1:
            profile = dict(zip(labels, profiles(values, base, sign), strict=True))
            del profile[baseline]
        names = [columns[c].dataset for c in sorted({c for c, _ in blocks})]
        of_columns = sign * statistics.column_means(values, sizes)
        means = dict(zip(ranked, of_columns.mean(axis=0).round(9).tolist(), strict=True))
        diagram = friedman(of_columns, names, labels) if found[0].standing else UNRANKED
    order = sorted(ranked, key=lambda row: (-means[row], row))
    order += sorted(grid.keys() - totals.keys(), key=lambda row: (-progress[row][0], row))
    table = [cells[row] for row in order]
    return Board(
        rule=rule,
        metric=metric,
        baseline=baseline,
        columns=columns,
        rows=order,
        cells=table,
        problems=problems,
        runs=sum(len(runs) for cells in grid.values() for runs in cells),
        aggregates=[totals.get(row) for row in order],
        progress=[progress[row] for row in order],
        profile=profile,
        friedman=diagram,
        floor=[_floor(frame, metric, column) for column in zip(*table, strict=True)],
        published=match(published, frame, columns, order, table) if metric == PRIMARY else [],
        valueless=[],
    )


def _cells(
    grid: Grid, seeds: dict[Row, list[dict[int, float]]], baseline: str, sign: int
) -> dict[Row, list[Cell]]:
    columns = range(len(next(iter(grid.values()))))
    reference = next((seeds[row] for row in grid if row.label == baseline), [{} for _ in columns])
    marks = [tops([seeds[row][c] for row in grid], sign) for c in columns]
    return {
        row: [
            summarise(cells[c], None if row.label == baseline else reference[c], marks[c][i])
            for c in columns
        ]
        for i, (row, cells) in enumerate(grid.items())
    }


def _mean(values: Sequence[float | None]) -> float | None:
    return float(np.mean(values)) if values and None not in values else None


def _floor(frame: pd.DataFrame, metric: str, column: Sequence[Cell]) -> float | None:
    means = [cell.value.mean for cell in column if cell.value]
    images = frame.test_images[[i for cell in column for i in cell.runs]].max()
    if not METRICS[metric].share or not means or not images > 0:
        return None
    return statistics.binomial_error(float(np.mean(means)), images)
