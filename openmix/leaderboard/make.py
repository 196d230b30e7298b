"""From folders of records to a board in all its forms."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from openmix import atomic
from openmix.errors import ConfigError
from openmix.leaderboard import places, published
from openmix.leaderboard.board import Board, build, parted
from openmix.leaderboard.collect import collect
from openmix.leaderboard.options import Options, suggest
from openmix.leaderboard.publish import Outcome
from openmix.leaderboard.render import csv, html, index, latex, markdown, text


def make(options: Options, folder: Path) -> Outcome:
    """Read the records and write every form; ``folder`` holds published numbers.

    Where no method is complete over several protocols, each has a board in a folder of its own.

    Raises ConfigError when there is no record, or none that the filters keep.
    """
    frame, problems = collect(options.folders)
    if not len(frame):
        first = f" ({problems[0].path}: {problems[0].reason})" if problems else ""
        remedy = "train first: python tools/train.py, or see those that ship: with=reference"
        raise ConfigError(f"no records in {options.records}{first}; {remedy}")
    for name in ("dataset", "backbone", "protocol", "seed"):
        frame = _keep(frame, name, getattr(options, name))
    arrange = partial(
        build,
        rule=options.select,
        metric=options.metric,
        baseline=options.baseline,
        problems=problems,
        published=published.load(folder),
    )
    board = arrange(frame)
    columns = parted(board, frame)
    runs = dict(zip(places.names([column for column, _ in columns]), columns, strict=True))
    parts = {name: arrange(part, columns=[column]) for name, (column, part) in runs.items()}
    files = _index(board, parts, frame) if parts else _forms(board, frame)
    for name, part in parts.items():
        forms = _forms(part, runs[name][1])
        files |= {f"{name}/{form}": content for form, content in forms.items()}
    out = Path(options.out)
    places.clear(out, files)
    for name, content in files.items():
        atomic.write(out / name, content)
    shown = text.render(board, list(parts.values()))
    return Outcome(shown, [(out / name).as_posix() for name in files], problems)


def _forms(board: Board, frame: pd.DataFrame) -> dict[str, str]:
    """The files of one board."""
    contents = (
        csv.wide(board),
        csv.long(frame),
        csv.published(board),
        markdown.render(board),
        latex.render(board),
        html.render(board, frame),
    )
    return dict(zip(places.FORMS, contents, strict=True))


def _index(board: Board, parts: Mapping[str, Board], frame: pd.DataFrame) -> dict[str, str]:
    """The files beside the folders of several boards; the list of these is written first."""
    return {
        places.LIST: csv.boards(parts),
        "runs.csv": csv.long(frame),
        "leaderboard.md": index.markdown(board, parts),
        "leaderboard.html": index.html(board, parts),
    }


def _keep(frame: pd.DataFrame, name: str, wanted: str) -> pd.DataFrame:
    if not wanted:
        return frame
    values = frame[name].astype(str)
    known = sorted(values.unique())
    for value in wanted.split(","):
        if value not in known:
            raise ConfigError(f"no records of {name}={value}; {suggest(value, known)}")
    return frame[values.isin(wanted.split(","))].reset_index(drop=True)
