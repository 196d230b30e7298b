"""Launch on this machine: a detached process that keeps so many runs going."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from openmix import atomic, lock
from openmix.errors import Busy
from openmix.sweep.launcher import Held, LaunchError, launches
from openmix.sweep.manifest import TOOL, Sweep
from openmix.sweep.settings import Local, read
from openmix.sweep.status import read as read_status

POLL_SECONDS = 0.1
START_SECONDS = 60
REQUEUE = 75


@dataclass(frozen=True)
class LocalLauncher:
    """One process for a sweep, its pool, which starts a worker for each run.

    The workers have sessions of their own. When the pool dies they finish what they are at, and the
    next launch does the rest.
    """

    settings: Local

    def preview(self, sweep: Sweep, runs: Sequence[int]) -> str:
        slots = slots_of(self.settings)
        gpus = sorted({slot["CUDA_VISIBLE_DEVICES"] for slot in slots} - {""})
        where = f" on GPU {' | '.join(gpus)}" if gpus else ""
        return f"{len(slots)} at a time{where}, CPU threads each: {slots[0]['OMP_NUM_THREADS']}"

    def start(self, sweep: Sweep, runs: Sequence[int], number: int) -> list[str]:
        _patiently(lambda: not (_pool(sweep) and _queue(sweep).get("told")))
        if by := _pool(sweep):
            return [f"{len(runs)} runs join those of {by}, with its settings"]
        with (sweep.folder / "pool.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(TOOL), "pool", str(sweep.folder), str(number)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _patiently(lambda: process.poll() is not None or _queue(sweep).get("pid") == process.pid)
        if process.poll() or _queue(sweep).get("pid") != process.pid:
            raise LaunchError(f"the pool did not start; see {sweep.folder / 'pool.log'}")
        return [f"{len(runs)} runs in process {process.pid}: {self.preview(sweep, runs)}"]

    def held(self, sweep: Sweep) -> dict[int, Held]:
        by = _pool(sweep)
        if not by:
            return {}
        runs = {"waiting": [], "begun": []} | _queue(sweep)
        waiting = {run: Held(by, number, begun=False) for run, number in runs["waiting"]}
        return waiting | {run: Held(by, number, begun=True) for run, number in runs["begun"]}

    def stop(self, sweep: Sweep) -> list[str]:
        lines = []
        if by := _pool(sweep):
            lines.append(_tell(_queue(sweep), by))
            if _queue(sweep)["host"] == socket.gethostname():  # no launch may join a pool that ends
                _patiently(lambda: not _pool(sweep) or _queue(sweep)["told"])
        for index in range(len(sweep)):
            status = read_status(sweep.run(index))
            if not status.job and status.pid != os.getpid() and status.alive(sweep.run(index)):
                lines.append(_tell({"pid": status.pid, "host": status.host}, f"run {index}"))
        return lines


def _patiently(condition: Callable[[], object]) -> None:
    """Wait for a condition, but not for ever."""
    deadline = time.monotonic() + START_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _pool(sweep: Sweep) -> str | None:
    """The process that works on the sweep, if one does."""
    return lock.holder(sweep.folder / "pool.lock")


def _queue(sweep: Sweep) -> dict:
    """What the newest pool last said of itself.

    ``waiting`` and ``begun`` are lists of runs, each with its launch; ``told`` says that it ends.
    """
    try:
        return json.loads((sweep.folder / "queue.json").read_bytes())
    except FileNotFoundError:
        return {}


def _tell(process: dict, what: str) -> str:
    if process["host"] != socket.gethostname():
        return f"{what} is on {process['host']}: cancel it there"
    os.kill(process["pid"], signal.SIGTERM)
    return f"told {what} to stop"


def slots_of(settings: Local) -> list[dict[str, str]]:
    """The environment of each of the runs that go side by side: its GPUs and its threads."""
    gpus, each = visible_gpus(), settings.processes
    jobs = settings.jobs or max(1, len(gpus) // each)
    threads = settings.threads or max(1, cores() // (jobs * each))
    slots = []
    for first in range(0, jobs * each, each):
        own = [gpus[i % len(gpus)] for i in range(first, first + each)] if gpus else []
        slots.append({"CUDA_VISIBLE_DEVICES": ",".join(own), "OMP_NUM_THREADS": str(threads)})
    return slots


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """The GPUs that may be used, without asking torch."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [gpu.strip() for gpu in given.split(",") if gpu.strip()]
    try:
        found = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [str(i) for i, line in enumerate(found.stdout.splitlines()) if line.startswith("GPU")]


