"""The board and its runs as CSV that no spreadsheet will execute."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from openmix.leaderboard.aggregate import Aggregate
from openmix.leaderboard.board import Board
from openmix.leaderboard.cell import Cell
from openmix.leaderboard.load import OBJECTS
from openmix.leaderboard.statistics import Estimate

NOTHING = Estimate(None, None, 0)
TOTAL = (
    "complete",
    "runs_done",
    "runs_wanted",
    "rank",
    "rank_low",
    "rank_high",
    "mean_rank",
    "delta",
    "delta_half_width",
    "delta_n",
    "delta_iqm",
    "p",
    "p_holm",
    "verdict",
    "p_top1",
    "p_top3",
    "optimism",
    "top",
)
BOARDS = ["folder", "protocol", "methods", "runs"]
CELL = ("mean", "half_width", "n", "delta", "delta_half_width", "delta_n", "correlation")
CELL += ("optimism", "top", "status", "note")


def wide(board: Board) -> str:
    """One line a row of the board, with all parts of a cell for every column."""
    head = ["select", "metric", "mixup", "variant", *TOTAL]
    head += [f"{column.label} {name}" for column in board.columns for name in CELL]
    lines = [
        [
            board.rule,
            board.metric,
            row.mixup,
            row.variant,
            *_total(total, progress),
            *(value for cell in cells for value in _cell(cell)),
        ]
        for row, total, progress, cells in zip(
            board.rows, board.aggregates, board.progress, board.cells, strict=True
        )
    ]
    return _text([head, *lines])


def published(board: Board) -> str:
    """One line a published number beside ours; the head alone where none is known."""
    head = ["mixup", "column", "published", "ours", "half_width", "n", "inside", "source", "notes"]
    lines = [
        [
            board.rows[match.row].label,
            board.columns[match.column].label,
            _plain(match.paper_value),
            *map(_plain, match.ours),
            _plain(match.inside),
            match.source,
            match.notes,
        ]
        for match in board.published
    ]
    return _text([head, *lines])


def boards(parts: Mapping[str, Board]) -> str:
    """One line a board, by the name of its folder, where each protocol has its own."""
    lines = [(name, it.columns[0].label, len(it.rows), it.runs) for name, it in parts.items()]
    return _text([BOARDS, *lines])


def long(frame: pd.DataFrame) -> str:
    """One line a run, with every metric under every selection rule."""
    table = frame.drop(columns=OBJECTS)
    lines = ([_plain(value) for value in line] for line in table.itertuples(index=False))
    return _text([list(table.columns), *lines])


def guard(value: Any) -> Any:
    """Disarm formulas of a spreadsheet: text that starts with = + - @ and is no number."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@")):
        return value
    try:
        float(value)
    except ValueError:
        return "'" + value
    return value


def _total(total: Aggregate | None, progress: tuple[int, int]) -> list[Any]:
    if total is None:
        return [False, *progress, *[""] * (len(TOTAL) - 3)]
    rank, low, high, mean_rank, best, among, _ = total.standing or [None] * 7
    values = (
        *(rank, low, high, mean_rank),
        *(total.delta or NOTHING),
        total.iqm.mean if total.iqm else None,
        *(total.p, total.p_holm, total.verdict, best, among),
        *(total.optimism, total.top),
    )
    return [True, *progress, *map(_plain, values)]


def _cell(cell: Cell) -> list[Any]:
    values = (*(cell.value or NOTHING), *(cell.delta or NOTHING), cell.correlation, cell.optimism)
    return [*map(_plain, values), cell.top, cell.status, cell.note]


def _plain(value: Any) -> Any:
    # Ten digits hide the last bits, in which libraries of different builds may differ.
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.10g}"
    return "" if value is None else value


def _text(lines: Iterable[Iterable[Any]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(
        [guard(value) for value in line] for line in lines
    )
    return file.getvalue()
