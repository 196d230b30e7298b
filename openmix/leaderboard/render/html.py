"""The board as one HTML file that needs no network, and no JavaScript to be read."""

from pathlib import Path

import pandas as pd

from openmix.leaderboard.board import Board
from openmix.leaderboard.render import html_figures, html_runs, html_views, words
from openmix.leaderboard.render.html_document import document, packed
from openmix.leaderboard.statement import signed

HERE = Path(__file__).parent
LIBRARY = HERE / "vendor"


def render(board: Board, frame: pd.DataFrame) -> str:
    """Return the page; ``frame`` is the table of runs that the board was built from."""
    licence = (LIBRARY / "dataTables.LICENSE.txt").read_text(encoding="utf-8").strip()
    library = (LIBRARY / "dataTables.min.js").read_text(encoding="utf-8")
    return document(
        HERE / "leaderboard.html.j2",
        styles=[(HERE / "leaderboard.css").read_text(encoding="utf-8")],
        scripts=[f"/*\n{licence}\n*/\n{library}", (HERE / "leaderboard.js").read_text("utf-8")],
        board=board,
        frame=frame,
        words=words,
        signed=signed,
        views=html_views,
        figures=html_figures,
        runs=packed(html_runs.collect(board, frame)),
    )
