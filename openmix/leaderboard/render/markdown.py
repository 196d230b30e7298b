"""The board as a Markdown table."""

import re

from openmix.leaderboard.board import Board, Cell
from openmix.leaderboard.render import words


def render(board: Board) -> str:
    """Table, explanations and problems; names cannot become markup."""
    head = ["mixup", *(escape(column.label) for column in board.columns)]
    lines = [
        [escape(row.label), *(_cell(board, cell) for cell in cells)]
        for row, cells in zip(board.rows, board.cells, strict=True)
    ]
    rule = ["---", *["---:"] * len(board.columns)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *lines])
    parts = ["# openmix leaderboard", f"{words.caption(board)}.", table]
    parts.append(
        "\n".join(
            f"- {escape(term)}: {escape(meaning)}" for term, meaning in words.explanations(board)
        )
    )
    if board.problems:
        told = [f"- {escape(problem.path)}: {escape(problem.reason)}" for problem in board.problems]
        parts.append("\n".join(["Files left out:", "", *told]))
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Make every character that Markdown or HTML could read as markup stand for itself."""
    return re.sub(r"([\\`*_\[\]<>#|~!&$])", r"\\\1", text)


def _cell(board: Board, cell: Cell) -> str:
    if cell.value is None:
        return escape(f"{cell.status} ({cell.note})" if cell.note else cell.status)
    delta = words.delta(board, cell)
    parts = [
        f"{words.value(board, cell)} {words.half(board, cell)}".strip(),
        f"Δ {delta}" * bool(delta),
    ]
    return ", ".join(filter(None, [*parts, f"n={cell.value.n}", escape(cell.note)]))
