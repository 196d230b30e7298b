"""The board as LaTeX tables for a paper; they need booktabs."""

from collections.abc import Iterable, Sequence

from openmix.leaderboard.board import Board
from openmix.leaderboard.cell import Cell
from openmix.leaderboard.render import words

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "±": r"$\pm$",
    "–": "--",
} | {character: f"\\{character}" for character in "{}$&#_%"}


def render(board: Board) -> str:
    """The board, what it comes to over all columns, and published numbers, each as a table."""
    found = " ".join(board.statement)
    parts = [
        "% Needs \\usepackage{booktabs,textcomp}.",
        _board(board, f"{words.caption(board)}. {found}"),
    ]
    if board.compared:
        lines = [
            (row.label, *words.total(board, total))
            for row, total in zip(board.rows, board.aggregates, strict=True)
            if total
        ]
        told = " ".join(f"{term}: {meaning}" for term, meaning in words.explanations(board))
        parts.append(_table(("mixup", *words.totals(board)), [_escaped(lines)], told))
    if board.published:
        lines = [words.published(board, match) for match in board.published]
        told = f"Published numbers beside ours; ours: {words.selection(board)}."
        parts.append(_table(words.PUBLISHED, [_escaped(lines)], told))
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Make every character that LaTeX could read as a command stand for itself."""
    return "".join(SPECIAL.get(character, character) for character in text)


def _board(board: Board, caption: str) -> str:
    ranked, others = [], []
    for index, (row, cells) in enumerate(zip(board.rows, board.cells, strict=True)):
        line = [_cell(board, cell) for cell in cells]
        if board.complete[index]:
            ranked.append([escape(row.label), *line])
        else:
            others.append([escape(f"{row.label}, {words.incomplete(board, index)}"), *line])
    head = ("mixup", *(column.label for column in board.columns))
    return _table(head, [ranked, others], caption)


def _cell(board: Board, cell: Cell) -> str:
    if cell.value is None:
        return escape(cell.status)
    mean, half = words.value(board, cell), words.half(board, cell)
    return " ".join(filter(None, [f"\\textbf{{{mean}}}" if cell.top else mean, escape(half)]))


def _escaped(lines: Iterable[Sequence[str]]) -> list[list[str]]:
    return [[escape(text) for text in line] for line in lines]


def _table(head: Sequence[str], blocks: Sequence[Sequence[Sequence[str]]], caption: str) -> str:
    """Lines of escaped texts, each block below a rule."""
    rules = [
        "\\midrule\n" + "\n".join(f"{' & '.join(line)} \\\\" for line in block)
        for block in blocks
        if block
    ]
    return "\n".join(
        [
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{escape(caption)}}}",
            f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            "\\toprule",
            f"{' & '.join(map(escape, head))} \\\\",
            *rules,
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
        ]
    )
