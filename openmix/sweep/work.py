"""The worker: carries runs out, each in a process of its own.

A launcher starts ``tools/sweep.py work SWEEP --launch=N RUN...``. The worker outlives whatever its
runs do; what ends the worker ends its runs, and they save themselves first where that is possible.
"""

import json
import os
import signal
import time
from collections import deque
from collections.abc import Sequence

from openmix import atomic
from openmix.command import REQUEUE, SPEAKS, carry_out
from openmix.errors import Unsupported
from openmix.reason import one_line
from openmix.sweep import stop
from openmix.sweep.attempt import POLL_SECONDS, Attempt, job
from openmix.sweep.launcher import launches
from openmix.sweep.manifest import Sweep
from openmix.sweep.reasons import reason_of
from openmix.sweep.settings import Local, Slurm, read
from openmix.sweep.slurm import requeue

STOPPING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


def work(sweep: Sweep, number: int, indices: Sequence[int]) -> int:
    """Carry out runs of launch ``number``; return 0, 1 if one failed, 75 if one is to go on.

    Runs that another worker is at are left to it.
    """
    told: list[int] = []
    for each in STOPPING:
        signal.signal(each, lambda received, frame: told.append(received))
    settings = read(launches(sweep, number)[0]["launcher"])
    states = _supervise(sweep, number, settings, deque(indices), told)
    if "preempted" not in states:
        return int("failed" in states)
    # Of a job that was told to end by SIGTERM the scheduler knows itself whether it goes on.
    if job() and signal.SIGTERM not in told and not stop.reason(sweep):
        requeue(job())
    return REQUEUE


def _supervise(
    sweep: Sweep, number: int, settings: Local | Slurm, waiting: deque[int], told: list[int]
) -> list[str]:
    """Keep as many runs going as the launcher wants side by side; return how each ended."""
    width = settings.runs_per_task if settings.kind == "slurm" else 1
    states, under_way, passed = [], [], 0
    while waiting or under_way:
        while waiting and len(under_way) < width and not (told or stop.reason(sweep)):
            attempt = Attempt(sweep, waiting.popleft(), number, settings)
            if attempt.begin():
                under_way.append(attempt)
        time.sleep(POLL_SECONDS)
        if told and not passed:
            passed = told[0]
            for attempt in under_way:
                attempt.tell()
        for attempt in under_way:
            attempt.watch(passed)
        states += [attempt.status.state for attempt in under_way if not attempt.process]
        under_way = [attempt for attempt in under_way if attempt.process]
        if not under_way and (told or stop.reason(sweep)):
            return states + ["preempted"] * bool(waiting)
    return states


def run(sweep: Sweep, index: int) -> int:
    """The run's own process: train, and leave in ``report.json`` how it ended."""
    os.chdir(sweep.manifest["cwd"])
    file = sweep.run(index) / "report.json"
    identity = sweep.identity(index)
    code, error = carry_out(identity, report=file)
    if SPEAKS:
        if isinstance(error, Unsupported):
            identity.write(identity.record("unsupported", one_line(error), facts={}))
        known = json.loads(file.read_bytes()) if file.is_file() else {}
        known["ended"] = {"code": code}
        if error:
            known["ended"] |= {"reason": reason_of(error), "message": one_line(error)}
        atomic.write(file, json.dumps(known))
    return code
