"""The figures of a board: what of it goes into which picture, and what is said below."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from openmix.leaderboard.board import Board
from openmix.leaderboard.cell import Cell
from openmix.leaderboard.figures import cost, curves, profile, ranks, seeds
from openmix.leaderboard.history import History
from openmix.records.metrics import METRICS


@dataclass(frozen=True)
class Figure:
    """A picture, its title and a sentence on how to read it."""

    title: str
    about: str
    svg: Markup


def of_column(board: Board, frame: pd.DataFrame, column: int) -> list[Figure]:
    """The pictures of one protocol; none where no run is done."""
    rows = _ranked(board, column)
    if not rows:
        return []
    drawn = [_cost(board, frame, rows), _seeds(board, rows), _curves(board, frame, rows)]
    return [figure for figure in drawn if figure]


Ranked = Sequence[tuple[str, Cell]]


def _ranked(board: Board, column: int) -> Ranked:
    """Labels and cells that have a value, the best first."""
    cells = zip(
        (row.label for row in board.rows), (line[column] for line in board.cells), strict=True
    )
    sign = -METRICS[board.metric].sign
    done = [(label, cell) for label, cell in cells if cell.value]
    return sorted(done, key=lambda item: (sign * item[1].value.mean, item[0]))


def _cost(board: Board, frame: pd.DataFrame, rows: Ranked) -> Figure | None:
    done = frame.index[(frame.status == "done") & (frame.train_seconds > 0)]
    seconds = frame.train_seconds[done].to_dict()
    device = frame.device[done].fillna("an unknown device").to_dict()
    runs = Counter(device[run] for _, cell in rows for run in cell.runs if run in seconds)
    if not runs:
        return None
    usual = max(sorted(runs), key=runs.__getitem__)
    spots = []
    for label, cell in rows:
        times = [seconds[run] for run in cell.runs if device.get(run) == usual]
        if times:
            mean = sum(times) / len(times)
            spots.append(cost.Spot(label, mean, cell.value.mean, label == board.baseline))
    others = runs.total() - runs[usual]
    left_out = f"; {others} runs on other devices left out" if others else ""
    about = f"Mean time of a run on {usual}{left_out}. The line joins what nothing beats in both."
    better = METRICS[board.metric].higher
    return Figure("Cost", about, cost.draw(spots, board.metric, better))


def _seeds(board: Board, rows: Ranked) -> Figure:
    lines = [
        seeds.Seeds(label, [value for _, value in sorted(cell.seeds.items())], cell.value, cell.top)
        for label, cell in rows
    ]
    about = "A dot a seed; bar and line: mean and its interval."
    about += " Bold: best, or not told from it." * any(cell.top for _, cell in rows)
    return Figure("Seeds", about, seeds.draw(lines, board.metric))


def _curves(board: Board, frame: pd.DataFrame, rows: Ranked) -> Figure | None:
    chosen = [row for row in rows if row[0] != board.baseline][: curves.LINES - 1]
    chosen += [row for row in rows if row[0] == board.baseline]
    lines = []
    for label, cell in chosen:
        histories = [frame.history[run] for run in cell.runs if frame.status[run] == "done"]
        points = _mean(histories, board.metric)
        if len(points) > 1:
            lines.append(curves.Curve(label, points))
    if not lines:
        return None
    about = "Mean over seeds, of the best four and the baseline."
    return Figure("Learning curves", about, curves.draw(lines, board.metric, settled=0.5))


def _mean(histories: Sequence[History], name: str) -> list[tuple[float, float]]:
    """Mean over runs at each epoch that all of them have."""
    found: dict[int, list[float]] = {}
    for history in histories:
        for entry in history:
            if name in entry:
                found.setdefault(entry["epoch"], []).append(entry[name])
    shared = {e: values for e, values in found.items() if len(values) == len(histories)}
    return [(epoch, sum(values) / len(values)) for epoch, values in sorted(shared.items())]


def across(board: Board) -> list[Figure]:
    """The pictures that take all protocols together; one withheld says why."""
    return [figure for figure in (_profile(board), _ranks(board)) if figure]


def _profile(board: Board) -> Figure | None:
    if not board.profile:
        return None
    chosen = [row.label for row in board.rows if row.label in board.profile][: curves.LINES]
    about = (
        f"Share of the runs that gain at least so much on {board.baseline}. The five best are "
        "named. It describes these runs and tests nothing."
    )
    gain = f"Δ {board.metric} to {board.baseline}"
    return Figure("Performance profile", about, profile.draw(board.profile, chosen, gain))


def _ranks(board: Board) -> Figure | None:
    title = "Critical differences"
    if isinstance(board.friedman, str):
        return Figure(title, board.friedman, Markup()) if board.friedman else None
    test = board.friedman
    about = (
        f"Friedman test over data sets: p = {test.p:.3g}. Methods that a bar joins differ by less "
        "than Nemenyi's critical difference."
    )
    return Figure(title, about, ranks.draw(test.ranks, test.groups, test.critical_difference))
