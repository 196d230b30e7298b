"""From folders of records to the files of a leaderboard."""

from pathlib import Path

import pandas as pd

from openmix import atomic, records
from openmix.errors import ConfigError
from openmix.leaderboard.board import build
from openmix.leaderboard.load import load
from openmix.leaderboard.options import Options, suggest
from openmix.leaderboard.render import csv, html, markdown, text


def publish(options: Options) -> tuple[str, list[Path]]:
    """Write the board into ``options.out``; return it as text, and the paths of the files.

    Raises ConfigError when there is no record, or none that the filters keep.
    """
    found, problems = records.scan(options.records.split(","), drop=["history"])
    if not found:
        first = f" ({problems[0].path}: {problems[0].reason})" if problems else ""
        remedy = "train first: python tools/train.py"
        raise ConfigError(f"no records in {options.records}{first}; {remedy}")
    frame = load(found)
    for name in ("dataset", "backbone", "protocol"):
        frame = _keep(frame, name, getattr(options, name))
    board = build(frame, options.select, options.metric, options.baseline, problems)
    files = {
        "leaderboard.csv": csv.wide(board),
        "runs.csv": csv.long(frame),
        "leaderboard.md": markdown.render(board),
        "leaderboard.html": html.render(board),
    }
    paths = [Path(options.out, name) for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        atomic.write(path, content)
    return text.render(board), paths


def _keep(frame: pd.DataFrame, name: str, wanted: str) -> pd.DataFrame:
    if not wanted:
        return frame
    known = sorted(frame[name].unique())
    for value in wanted.split(","):
        if value not in known:
            raise ConfigError(f"no records of {name}={value}; {suggest(value, known)}")
    return frame[frame[name].isin(wanted.split(","))].reset_index(drop=True)
