"""The records of whole folders as one table."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from openmix import records
from openmix.leaderboard import cache, files
from openmix.leaderboard.cache import Cache
from openmix.leaderboard.files import Stamp
from openmix.leaderboard.load import ordered, row
from openmix.records import METRICS, RULES, Problem, RecordError


def collect(roots: Sequence[str]) -> tuple[pd.DataFrame, list[Problem]]:
    """Read every record below some folders: the table of ``load``, and what was left out.

    Never fatal. Of two records of one run, the done one and then the later one stays; the
    other becomes a problem, like every file that is no record. Files that did not change since the
    last call are not read again.
    """
    place = files.kept("records", ".zip", *roots)
    known = cache.load(place)
    found = _update(known, files.stamps(roots, (".json",)))
    if found is not known:
        cache.save(place, found)
    runs, problems = latest(found)
    problems += [Problem(path, why) for path, (_, why) in found.problems.items()]
    gone = {Path(root).as_posix() for root in roots if not Path(root).is_dir()}
    return runs, sorted([*problems, *(Problem(root, "no such folder") for root in gone)])


def _update(known: Cache, there: dict[str, Stamp]) -> Cache:
    """Read what ``known`` does not have as it is now; or return ``known`` itself."""
    kept = [there.get(path) == stamp for path, stamp in known.stamps.items()]
    stamps = {path: stamp for path, stamp in known.stamps.items() if there.get(path) == stamp}
    problems = {path: it for path, it in known.problems.items() if there.get(path) == it[0]}
    fresh = sorted(there.keys() - stamps.keys() - problems.keys())
    if all(kept) and not fresh and len(problems) == len(known.problems):
        return known
    rows = []
    for path in fresh:
        stamp = there[path] if files.settled(there[path]) else (-1, -1)
        try:
            rows.append(row(records.read(path)))
            stamps[path] = stamp
        except RecordError as error:
            problems[path] = (stamp, str(error))
    parts = [part for part in (known.runs[kept], pd.DataFrame(rows)) if len(part)]
    runs = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return Cache(runs, stamps, problems)


def latest(found: Cache) -> tuple[pd.DataFrame, list[Problem]]:
    """Of the runs of one key and seed on the same data, the done one and then the later one."""
    if not len(found.runs):
        return found.runs, []
    runs = found.runs.assign(path=list(found.stamps), done=found.runs.status == "done")
    runs = runs.sort_values(["done", "finished", "path"], ascending=False, ignore_index=True)
    data = runs.data_checksum.replace("", None)
    data = data.fillna(data.groupby([runs.key, runs.seed]).transform("first")).fillna("")
    first = runs.index.to_series().groupby([runs.key, runs.seed, data]).transform("first")
    problems = [
        Problem(runs.path[place], f"same run as {runs.path[same]}{_otherwise(runs, place, same)}")
        for place, same in first[first != first.index].items()
    ]
    kept = runs[first == first.index]
    return ordered(kept.drop(columns=["path", "done"])), problems


def _otherwise(runs: pd.DataFrame, place: int, same: int) -> str:
    """How the numbers of two done records of one run differ, if they do."""
    if not runs.done[place]:
        return ""
    for rule, metric in product(RULES, METRICS):
        one, other = (runs[f"{rule}.{metric}"][row] for row in (place, same))
        if one != other and not (one != one and other != other):
            return f", with other numbers ({rule} {metric} {one:.4g}, there {other:.4g})"
    return ""
