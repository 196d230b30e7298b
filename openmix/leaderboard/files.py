"""Which files there are, when they changed, and where the leaderboard keeps what it knows of them.

Needs nothing heavy: a board whose records did not change is not made again.
"""

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[int, int]
"""Time of modification in ns and bytes of a file."""

SETTLED = 2 * 10**9
"""After so many ns a file that changes is sure to get another time, on any file system."""


def stamps(roots: Iterable[str], endings: tuple[str, ...]) -> dict[str, Stamp]:
    """Path and stamp of every file below some folders whose name ends so, sorted."""
    found = {}
    for root in roots:
        for folder, _, names in os.walk(Path(root).as_posix()):
            paths = (f"{folder}/{name}" for name in names if name.endswith(endings))
            found |= {path: stamp(path) for path in paths}
    return dict(sorted(found.items()))


def stamp(path: str | Path) -> Stamp:
    """The stamp of one file; (0, 0) where there is none to see."""
    try:
        facts = os.stat(path)
    except OSError:
        return 0, 0
    return facts.st_mtime_ns, facts.st_size


def settled(stamp: Stamp) -> bool:
    """Whether a file changed long enough ago for a later change to show in its stamp."""
    return time.time_ns() - stamp[0] > SETTLED


def kept(kind: str, ending: str, *folders: str) -> Path:
    """A file in the user's cache folder that belongs to some folders."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    names = "\n".join(f"{folder}\n{os.path.abspath(folder)}" for folder in folders)
    return Path(base, "openmix", f"{kind}-{digest(names)[:16]}{ending}")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
