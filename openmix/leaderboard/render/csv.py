"""The board and its runs as CSV that no spreadsheet will execute."""

import csv
import io
import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from openmix.leaderboard.board import Board, Cell
from openmix.leaderboard.statistics import Estimate

CELL = ("mean", "half_width", "n", "delta", "delta_half_width", "delta_n", "status", "note")


def wide(board: Board) -> str:
    """One line a row of the board, with all parts of a cell for every column."""
    head = ["select", "metric", "mixup", "variant"]
    head += [f"{column.label} {name}" for column in board.columns for name in CELL]
    lines = [
        [
            board.rule,
            board.metric,
            row.mixup,
            row.variant,
            *(v for cell in cells for v in _cell(cell)),
        ]
        for row, cells in zip(board.rows, board.cells, strict=True)
    ]
    return _text([head, *lines])


def long(frame: pd.DataFrame) -> str:
    """One line a run, with every metric under every selection rule."""
    table = frame.drop(columns="config")
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


def _cell(cell: Cell) -> list[Any]:
    value, delta = cell.value or Estimate(None, None, 0), cell.delta or Estimate(None, None, 0)
    return [*map(_plain, (*value, *delta)), cell.status, cell.note]


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
