"""The board for a terminal: one short table a column, so that any width will do."""

from collections.abc import Sequence

from openmix.leaderboard.board import Board
from openmix.leaderboard.cell import Cell
from openmix.leaderboard.render import words
from openmix.leaderboard.statement import apart

HEAD = ("mixup", "mean", "±", "Δ", "n", "")
LEFT = {"", "mixup", "verdict", "column", "source", "notes"}
"""Heads of columns of words; numbers stand on the right."""

KEY = {"n", "±", "Δ", "bold, *", "verdict", "floor"}
"""Terms that a terminal explains; the files explain all."""

Line = tuple[str, ...]


def render(board: Board, parts: Sequence[Board] = ()) -> str:
    """All numbers of the board as plain text; of its ``parts``, if it is made in several."""
    blocks, terms = [words.caption(board)], {}
    for part in parts or [board]:
        blocks += _numbers(part)
        terms |= dict(words.explanations(part))
    if parts:
        blocks.append("\n".join(apart(board)))
    terms |= dict(words.explanations(board))
    blocks.append("\n".join(f"{term}: {terms[term]}" for term in terms if term in KEY))
    return "\n\n".join(blocks) + "\n"


def _numbers(board: Board) -> list[str]:
    blocks = [_column(board, index) for index in range(len(board.columns))]
    if board.compared:
        blocks.append(_totals(board))
    if board.published:
        lines = [words.published(board, match) for match in board.published]
        blocks.append("\n".join(["Published numbers", *_align([words.PUBLISHED, *lines])]))
    return [*blocks, "\n".join(board.statement)]


def _column(board: Board, index: int) -> str:
    cells = [line[index] for line in board.cells]
    lines = [_line(board, row.label, cell) for row, cell in zip(board.rows, cells, strict=True)]
    return "\n".join([board.columns[index].label, *_parted(board, [HEAD, *lines])])


def _totals(board: Board) -> str:
    heads, lines = words.totals(board), []
    for index, (row, total) in enumerate(zip(board.rows, board.aggregates, strict=True)):
        cells = words.total(board, total) if total else ("", "", words.incomplete(board, index))
        lines.append((row.label, *cells, *[""] * (len(heads) - len(cells))))
    head = f"All {len(board.columns)} columns" if len(board.columns) > 1 else "Over all seeds"
    return "\n".join([head, *_parted(board, [("mixup", *heads), *lines])])


def _line(board: Board, label: str, cell: Cell) -> Line:
    if cell.value is None:
        return label, cell.status, "", "", "", cell.note
    half = words.half(board, cell).removeprefix("± ")
    mean = words.value(board, cell) + ("*" if cell.top else " ")
    return label, mean, half, words.delta(board, cell), str(cell.value.n), cell.note


def _parted(board: Board, lines: Sequence[Line]) -> list[str]:
    """Align a table of all rows, incomplete ones in a block of their own."""
    aligned, ranked = _align(lines), 1 + sum(board.complete)
    parting = ["  - incomplete -"] if 1 < ranked < len(lines) else []
    return aligned[:ranked] + parting + aligned[ranked:]


def _align(lines: Sequence[Line]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = [head in LEFT for head in lines[0]]
    return [
        "  "
        + "  ".join(
            text.ljust(width) if to_left else text.rjust(width)
            for text, width, to_left in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in lines
    ]
