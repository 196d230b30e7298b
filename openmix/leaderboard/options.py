"""The command line of the leaderboard: key=value words, as Hydra has them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches

from openmix import home
from openmix.errors import ConfigError
from openmix.records.metrics import METRICS, RULES


@dataclass(frozen=True)
class Options:
    """What to put on a board. Filters name what to keep, separated by commas; empty keeps all."""

    records: str = os.environ.get("OPENMIX_RECORDS", "results/records")
    out: str = "results/leaderboard"
    select: str = "median10"
    metric: str = "top1"
    baseline: str = "none"
    dataset: str = ""
    backbone: str = ""
    protocol: str = ""
    seed: str = ""


def parse(words: Sequence[str]) -> Options:
    """Read ``key=value`` words; raises ConfigError with one line for anything else."""
    names = [field.name for field in fields(Options)]
    given = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"{word!r} is not key=value; keys: {', '.join(names)}")
        if name not in names:
            raise ConfigError(f"unknown key {name!r}; {suggest(name, names)}")
        given[name] = value
    options = Options(**given)
    places = ",".join(home.folder(place) for place in options.records.split(","))
    options = replace(options, records=places, out=home.folder(options.out))
    for name, known in {"select": tuple(RULES), "metric": METRICS}.items():
        value = getattr(options, name)
        if value not in known:
            raise ConfigError(f"unknown {name}={value}; {suggest(value, known)}")
    return options


def suggest(word: str, known: Sequence[str]) -> str:
    """Name the closest of the known words, if any is close, and all of them."""
    close = get_close_matches(word, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(known)}"
