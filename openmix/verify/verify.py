"""Train a recorded run again, in a folder of its own, and say what has come of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openmix import belongs, records
from openmix.config import check, compose
from openmix.config.groups import key_of
from openmix.data.digest import differ
from openmix.errors import ConfigError, Unsupported
from openmix.identity import Identity
from openmix.verify.checkout import code_of
from openmix.verify.request import Request, parse
from openmix.verify.verdict import others_of, parting, surroundings, verdict

DIFFERS = 1
OURS = ("paths.runs", "paths.records", "logger", "force", "seed", "runner.keep", "runner.threads")
"""Settings of the recorded command that a second training has of its own."""


def verify(words: Sequence[str]) -> int:
    """Verify what ``words`` name, print what is found, and return the exit code.

    0: identical bits, or within the interval of its cell; 1: it differs; 75 and 130 as for
    training, which the same words take up again. Touches no record. Raises ConfigError for a
    request that cannot be carried out.
    """
    asked = parse(words)
    record = asked.record
    title = " ".join(filter(None, (record["mixup"], record["variant"])))
    run = f"{record['dataset']}  {record['backbone']}  {title}  seed {record['seed']}"
    print(f"{run}: {asked.path}", flush=True)
    with code_of(record) as (code, why):
        own = "" if why else f"of its own commit, {record['code']['commit'][:7]}"
        print(f"code: {own or f'differs: that which is here, as {why}'}", flush=True)
        overrides = _overrides(asked)
        if other := _other_data(record, overrides, here=bool(why)):
            print(f"other data: {other}")
            return DIFFERS
        done = _train(code, overrides)
    if done:
        end = "goes on" if done in (75, 130) else "fails again"
        print(f"training ended with exit code {done}; the same command {end}", file=sys.stderr)
        return done
    return _tell(asked, _result(asked.folder))


def _overrides(asked: Request) -> list[str]:
    """The words that train a record's run in the folder of this request."""
    record, folder = asked.record, asked.folder
    threads = record["environment"].get("threads")
    again = {key_of(word) for word in asked.overrides}
    kept = [
        word
        for word in record["overrides"]
        if key_of(word) not in {*OURS, *again} and not key_of(word).startswith("logger.")
    ]
    ours = {"paths.runs": folder / "runs", "paths.records": folder / "records"}
    words = [f'{name}="{place}"' for name, place in ours.items()]
    words += [f"seed={record['seed']}", "runner.keep=none"]
    words += [f"runner.threads={threads}"] if threads and "runner.threads" not in again else []
    return [*kept, *words, *asked.overrides]


def _other_data(record: dict[str, Any], overrides: Sequence[str], here: bool) -> str:
    """What differs between the data of a record and those that are here, as far as that is known.

    Raises ConfigError where ``here``, by the code at hand, the words make another run.
    """
    try:
        composed = compose(overrides)
        check(composed)
        identity = Identity.of(composed)
    except (ConfigError, Unsupported):
        if here:
            raise
        return ""  # words of then, which the code of then understands
    if identity.key != record["key"]:
        if here:
            raise ConfigError(
                f"by the code that is here, the run's words make another one ({identity.key}, not "
                f"{record['key']}); it takes a checkout with the commit of the record"
            )
        return ""
    kept = belongs.of_record(record)["data"]
    return differ(kept, belongs.traces(identity.config)["data"]) if kept else ""


def _train(code: Path, overrides: Sequence[str]) -> int:
    """Train by the code in a folder; signals are passed on, so that the run saves itself."""
    for file in _records(overrides):
        file.unlink()  # of an earlier call of this tool, which would be taken for the result
    paths = [str(code), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, str(code / "tools" / "train.py"), *overrides],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdout=sys.stderr.fileno(),
    )
    handlers = {
        number: signal.signal(number, lambda received, frame: process.send_signal(received))
        for number in (signal.SIGTERM, signal.SIGUSR1)
    }
    handlers[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it has its own
    try:
        return process.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _records(overrides: Sequence[str]) -> list[Path]:
    [place] = [word.partition("=")[2] for word in overrides if key_of(word) == "paths.records"]
    return sorted(Path(place.strip('"')).rglob("*.json"))


def _result(folder: Path) -> dict[str, Any]:
    found = sorted((folder / "records").rglob("*.json"))
    if len(found) != 1:
        raise ConfigError(f"{folder} holds {len(found)} records where one was to come; remove it")
    return records.read(found[0])


def _tell(asked: Request, now: dict[str, Any]) -> int:
    before = asked.record
    checksums = [one["data"].get("checksum") for one in (before, now)]
    if checksums[0] != checksums[1]:
        print(f"other data: checksum {checksums[1]}, on record {checksums[0]}")
        return DIFFERS
    found = verdict(before, now, others_of(asked.path, before))
    if found.text != "identical bits":
        for what, said in (
            ("here", "; ".join(surroundings(before, now))),
            ("parts at", parting(before, now)),
        ):
            print(f"{what}: {said}" if said else f"{what}: nothing that is on record")
    print(found.text)
    return 0 if found.same else DIFFERS
