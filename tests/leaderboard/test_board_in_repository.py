"""The boards in results/reference belong to the records beside them."""

from pathlib import Path

import pytest

from openmix.leaderboard.options import parse
from openmix.leaderboard.publish import publish

ROOT = Path(__file__).resolve().parents[2]
# The page holds packed data, whose bytes depend on the version of zlib.
FILES = ["leaderboard.csv", "runs.csv", "published.csv", "leaderboard.md", "leaderboard.tex"]
BOARDS = {"digits_noisy": ".", "digits_noisy_vit": "digits_noisy_vit"}


@pytest.fixture(scope="module", params=BOARDS)
def made(request, tmp_path_factory):
    """A board made anew, and where that of the repository lies."""
    out, records = tmp_path_factory.mktemp("board"), ROOT / "results/reference/records"
    outcome = publish(parse([f"records={records}", f"out={out}", f"protocol={request.param}"]))
    assert not outcome.problems
    return out, ROOT / "results/reference/leaderboard" / BOARDS[request.param]


@pytest.mark.parametrize("name", FILES)
def test_the_board_is_that_of_the_records(made, name):
    out, there = made
    assert (out / name).read_text("utf-8") == (there / name).read_text("utf-8"), "make leaderboard"
