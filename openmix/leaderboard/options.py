"""The command line of the leaderboard: key=value words, as Hydra has them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path

from openmix import home
from openmix.errors import ConfigError
from openmix.records.metrics import METRICS, PRIMARY, RULES

RECORDS = os.environ.get("OPENMIX_RECORDS", "results/records")
"""Where runs leave their records unless told otherwise."""

SHIPPED = {"reference": Path(__file__).resolve().parents[2] / "results" / "reference" / "records"}
"""Records that come with openmix, by the name that joins them."""


@dataclass(frozen=True)
class Options:
    """What to put on a board. Filters name what to keep, separated by commas; empty keeps all."""

    records: str = RECORDS
    with_: str = ""
    out: str = "results/leaderboard"
    select: str = "median10"
    metric: str = PRIMARY
    baseline: str = "none"
    dataset: str = ""
    backbone: str = ""
    protocol: str = ""
    seed: str = ""

    @property
    def folders(self) -> list[str]:
        """Folders of records to read; to have none of one's own yet is no mistake beside others."""
        if not self.with_:
            return self.records.split(",")
        untrained = self.records == RECORDS and not Path(RECORDS).is_dir()
        return [*([] if untrained else self.records.split(",")), _near(SHIPPED[self.with_])]


def parse(words: Sequence[str]) -> Options:
    """Read ``key=value`` words; raises ConfigError with one line for anything else."""
    names = {field.name.rstrip("_"): field.name for field in fields(Options)}  # with: Python's word
    given = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"{word!r} is not key=value; keys: {', '.join(names)}")
        if name not in names:
            raise ConfigError(f"unknown key {name!r}; {suggest(name, tuple(names))}")
        given[names[name]] = value
    options = Options(**given)
    places = ",".join(home.folder(place) for place in options.records.split(","))
    options = replace(options, records=places, out=home.folder(options.out))
    for name, known in {"select": RULES, "metric": METRICS, "with": ("", *SHIPPED)}.items():
        value = getattr(options, names[name])
        if value not in known:
            raise ConfigError(f"unknown {name}={value}; {suggest(value, [*filter(None, known)])}")
    return options


def suggest(word: str, known: Sequence[str]) -> str:
    """Name the closest of the known words, if any is close, and all of them."""
    close = get_close_matches(word, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(known)}"


def _near(path: Path) -> str:
    """A path as a person would write it from here."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()
