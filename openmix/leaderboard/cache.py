"""What was read of the files of records, kept in one file that may be deleted at any time."""

import io
import itertools
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic_core import from_json, to_json

from openmix import atomic
from openmix.leaderboard.files import Stamp, digest
from openmix.leaderboard.history import NAMES, History
from openmix.leaderboard.load import OBJECTS

HERE = Path(__file__).resolve().parent
CODE = [*sorted(HERE.parent.glob("records/*.py")), HERE / "load.py", HERE / "history.py"]
LAYOUT = digest("".join(file.read_text(encoding="utf-8") for file in [*CODE, Path(__file__)]))
"""The code that made the file; what other code made counts as none."""


@dataclass
class Cache:
    """Rows of ``load`` in ``runs``, with the path and stamp of the file of each, in its order.

    ``problems`` has stamp and reason of every file that is no record.
    """

    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    problems: dict[str, tuple[Stamp, str]] = field(default_factory=dict)


def load(path: Path) -> Cache:
    """Read a cache; one that is missing, damaged or of another version is empty."""
    try:
        with zipfile.ZipFile(path) as file:  # every part has a checksum
            data = from_json(file.read("runs.json"))
            values = np.frombuffer(file.read("history.f4"), dtype="<f4").reshape(-1, len(NAMES))
        return _unpack(data, values) if data["layout"] == LAYOUT else Cache()
    except (OSError, ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile):
        return Cache()


def save(path: Path, cache: Cache) -> None:
    """Write a cache; a folder that cannot be written to is no harm."""
    histories = [history.values for history in cache.runs.get("history", ())]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("runs.json", to_json(_pack(cache), inf_nan_mode="constants"))
        parts.writestr("history.f4", b"".join(v.astype("<f4").tobytes() for v in histories))
    try:
        with atomic.replacing(path) as target:
            target.write(file.getbuffer())
    except OSError:
        return


class _Pool:
    """Every distinct value once: runs share most of their configuration."""

    def __init__(self) -> None:
        self.places: dict[bytes, int] = {}

    def put(self, value: Any) -> int:
        return self.places.setdefault(to_json(value), len(self.places))

    def texts(self) -> list[str]:
        return [text.decode() for text in self.places]


def _pack(cache: Cache) -> dict[str, Any]:
    pool, configs, runs = _Pool(), _Pool(), cache.runs
    columns = {name: runs[name].tolist() for name in runs.columns if name not in OBJECTS}
    for name in ("environment", "overrides"):
        columns[name] = [pool.put(value) for value in runs.get(name, ())]
    columns["config"] = [
        configs.put({name: pool.put(part) for name, part in config.items()})
        for config in runs.get("config", ())
    ]
    return {
        "layout": LAYOUT,
        "columns": columns,
        "epochs": [len(history) for history in runs.get("history", ())],
        "pool": pool.texts(),
        "configs": configs.texts(),
        "stamps": cache.stamps,
        "problems": cache.problems,
    }


def _unpack(data: dict[str, Any], values: np.ndarray) -> Cache:
    pool = [from_json(text) for text in data["pool"]]
    configs = [
        {name: pool[place] for name, place in from_json(text).items()} for text in data["configs"]
    ]
    columns = data["columns"]
    for name, source in (("config", configs), ("environment", pool), ("overrides", pool)):
        columns[name] = [source[place] for place in columns.pop(name)]  # in the order of OBJECTS
    ends = np.cumsum([0, *data["epochs"]]).tolist()
    columns["history"] = [History(values[a:b]) for a, b in itertools.pairwise(ends)]
    stamps = {path: tuple(stamp) for path, stamp in data["stamps"].items()}
    problems = {path: (tuple(stamp), why) for path, (stamp, why) in data["problems"].items()}
    return Cache(pd.DataFrame(columns), stamps, problems)
