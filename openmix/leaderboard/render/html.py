"""The board as one HTML file that needs neither network nor JavaScript."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from openmix.leaderboard.board import Board
from openmix.leaderboard.render import words

HERE = Path(__file__).parent


def render(board: Board) -> str:
    """Return the page. Every name is escaped; its policy allows the page's own style alone."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (HERE / "leaderboard.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = environment.get_template("leaderboard.html.j2")
    return template.render(board=board, words=words, style=style, style_hash=f"sha256-{digest}")