class Pool:
    """The process behind a local sweep: carries out launches from number ``first`` on."""

    def __init__(self, sweep: Sweep, first: int):
        self.sweep, self.next = sweep, first
        self.queue: deque[int] = deque()
        self.launch: dict[int, int] = {}
        self.running: dict[subprocess.Popen, tuple[int, dict[str, str]]] = {}
        self.told, self.shown = False, ""

    def work(self) -> None:
        """Work until nothing waits and nothing runs. Raises Busy if the sweep has a pool."""
        with ExitStack() as mine:
            mine.enter_context(lock.held(self.sweep.folder / "pool.lock", "this sweep"))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            self._take()
            slots = slots_of(read(launches(self.sweep)[-1]["launcher"]))
            while not self._ends(mine):
                while self.queue and slots:
                    self._start(self.queue.popleft(), slots.pop(0))
                self._show()
                time.sleep(POLL_SECONDS)
                slots += self._reap()
                self._take()

    def _stop(self, number: int, frame: object) -> None:
        self.told = True
        self.queue.clear()
        for process in list(self.running):
            process.terminate()

    def _take(self) -> None:
        """Queue what was launched since the last look."""
        for launch in launches(self.sweep, self.next):
            self.next = launch["number"] + 1
            if launch["launcher"]["kind"] == "local" and not self.told:
                self.queue += [run for run in launch["runs"] if run not in self.queue]
                self.launch |= dict.fromkeys(launch["runs"], launch["number"])

    def _ends(self, mine: ExitStack) -> bool:
        """Whether all is done; the pool's lock then goes before a new launch can look for it."""
        if self.queue or self.running:
            return False
        if self.told:  # no launch joins a pool that was told to stop
            return True
        try:
            with lock.held(self.sweep.folder / "launch.lock", "a launch"):
                self._take()
                if not self.queue:
                    mine.close()
                return not self.queue
        except Busy:
            return False

    def _show(self) -> None:
        waiting = [(run, self.launch[run]) for run in self.queue]
        begun = [(run, self.launch[run]) for run, _ in self.running.values()]
        here = {"pid": os.getpid(), "host": socket.gethostname(), "told": self.told}
        content = json.dumps({**here, "waiting": waiting, "begun": begun})
        if content != self.shown:
            atomic.write(self.sweep.folder / "queue.json", content)
            self.shown = content

    def _start(self, index: int, slot: dict[str, str]) -> None:
        gpus = slot if slot["CUDA_VISIBLE_DEVICES"] else {}
        launch = f"--launch={self.launch[index]}"
        process = subprocess.Popen(
            [sys.executable, str(TOOL), "work", str(self.sweep.folder), launch, str(index)],
            env=os.environ | {"OMP_NUM_THREADS": slot["OMP_NUM_THREADS"]} | gpus,
            start_new_session=True,
        )
        self.running[process] = index, slot
        if self.told:  # the signal came while the process was being made
            process.terminate()

    def _reap(self) -> list[dict[str, str]]:
        """The slots of workers that ended; a run that was told to stop, but not by us, goes on."""
        free = []
        for process in [p for p in self.running if p.poll() is not None]:
            index, slot = self.running.pop(process)
            free.append(slot)
            if process.returncode == REQUEUE and not self.told:
                self.queue.append(index)
        return free
