"""Which record is to be verified, and where its run is trained again."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openmix import home, records
from openmix.config.groups import key_of
from openmix.errors import ConfigError
from openmix.leaderboard.options import RECORDS, SHIPPED
from openmix.records.key import LEFT_OUT

USAGE = "python tools/verify.py RECORD, or KEY seed=N"

HARMLESS = {"paths.data", *(key for key in LEFT_OUT if key.startswith(("dataset.", "runner.")))}
"""Settings that a second training may have otherwise: none of them is part of the key."""


@dataclass(frozen=True)
class Request:
    """``overrides`` are further words for the training; ``folder`` holds all that it leaves."""

    path: Path
    record: dict[str, Any]
    overrides: tuple[str, ...]
    folder: Path


def parse(words: Sequence[str]) -> Request:
    """Read the words of the command line. Raises ConfigError for a record that cannot be had."""
    given = {
        name: value for name, _, value in (word.partition("=") for word in words if "=" in word)
    }
    bare = [word for word in words if "=" not in word]
    if len(bare) != 1:
        raise ConfigError(f"name one run: {USAGE}")
    ours = {name: given.pop(name) for name in ("seed", "records", "out") if name in given}
    for word in words:
        if key_of(word) in given and key_of(word) not in HARMLESS:
            raise ConfigError(
                f"'{word}' would make another run of it; a second training takes "
                f"{', '.join(sorted(HARMLESS))}"
            )
    path = _path(bare[0], ours)
    try:
        record = records.read(path)
    except records.RecordError as error:
        raise ConfigError(f"{path}: {error}; {USAGE}") from None
    if record["status"] != "done":
        raise ConfigError(f"{path} is {record['status']} ({record['reason']}); nothing to verify")
    name = f"{record['key']}-s{record['seed']}"
    folder = home.folder(ours.get("out") or f"runs/verify/{name}")
    others = tuple(word for word in words if key_of(word) in given)
    return Request(path, record, others, Path(folder).absolute())


def _path(word: str, ours: dict[str, str]) -> Path:
    """The file of the record that ``word`` means: its path, or a key whose seed is told."""
    if not re.fullmatch("[0-9a-f]{4,12}", word):
        return Path(home.folder(word))
    if not ours.get("seed", "").isdecimal():
        raise ConfigError(f"which seed of {word}? {USAGE}")
    roots = (
        ours["records"].split(",") if "records" in ours else [RECORDS, *map(str, SHIPPED.values())]
    )
    found = dict.fromkeys(_named(roots, word, int(ours["seed"])))
    keys = sorted({path.name.partition("-")[0] for path in found})
    if not found:
        raise ConfigError(f"no record of {word} seed={ours['seed']} in {', '.join(roots)}")
    if len(keys) > 1:
        raise ConfigError(f"{word} may be {' or '.join(keys)}; write more of it")
    return next(iter(found))


def _named(roots: Sequence[str], key: str, seed: int) -> Iterator[Path]:
    for root in roots:
        yield from sorted(Path(home.folder(root)).rglob(f"{key}*-s{seed}.json"))
