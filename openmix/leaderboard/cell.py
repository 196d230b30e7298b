"""One cell of a board: all runs of one method in one protocol."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import NamedTuple

from openmix.leaderboard import statistics
from openmix.leaderboard.statistics import Estimate


class Run(NamedTuple):
    """What of a run a board needs; ``score`` is None unless it is done and has a value."""

    index: int
    seed: int
    status: str
    reason: str
    score: float | None
    optimism: float | None
    sources: str = ""
    dirty: bool | None = None


@dataclass(frozen=True)
class Cell:
    """All runs of one method in one protocol.

    ``status`` is done, failed, unsupported or missing; ``value`` stands on the runs that are done,
    ``delta`` on the seeds shared with the baseline, ``note`` says what became of the other runs.
    ``runs`` are places in the table of runs. ``correlation`` is that of the seeds with the
    baseline's; ``optimism`` what choosing the best epoch on the test set would add, in points of
    top-1. ``top`` marks the best of a column and all that cannot be told from it.
    """

    status: str
    value: Estimate | None = None
    delta: Estimate | None = None
    note: str = ""
    top: bool = False
    correlation: float | None = None
    seeds: dict[int, float] = field(default_factory=dict)
    optimism: float | None = None
    runs: tuple[int, ...] = ()


Scores = Mapping[int, float]
"""The value of each seed."""


def scores(runs: Sequence[Run]) -> dict[int, float]:
    """The value of each seed that has one, in the order of the seeds."""
    return {run.seed: run.score for run in sorted(runs) if run.score is not None}


def summarise(runs: Sequence[Run], baseline: Scores | None, top: bool) -> Cell:
    """Make the cell of some runs; ``baseline`` is None for the baseline itself."""
    if not runs:
        return Cell("missing")
    indices = tuple(sorted(run.index for run in runs))
    seeds = scores(runs)
    note = _note(runs)
    if not seeds:
        status = max(run.status for run in runs)  # unsupported before failed before done
        return Cell("missing" if status == "done" else status, note=note, runs=indices)
    gaps = [run.optimism for run in runs if run.score is not None and run.optimism is not None]
    return Cell(
        "done",
        statistics.estimate(list(seeds.values())),
        None if baseline is None else statistics.paired(seeds, baseline),
        note,
        top,
        None if baseline is None else statistics.seed_correlation(seeds, baseline),
        seeds,
        fmean(gaps) if gaps else None,
        indices,
    )


def tops(column: Sequence[Scores], sign: int) -> list[bool]:
    """Which of the methods of a column are best, or cannot be told from the best mean.

    Told over the seeds that both have, see ``statistics.many_to_one``, adjusted by Holm for the
    number of methods. A single seed is never marked, as nothing can be told of it, and neither is
    a method without another one of two seeds or more.
    """
    able = [i for i, seeds in enumerate(column) if len(seeds) > 1]
    if len(able) < 2:
        return [False] * len(column)
    best = max(able, key=lambda i: sign * fmean(column[i].values()))
    gaps = {
        i: [column[best][seed] - column[i][seed] for seed in shared]
        for i in able
        if len(shared := sorted(column[best].keys() & column[i].keys())) > 1
    }
    del gaps[best]
    p = statistics.holm(statistics.many_to_one(list(gaps.values()))) if gaps else []
    apart = {i for i, value in zip(gaps, p, strict=True) if value < 1 - statistics.CONFIDENCE}
    return [i in able and i not in apart for i in range(len(column))]


def _note(runs: Sequence[Run]) -> str:
    others = [run for run in runs if run.score is None]
    parts = [*_origins([run for run in runs if run.score is not None])]
    for status in sorted({run.status for run in others}):
        group = [run for run in others if run.status == status]
        reasons = ", ".join(sorted({run.reason for run in group} - {""}))
        outcome = "without a value" if status == "done" else status
        count = f"{len(group)} of {len(runs)} {outcome}" + (f": {reasons}" if reasons else "")
        parts.append(reasons if len(group) == len(runs) and reasons else count)
    return "; ".join(parts)


def _origins(runs: Sequence[Run]) -> Iterator[str]:
    """What a reader has to know of the code behind the seeds of a cell."""
    versions = {run.sources for run in runs if run.sources}
    if len(versions) > 1:
        parts = [set(version.split()) for version in versions]
        differing = set.union(*parts) - set.intersection(*parts)
        names = {part.partition(":")[0].rpartition(".")[2] for part in differing}
        yield f"seeds of different code in {', '.join(f'{name}.py' for name in sorted(names))}"
    if dirty := sum(run.dirty is True for run in runs):
        yield f"{dirty} of {len(runs)} from a checkout with uncommitted changes"
