"""From folders of records to a board in all its forms."""

from pathlib import Path

import pandas as pd

from openmix import atomic
from openmix.errors import ConfigError
from openmix.leaderboard import published
from openmix.leaderboard.board import build
from openmix.leaderboard.collect import collect
from openmix.leaderboard.options import Options, suggest
from openmix.leaderboard.publish import Outcome
from openmix.leaderboard.render import csv, html, latex, markdown, text


def make(options: Options, folder: Path) -> Outcome:
    """Read the records and write every form; ``folder`` holds published numbers.

    Raises ConfigError when there is no record, or none that the filters keep.
    """
    frame, problems = collect(options.folders)
    if not len(frame):
        first = f" ({problems[0].path}: {problems[0].reason})" if problems else ""
        remedy = "train first: python tools/train.py, or see those that ship: with=reference"
        raise ConfigError(f"no records in {options.records}{first}; {remedy}")
    for name in ("dataset", "backbone", "protocol", "seed"):
        frame = _keep(frame, name, getattr(options, name))
    entries = published.load(folder)
    board = build(frame, options.select, options.metric, options.baseline, problems, entries)
    forms = {
        "leaderboard.csv": csv.wide(board),
        "runs.csv": csv.long(frame),
        "published.csv": csv.published(board),
        "leaderboard.md": markdown.render(board),
        "leaderboard.tex": latex.render(board),
        "leaderboard.html": html.render(board, frame),
    }
    paths = [Path(options.out, name) for name in forms]
    for path, content in zip(paths, forms.values(), strict=True):
        atomic.write(path, content)
    return Outcome(text.render(board), [path.as_posix() for path in paths], problems)


def _keep(frame: pd.DataFrame, name: str, wanted: str) -> pd.DataFrame:
    if not wanted:
        return frame
    values = frame[name].astype(str)
    known = sorted(values.unique())
    for value in wanted.split(","):
        if value not in known:
            raise ConfigError(f"no records of {name}={value}; {suggest(value, known)}")
    return frame[values.isin(wanted.split(","))].reset_index(drop=True)
