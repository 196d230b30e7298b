"""The board for a terminal: one short table a column, so that any width will do."""

from openmix.leaderboard.board import Board, Cell
from openmix.leaderboard.render import words

HEAD = ("mixup", "mean", "±", "Δ", "n", "")


def render(board: Board) -> str:
    """All numbers of the board as plain text."""
    rows = list(zip(board.rows, board.cells, strict=True))
    blocks = [words.caption(board)]
    for index, column in enumerate(board.columns):
        lines = [_line(board, row.label, cells[index]) for row, cells in rows]
        blocks.append("\n".join([column.label, *_align([HEAD, *lines])]))
    blocks.append("\n".join(f"{term}: {meaning}" for term, meaning in words.explanations(board)))
    if board.problems:
        told = [f"  {problem.path}: {problem.reason}" for problem in board.problems]
        blocks.append("\n".join(["Files left out:", *told]))
    return "\n\n".join(blocks) + "\n"


def _line(board: Board, label: str, cell: Cell) -> tuple[str, ...]:
    if cell.value is None:
        return label, cell.status, "", "", "", cell.note
    half = words.half(board, cell).removeprefix("± ")
    return (
        label,
        words.value(board, cell),
        half,
        words.delta(board, cell),
        str(cell.value.n),
        cell.note,
    )


def _align(lines: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  "
        + "  ".join(
            _pad(text, width, i) for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _pad(text: str, width: int, position: int) -> str:
    return text.ljust(width) if position in (0, len(HEAD) - 1) else text.rjust(width)
