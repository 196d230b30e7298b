"""Do the intervals of a board cover what they say, and how often does it name a false winner?

python benchmarks/coverage.py [--boards 1000] [--require]

Boards are drawn from normal seeds of standard deviation 0.25 points, those of one seed correlated
by 0.3 between methods, and put through the very functions that make a board. ``--require`` ends in
exit code 1 when an interval covers less than 93 % or more than 97 %, a rank interval or a set of
best methods less than 93 %, or a false winner comes in more than 5 %.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openmix.leaderboard import statistics
from openmix.leaderboard.aggregate import Aggregate, aggregate
from openmix.leaderboard.cell import tops

DEVIATION, CORRELATION = 0.25, 0.3
SHAPES = [(columns, seeds) for columns in (1, 3, 6) for seeds in (3, 5)]
METHODS = 10

Figure = tuple[str, float, float, float]
"""What is measured, the share found, and the least and the most that is right."""


def draw(means: np.ndarray, columns: int, seeds: int, random: np.random.Generator) -> np.ndarray:
    """Values ``(columns * seeds, methods)`` of methods whose true means are those."""
    own = random.normal(size=(columns * seeds, len(means))) * (1 - CORRELATION) ** 0.5
    shared = random.normal(size=(columns * seeds, 1)) * CORRELATION**0.5
    return means + DEVIATION * (own + shared)


def cells(boards: int, random: np.random.Generator) -> Iterator[Figure]:
    """Intervals of a mean, of a paired difference, and of its mean over columns."""
    for seeds in (3, 5):
        values = draw(np.zeros(2), 20 * boards, seeds, random).reshape(-1, seeds, 2)
        means = [statistics.estimate(one[:, 0]) for one in values]
        deltas = [
            statistics.paired(dict(enumerate(one[:, 0])), dict(enumerate(one[:, 1])))
            for one in values
        ]
        for name, found in (("mean", means), ("Δ", deltas)):
            covered = np.mean([abs(e.mean) <= e.half for e in found])
            yield f"{name} of a cell, {seeds} seeds", covered, 0.93, 0.97
        for columns in (3, 6, 10):
            shape = (columns * seeds, 20 * boards)
            gaps = DEVIATION * (2 * (1 - CORRELATION)) ** 0.5 * random.normal(size=shape)
            spread = statistics.stratified(gaps, [seeds] * columns)
            covered = np.mean(np.abs(spread.mean) <= spread.half)
            yield f"Δ over {columns} columns, {seeds} seeds", covered, 0.93, 0.97


def totals(
    gap: float, columns: int, seeds: int, boards: int, random: np.random.Generator
) -> Iterator[tuple[np.ndarray, list[Aggregate]]]:
    """Boards of methods ``gap`` points apart; the first, truly best one is the baseline."""
    means = -gap * np.arange(METHODS)
    for _ in range(boards):
        blocks = draw(means, columns, seeds, random)
        yield blocks, aggregate(blocks, [seeds] * columns, 0, [None] * METHODS)


def intervals(boards: int, random: np.random.Generator) -> Iterator[Figure]:
    """Intervals of the rank, and whether the best is among those in bold."""
    for gap in (0.0, 0.1, 0.4):
        places = np.arange(METHODS) + 1 if gap else np.full(METHODS, (METHODS + 1) / 2)
        for columns, seeds in SHAPES:
            rank, best = [], []
            for _, rows in totals(gap, columns, seeds, boards // 4, random):
                rank += [
                    row.standing.rank_low <= p <= row.standing.rank_high
                    for row, p in zip(rows, places, strict=True)
                ]
                best.append(rows[0].top)
            name = f"{columns} x {seeds}, gap {gap}"
            yield f"rank, {name}", np.mean(rank), 0.93, 1
            yield f"best in bold, {name}", np.mean(best), 0.93, 1


def winners(boards: int, random: np.random.Generator) -> Iterator[Figure]:
    """Claims on boards without any difference."""
    for columns, seeds in SHAPES:
        claims, alone, cell = [], [], []
        for blocks, rows in totals(0.0, columns, seeds, boards, random):
            claims.append(any(row.verdict in ("better", "worse") for row in rows))
            alone.append(sum(row.top for row in rows) == 1)
            cell.append(sum(tops([dict(enumerate(column)) for column in blocks[:seeds].T], 1)) == 1)
        name = f"{columns} x {seeds}"
        yield f"a verdict without a difference, {name}", np.mean(claims), 0, 0.05
        yield f"one method alone in bold, {name}", np.mean(alone), 0, 0.05
        yield f"one cell alone in bold, {seeds} seeds", np.mean(cell), 0, 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", type=int, default=1000)
    parser.add_argument("--require", action="store_true")
    options = parser.parse_args()
    random, failed = np.random.default_rng(0), 0
    for part in (cells, intervals, winners):
        for name, share, least, most in part(options.boards, random):
            right = least <= share <= most
            failed += not right
            print(f"{share:7.3f}  {name}{'' if right else '   <-- out of bounds'}", flush=True)
    return int(options.require and failed > 0)


if __name__ == "__main__":
    sys.exit(main())
