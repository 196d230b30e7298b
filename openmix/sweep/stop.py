"""The mark that a sweep is to stop: nothing of it starts while the mark is there."""

import json
import re

from openmix import atomic
from openmix.sweep.launcher import launches, of
from openmix.sweep.manifest import Sweep
from openmix.sweep.settings import Local, Slurm, read
from openmix.sweep.status import Status
from openmix.sweep.status import read as read_status


def reason(sweep: Sweep) -> str:
    """Why the sweep was stopped; empty while it may go on."""
    try:
        return json.loads((sweep.folder / "stopped.json").read_bytes())["reason"]
    except FileNotFoundError:
        return ""


def clear(sweep: Sweep) -> None:
    (sweep.folder / "stopped.json").unlink(missing_ok=True)


def stop(sweep: Sweep, why: str) -> list[str]:
    """Start nothing more, and tell what runs to save itself; a line for each thing done."""
    atomic.write(sweep.folder / "stopped.json", json.dumps({"reason": why}))
    used = {launch["launcher"]["kind"]: launch["launcher"] for launch in launches(sweep)}
    return [line for tree in used.values() for line in of(read(tree)).stop(sweep)]


def if_alike(sweep: Sweep, status: Status, settings: Local | Slurm) -> None:
    """Stop the sweep when as many runs have failed like this one as its launcher allows."""
    if settings.fail_fast is None or reason(sweep):
        return
    since = launches(sweep)[-1]["time"]
    alike = 0
    for index in range(len(sweep)):
        other = read_status(sweep.run(index))
        alike += other.state == "failed" and other.beat > since and _kind(other) == _kind(status)
    if alike >= settings.fail_fast:
        stop(sweep, f"{alike} runs failed alike ({status.reason}: {status.message})")


def _kind(status: Status) -> tuple[str, str]:
    """Failures are alike when only numbers tell them apart.

    A loss that became NaN, one that became infinite and weights that overflowed are one failure.
    """
    return status.reason, "" if status.reason == "nan" else re.sub(r"\d+", "#", status.message)
