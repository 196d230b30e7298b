"""Where the files of a board lie, and those of several boards below one folder."""

import csv
from collections.abc import Container, Sequence
from contextlib import suppress
from pathlib import Path

from openmix.leaderboard.arrange import Column
from openmix.leaderboard.render.csv import BOARDS
from openmix.records.record import slug

FORMS = ("leaderboard.csv", "runs.csv", "published.csv")
FORMS += ("leaderboard.md", "leaderboard.tex", "leaderboard.html")
"""The files of a board."""

LIST = "boards.csv"
"""Names the folders of several boards; by it the next call knows which are its own."""


def names(columns: Sequence[Column]) -> list[str]:
    """A folder for the board of each column: its protocol, or as much more as tells them apart."""
    for found in (
        [slug(column.protocol) for column in columns],
        [slug(column.label) for column in columns],
    ):
        taken = {name.casefold() for name in (*found, *FORMS, LIST)}
        if len(taken) == len(columns) + len(FORMS) + 1:
            return found
    return [slug(f"{number} {column.label}") for number, column in enumerate(columns, 1)]


def clear(out: Path, files: Container[str]) -> None:
    """Remove what an earlier call left in ``out`` and this one does not write.

    Looks only at files of the names above, and only into folders that :data:`LIST` names.
    """
    folders = _listed(out / LIST)
    left = [*FORMS, *(f"{folder}/{form}" for folder in folders or () for form in FORMS)]
    for name in left:
        if name not in files:
            (out / name).unlink(missing_ok=True)
    for folder in folders or ():
        with suppress(OSError):  # it holds something else, or a board again
            (out / folder).rmdir()
    if folders is not None and LIST not in files:
        (out / LIST).unlink()


def _listed(path: Path) -> list[str] | None:
    """The folders that a list names; None where there is none of ours."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *lines = csv.reader(file)
    except (OSError, ValueError, csv.Error):
        return None
    return (
        [line[0] for line in lines if line and slug(line[0]) == line[0]] if head == BOARDS else None
    )
