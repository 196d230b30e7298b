"""The files of a leaderboard, made only when something changed."""

import contextlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from openmix import atomic
from openmix.leaderboard import files
from openmix.leaderboard.options import Options
from openmix.records import Problem

PACKAGE = Path(__file__).resolve().parents[1]
PUBLISHED = PACKAGE.parent / "results" / "published"
LIBRARIES = ("numpy", "scipy", "pandas", "jinja2")


class Outcome(NamedTuple):
    """A board as text, the files it was written to, and what was left out of it."""

    text: str
    paths: list[str]
    problems: list[Problem]


def publish(options: Options) -> Outcome:
    """Write the board into ``options.out``.

    Where records, options, code and the files of the last call are as they were, these stay. Raises
    ConfigError when there is no record, or none that the filters keep.
    """
    memory = files.kept("board", ".json", options.out)
    there = files.stamps(options.folders, (".json",))
    inputs = _inputs(options, there)
    if outcome := _recall(memory, inputs):
        return outcome
    from openmix.leaderboard.make import make  # pandas and scipy take a second to import

    outcome = make(options, PUBLISHED)
    if all(map(files.settled, there.values())):
        _remember(memory, inputs, outcome)
    return outcome


def _inputs(options: Options, there: dict[str, files.Stamp]) -> str:
    """Digest of all that a board is made from: ``there`` are the records."""
    code = [str(PACKAGE / name) for name in ("leaderboard", "records")]
    parts = (
        options,
        sys.version,
        [version(name) for name in LIBRARIES],
        files.stamps(code, (".py", ".j2", ".css", ".js")),
        files.stamps([str(PUBLISHED)], (".csv",)),
        there,
        [(root, Path(root).is_dir()) for root in options.folders],
    )
    return files.digest(repr(parts))


def _recall(memory: Path, inputs: str) -> Outcome | None:
    """The outcome of the last call, if its inputs were these and its files are untouched."""
    try:
        last = json.loads(memory.read_bytes())
        text, paths, problems = last["outcome"]
        if last["inputs"] == inputs and last["outputs"] == _state(paths):
            return Outcome(text, paths, [Problem(*problem) for problem in problems])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or damaged: the board is made again
    return None


def _remember(memory: Path, inputs: str, outcome: Outcome) -> None:
    last = {"inputs": inputs, "outputs": _state(outcome.paths), "outcome": outcome}
    with contextlib.suppress(OSError):  # no home to write to: the next call makes the board again
        atomic.write(memory, json.dumps(last))


def _state(paths: list[str]) -> list[list[int]]:
    return [list(files.stamp(path)) for path in paths]
