"""One attempt at a run: its process, its lock, and what is written about it."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from openmix import lock
from openmix.command import CTRL_C, REQUEUE
from openmix.errors import Busy
from openmix.sweep import stop
from openmix.sweep.launcher import LaunchError
from openmix.sweep.manifest import TOOL, Sweep
from openmix.sweep.reasons import reason_of_death
from openmix.sweep.settings import Local, Slurm
from openmix.sweep.slurm import TORCHRUN, signal_steps, srun_line
from openmix.sweep.status import BEAT_SECONDS, Status, write
from openmix.sweep.status import read as read_status

POLL_SECONDS = 0.1
GRACE_SECONDS = 30
"""How long a run that lost its worker may take to save itself."""

TAIL = 5
"""Lines of its log that stand in the status of a failed run."""

PR_SET_PDEATHSIG = 1


class Attempt:
    """One run in the hands of this worker."""

    def __init__(self, sweep: Sweep, index: int, launch: int, settings: Local | Slurm):
        self.sweep, self.index, self.settings = sweep, index, settings
        self.folder = sweep.run(index)
        self.before = read_status(self.folder)
        self.status = Status("running", attempt=self.before.attempt + 1, launch=launch, job=job())
        self.process: subprocess.Popen | None = None
        self.lock = ExitStack()

    def begin(self) -> bool:
        """Start the run's process; False where there is nothing to do for it here."""
        if self.before.state == "failed" and self.before.launch == self.status.launch:
            return False  # this job was requeued for its other runs
        try:
            self.lock.enter_context(lock.held(self.folder / "lock", f"run {self.index}"))
        except Busy as error:
            print(error, file=sys.stderr)
            return False
        if self.sweep.done(self.index):
            self._end("done")
        elif by := self._other():
            self._end("elsewhere", message=f"under way in {by}")
        else:
            self._start()
        return self.process is not None

    def _other(self) -> str | None:
        """Who else trains this run; one that a lost worker left behind is waited for."""
        identity = self.sweep.identity(self.index)
        file = Path(self.sweep.manifest["cwd"], identity.folder, "lock")
        patience = time.monotonic() + (GRACE_SECONDS if self.before.state == "running" else 0)
        while (by := lock.holder(file)) and time.monotonic() < patience:
            time.sleep(POLL_SECONDS)
        return by

    def _start(self) -> None:
        (self.folder / "report.json").unlink(missing_ok=True)
        command = [*launch_line(self.settings), str(TOOL), "run"]
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, str(self.sweep.folder), str(self.index)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        self._write()

    def tell(self) -> None:
        """Tell the run to save itself and end."""
        if self.settings.over_nodes:
            # srun ends its processes by SIGKILL when it is told to end itself.
            with suppress(LaunchError):
                return signal_steps(job())
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)

    def watch(self, told: int) -> None:
        """Say how the run stands: that it goes on, or how it ended.

        ``told`` is the signal for which it was told to end, if it was.
        """
        if self.process.poll() is not None:
            self._settle(told)
            if self.status.state == "failed":
                stop.if_alike(self.sweep, self.status, self.settings)
        elif time.monotonic() - self.beat > BEAT_SECONDS:
            self._write()

    def _settle(self, told: int) -> None:
        report = self._report()
        ended = report.get("ended", {})
        code = ended.get("code", self.process.returncode)
        reason, message = ended.get("reason", "code"), ended.get("message", f"exit code {code}")
        if code == 0 and self.sweep.done(self.index):
            self._end("done")
        elif code in (REQUEUE, CTRL_C) or (not ended and (told or code == -signal.SIGTERM)):
            self._interrupted(told, report)
        elif reason in ("busy", "unsupported"):
            self._end("elsewhere" if reason == "busy" else reason, message=message)
        elif not ended and code < 0:
            self._end("failed", *reason_of_death(-code, "\n".join(self._tail())))
        else:
            self._end("failed", reason, "ended without a record" if code == 0 else message)

    def _interrupted(self, told: int, report: dict[str, Any]) -> None:
        """It saved itself. A run that no time limit lets get any further has failed."""
        limit = told == signal.SIGUSR1 and not stop.reason(self.sweep)
        stuck = report.get("began_at") == self.before.began_at
        if limit and stuck and self.before.reason == "limit":
            remedy = "raise launcher.time, or lower runner.checkpoint_seconds"
            self._end("failed", "timeout", f"two time limits without a step saved; {remedy}")
        else:
            self._end("preempted", "limit" if limit else "", "goes on from where it was saved")

    def _end(self, state: str, reason: str = "", message: str = "") -> None:
        self.process = None
        log = self._tail() if state == "failed" else []
        self.status = replace(self.status, state=state, reason=reason, message=message, log=log)
        self._write()
        self.lock.close()

    def _write(self) -> None:
        self.beat, known = time.monotonic(), self._report()
        names = ("epoch", "epochs", "seconds_left", "began_at")
        self.status = replace(self.status, **{n: known[n] for n in names if n in known})
        try:
            write(self.folder, self.status)
        except OSError as error:  # the run itself may have room where the sweep has none
            print(f"status of run {self.index} not written: {error}", file=sys.stderr)

    def _report(self) -> dict[str, Any]:
        try:
            return json.loads((self.folder / "report.json").read_bytes())
        except (OSError, ValueError):
            return {}

    def _tail(self) -> list[str]:
        return tail(self.folder / "log.txt", TAIL)


def tail(file: Path, lines: int) -> list[str]:
    """The last lines of a log that say something."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 20_000))
            text = log.read().decode(errors="replace")
    except OSError:
        return []
    return [line[:300] for line in text.splitlines() if line.strip()][-lines:]


def launch_line(settings: Local | Slurm) -> list[str]:
    """What stands before the script of a run: python, or torchrun for several processes."""
    if settings.over_nodes:
        return srun_line(settings, job())
    if settings.processes == 1:
        return [sys.executable]
    return [*TORCHRUN, "--standalone", f"--nproc_per_node={settings.processes}"]


def job() -> str:
    """The scheduler's name for what this process runs in; empty outside of one."""
    array, task = (os.environ.get(f"SLURM_ARRAY_{part}_ID") for part in ("JOB", "TASK"))
    return f"{array}_{task}" if array else os.environ.get("SLURM_JOB_ID", "")


def _end_with_parent() -> None:
    """In the new process: have the system send SIGTERM when the worker is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
