"""The list of the boards, where each protocol has its own."""

from collections.abc import Mapping
from pathlib import Path

from openmix.leaderboard.board import Board
from openmix.leaderboard.render import words
from openmix.leaderboard.render.html_document import document
from openmix.leaderboard.render.markdown import escape
from openmix.leaderboard.statement import apart

HERE = Path(__file__).parent


def markdown(board: Board, parts: Mapping[str, Board]) -> str:
    """A link to each of the ``parts``, by the name of its folder; ``board`` is the whole."""
    links = [
        f"- [{escape(part.columns[0].label)}]({folder}/leaderboard.md): {words.summary(part)}"
        for folder, part in parts.items()
    ]
    told = [f"- {escape(sentence)}" for sentence in apart(board)]
    blocks = ["# openmix leaderboards", f"{words.caption(board)}.", *map("\n".join, (links, told))]
    if board.problems:
        lines = [
            f"- {escape(problem.path)}: {escape(problem.reason)}" for problem in board.problems
        ]
        blocks += ["## Files left out", "\n".join(lines)]
    return "\n\n".join(blocks) + "\n"


def html(board: Board, parts: Mapping[str, Board]) -> str:
    """The same as a page."""
    return document(
        HERE / "boards.html.j2",
        styles=[],
        scripts=[],
        board=board,
        parts=parts,
        told=apart(board),
        words=words,
    )
