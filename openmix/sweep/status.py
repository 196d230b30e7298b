"""How each run of a sweep stands, from one small file a run."""

import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from openmix import atomic, lock
from openmix.sweep.launcher import Held
from openmix.sweep.manifest import Sweep

STATES = {
    "planned": "not started",
    "submitted": "waits for its turn",
    "running": "under way",
    "stale": "said to run, but has not been heard of",
    "preempted": "was told to stop and has saved itself",
    "elsewhere": "under way for another sweep",
    "failed": "ended with an error",
    "unsupported": "the mixup cannot train this backbone",
    "done": "has its record",
}
BEAT_SECONDS = 15
"""Between two signs of life of a running run."""

SILENCE_SECONDS = 120
"""Without a sign of life for this long, a run on another machine counts as stale."""

LOST = {"killed"}
"""Reasons of failure that are none of the run's own: `launch` starts these runs again."""


@dataclass(frozen=True)
class Status:
    """What a run's ``status.json`` says. Written by the run's worker only."""

    state: str = "planned"
    reason: str = ""
    message: str = ""
    log: list[str] = field(default_factory=list)
    attempt: int = 0
    launch: int = -1
    host: str = ""
    pid: int = 0
    job: str = ""
    beat: float = 0.0
    epoch: int | None = None
    epochs: int | None = None
    seconds_left: float | None = None
    began_at: int | None = None

    def alive(self, folder: Path) -> bool:
        """Whether a worker is at this run, as far as can be told from here."""
        if self.state != "running":
            return False
        if self.host == socket.gethostname():
            return lock.holder(folder / "lock") is not None
        return time.time() - self.beat < SILENCE_SECONDS

    def to_do(self) -> bool:
        """Whether `launch` should start the run."""
        lost = self.state == "failed" and self.reason in LOST
        return lost or self.state in ("planned", "stale", "preempted", "elsewhere")


def read(folder: Path) -> Status:
    """The status in a run's folder; a file that cannot be read counts as none."""
    try:
        content = json.loads((folder / "status.json").read_bytes())
        return Status(**content)
    except (OSError, ValueError, TypeError):
        return Status()


def write(folder: Path, status: Status) -> None:
    """Put a run's status on disk, as seen by this process now."""
    here = replace(status, host=socket.gethostname(), pid=os.getpid(), beat=time.time())
    atomic.write(folder / "status.json", json.dumps(asdict(here)))


def survey(sweep: Sweep, held: Mapping[int, Held]) -> list[Status]:
    """How every run stands. ``held`` are the runs that a launcher still answers for."""
    return [_settled(sweep, index, held.get(index)) for index in range(len(sweep))]


def _settled(sweep: Sweep, index: int, held: Held | None) -> Status:
    folder = sweep.run(index)
    status = read(folder)
    if status.state == "running" and not status.alive(folder):
        status = replace(status, state="stale", seconds_left=None)
    recorded = sweep.record(index).is_file()
    if status.state == "running" or (status.state == "done" and recorded):
        return status
    if recorded and status.state != "unsupported" and sweep.done(index):
        return replace(status, state="done", reason="", message="", log=[])
    earlier = held and status.launch != held.launch
    if held and (earlier or not held.begun or status.state in ("planned", "preempted")):
        return replace(status, state="submitted", job=held.job)
    return Status() if status.state == "done" else status  # its record is gone
