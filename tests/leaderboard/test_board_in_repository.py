"""The board in results/leaderboard belongs to the records in results/records."""

from pathlib import Path

import pytest

from openmix.leaderboard.options import Options
from openmix.leaderboard.publish import publish

ROOT = Path(__file__).resolve().parents[2]
# The page holds packed data, whose bytes depend on the version of zlib.
FILES = ["leaderboard.csv", "runs.csv", "published.csv", "leaderboard.md", "leaderboard.tex"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("board")
    outcome = publish(Options(records=str(ROOT / "results/records"), out=str(out)))
    assert not outcome.problems
    return out


@pytest.mark.parametrize("name", FILES)
def test_the_board_is_that_of_the_records(made, name):
    there = ROOT / "results/leaderboard" / name
    assert made.joinpath(name).read_text("utf-8") == there.read_text("utf-8"), "make leaderboard"
