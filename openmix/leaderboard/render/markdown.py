"""The board as Markdown tables."""

import re
from collections.abc import Sequence

from openmix.leaderboard.board import Board
from openmix.leaderboard.cell import Cell
from openmix.leaderboard.render import words


def render(board: Board) -> str:
    """Tables, findings, explanations and problems; names cannot become markup."""
    parts = ["# openmix leaderboard", f"{words.caption(board)}.", _rows(board, complete=True)]
    parts.append("\n".join(f"- {escape(sentence)}" for sentence in board.statement))
    if board.compared:
        parts += ["## All columns", _totals(board)]
    if not all(board.complete):
        parts += ["## Incomplete", _rows(board, complete=False)]
    if board.published:
        lines = [map(escape, words.published(board, match)) for match in board.published]
        parts += ["## Published numbers", _table(words.PUBLISHED, lines)]
    told = [f"- {escape(term)}: {escape(meaning)}" for term, meaning in words.explanations(board)]
    parts += ["## How to read this", "\n".join(told)]
    if board.problems:
        told = [f"- {escape(problem.path)}: {escape(problem.reason)}" for problem in board.problems]
        parts += ["## Files left out", "\n".join(told)]
    return "\n\n".join(filter(None, parts)) + "\n"


def escape(text: str) -> str:
    """Make every character that Markdown or HTML could read as markup stand for itself."""
    return re.sub(r"([\\`*_\[\]<>#|~!&$])", r"\\\1", text)


def _rows(board: Board, complete: bool) -> str:
    lines = []
    for index, (row, cells) in enumerate(zip(board.rows, board.cells, strict=True)):
        if board.complete[index] == complete:
            label = [row.label] if complete else [row.label, words.incomplete(board, index)]
            lines.append([escape(", ".join(label)), *(_cell(board, cell) for cell in cells)])
    head = ["mixup", *(escape(column.label) for column in board.columns)]
    return _table(head, lines) if lines else ""


def _totals(board: Board) -> str:
    lines = [
        map(escape, (row.label, *words.total(board, total)))
        for row, total in zip(board.rows, board.aggregates, strict=True)
        if total
    ]
    return _table(("mixup", *words.totals(board)), lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *lines])


def _cell(board: Board, cell: Cell) -> str:
    if cell.value is None:
        return escape(f"{cell.status} ({cell.note})" if cell.note else cell.status)
    mean = words.value(board, cell)
    parts = [f"{f'**{mean}**' if cell.top else mean} {words.half(board, cell)}".strip()]
    if delta := words.delta(board, cell):
        parts.append(f"Δ {delta}")
    return ", ".join(filter(None, [*parts, f"n={cell.value.n}", escape(cell.note)]))
