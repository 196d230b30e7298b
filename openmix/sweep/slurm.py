"""Launch on SLURM: arrays of jobs from one template, sized to what the cluster takes."""

import getpass
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import jinja2

from openmix import atomic
from openmix.sweep.launcher import Held, LaunchError, launches, note
from openmix.sweep.manifest import TOOL, Sweep
from openmix.sweep.settings import Slurm

TEMPLATE = Path(__file__).with_name("job.sh.j2")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]

ANSWER_SECONDS = 60
"""How long a command of SLURM may take."""

QUEUE_SECONDS = 10
"""How long `squeue` may take: `status` does without."""

WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}

JOB_ID = re.compile(r"^\s*(?:(\d+)(?:;\S*)?|Submitted batch job (\d+).*)\s*$", re.M)
"""The line in which `sbatch --parsable` answers, or a wrapper that knows no such option."""

Tasks = list[list[int]]


class Unclear(LaunchError):
    """A job may have been submitted or not."""


@dataclass(frozen=True)
class Limits:
    """What the cluster takes: tasks of one array, and jobs that may still be added."""

    array: int
    jobs: int


@dataclass(frozen=True)
class SlurmLauncher:
    """Arrays of `sbatch` whose tasks are workers. Needs no sacct, and nothing that stays alive."""

    settings: Slurm

    def preview(self, sweep: Sweep, runs: Sequence[int]) -> str:
        if not runs:
            return "no job to submit"
        arrays = divide(runs, self.settings.runs_per_task, limits(self.settings))
        tasks = [task for array in arrays for task in array]
        told = (
            f"{len(runs)} runs in {len(tasks)} tasks of up to {len(tasks[0])}, {len(arrays)} arrays"
        )
        return f"{told}:\n\n{self._script(sweep, 0, 0, arrays[0])}"

    def start(self, sweep: Sweep, runs: Sequence[int], number: int) -> list[str]:
        [account] = [each for each in launches(sweep, number) if each["number"] == number]
        (sweep.folder / "slurm").mkdir(exist_ok=True)
        lines = []
        try:
            arrays = divide(runs, self.settings.runs_per_task, limits(self.settings))
            for part, tasks in enumerate(arrays):
                job = self._submit(sweep, number, part, tasks)
                account["jobs"].append({"id": job, "tasks": tasks})
                note(sweep, account)
                held = sum(map(len, tasks))
                lines.append(f"array {job}: {held} runs in {len(tasks)} tasks")
        except LaunchError as error:
            undo = _undo(account["jobs"], sweep.name if isinstance(error, Unclear) else "")
            raise LaunchError(f"{error}; {undo}") from None
        if self.settings.leaderboard:
            jobs = [job["id"] for job in account["jobs"]]
            try:
                job = self._submit(sweep, number, len(jobs), [], after=jobs)
                account["jobs"].append({"id": job, "tasks": []})
                note(sweep, account)
                lines.append(f"job {job}: the leaderboard, when all have ended")
            except LaunchError as error:
                perhaps = "perhaps " if isinstance(error, Unclear) else ""
                lines.append(f"{perhaps}no leaderboard at the end: {error}")
        return lines

    def held(self, sweep: Sweep) -> dict[int, Held] | None:
        jobs = {job["id"]: (each["number"], job["tasks"])
                for each in launches(sweep) for job in each["jobs"]}  # fmt: skip
        try:
            queue = squeue()
        except LaunchError:
            return None
        found = {}
        for name, state in queue.items():
            job, _, task = name.partition("_")
            if job in jobs and task:
                number, tasks = jobs[job]
                held = Held(name, number, begun=state not in WAITING)
                found |= dict.fromkeys(tasks[int(task)], held)
        return found

    def stop(self, sweep: Sweep) -> list[str]:
        jobs = {job["id"] for each in launches(sweep) for job in each["jobs"]}
        queue = {name: state for name, state in squeue().items() if name.partition("_")[0] in jobs}
        waiting = [name for name, state in queue.items() if state in WAITING]
        begun = [name for name in queue if name not in waiting]
        if waiting:
            command("scancel", *{name.partition("_")[0] for name in waiting}, "--state=PENDING")
        if begun:  # to the worker alone, which has its runs save themselves
            command("scancel", "--batch", "--signal=USR1", *begun)
        ends = {"taken back": waiting, "told to stop": begun}
        return [f"{len(names)} tasks {what}" for what, names in ends.items() if names]

    def _submit(
        self, sweep: Sweep, number: int, part: int, tasks: Tasks, after: Sequence[str] = ()
    ) -> str:
        """Hand one array over and return its id; without tasks the job of the leaderboard."""
        stem = sweep.folder / "launches" / f"{number:03d}-{part}"
        atomic.write(stem.with_suffix(".sh"), self._script(sweep, number, part, tasks))
        if tasks:
            lines = "".join(" ".join(map(str, task)) + "\n" for task in tasks)
            atomic.write(stem.with_suffix(".txt"), lines)
        log = "slurm/%A_%a.log" if tasks else "slurm/leaderboard-%j.log"
        later = [f"--dependency=afterany:{':'.join(after)}"] if after else []
        place = [f"--chdir={sweep.folder}", f"--output={log}"]
        words = ["sbatch", "--parsable", *place, *later, str(stem.with_suffix(".sh"))]
        answer = command(*words, doubt=Unclear)
        numbers = {found[1] or found[2] for found in JOB_ID.finditer(answer)}
        if len(numbers) != 1:  # a site may greet before or after
            raise Unclear(f"sbatch gave no job id but '{' '.join(answer.split())}'")
        return numbers.pop()

    def _script(self, sweep: Sweep, number: int, part: int, tasks: Tasks) -> str:
        template = jinja2.Template(
            TEMPLATE.read_text(encoding="utf-8"),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            undefined=jinja2.StrictUndefined,
        )
        s, quote = self.settings, shlex.quote
        return template.render(
            s=s,
            sweep=sweep.name,
            last=len(tasks) - 1,
            cpus=s.cpus * s.processes * s.runs_per_task,
            list=quote(str(sweep.folder / "launches" / f"{number:03d}-{part}.txt")),
            launch=number,
            python=quote(sys.executable),
            tool=quote(str(TOOL)),
            folder=quote(str(sweep.folder)),
        )


def divide(runs: Sequence[int], width: int, room: Limits) -> list[Tasks]:
    """Arrays of tasks, each run in one task: as many runs to a task as the limits make necessary.

    ``width`` runs of a task go side by side. Raises LaunchError where there is no room at all.
    """
    if room.array < 1 or room.jobs < 1:
        raise LaunchError(
            "SLURM takes no more jobs of yours now; launch again when some have ended"
        )
    rounds = ceil(ceil(len(runs) / width) / room.jobs)
    size = width * max(1, rounds)
    tasks = [list(runs[i : i + size]) for i in range(0, len(runs), size)]
    return [tasks[i : i + room.array] for i in range(0, len(tasks), room.array)]


def limits(settings: Slurm) -> Limits:
    """Ask the cluster what it takes now. Raises LaunchError if it does not answer."""
    found = re.findall(r"^\s*(\w+)\s*=\s*(\d+)\s*$", command("scontrol", "show", "config"), re.M)
    config = {name: int(number) for name, number in found}
    most = [config.get("MaxJobCount", 10_000), *_association_limits(settings)]
    room = min(most) - len(squeue()) - int(settings.leaderboard)
    # The array's highest index is one less than MaxArraySize.
    return Limits(array=config.get("MaxArraySize", 1001), jobs=room)


def _association_limits(settings: Slurm) -> list[int]:
    """Limits on submitted jobs of this user; none where the site keeps no accounts."""
    where = [f"user={getpass.getuser()}"]
    where += [f"account={settings.account}"] if settings.account else []
    asked = [("assoc", "where", *where, "format=MaxSubmitJobs")]
    if settings.qos:
        asked.append(("qos", "where", f"name={settings.qos}", "format=MaxSubmitJobsPerUser"))
    found = []
    for words in asked:
        try:
            answer = command("sacctmgr", "--noheader", "--parsable2", "show", *words)
        except LaunchError:
            continue
        found += map(int, re.findall(r"^\s*(\d+)\s*$", answer, re.M))
    return found


def squeue() -> dict[str, str]:
    """State of each of this user's jobs and tasks, ``{"123_4": "PENDING"}``."""
    answer = command(
        "squeue",
        "--noheader",
        "--array",
        f"--user={getpass.getuser()}",
        "--format=%i|%T",
        seconds=QUEUE_SECONDS,
    )
    return dict(re.findall(r"^\s*(\d[^|\s]*)\|([A-Z_]+)\s*$", answer, re.M))


def requeue(job: str) -> None:
    """Have the job that this process is in started again. SLURM ends this process meanwhile."""
    words = ["scontrol", "requeue", job]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"not requeued: {error}", file=sys.stderr)
        return
    if done.returncode not in (0, -signal.SIGTERM):  # it is ended with the job that it requeues
        print(f"not requeued: {done.stderr.strip()}", file=sys.stderr)


def signal_steps(job: str) -> None:
    """Send SIGTERM to what srun started in ``job``, not to the job. Raises LaunchError."""
    command("scancel", "--signal=TERM", job)


def srun_line(settings: Slurm, job: str) -> list[str]:
    """What starts a run on all nodes of the job: srun, and on each node torchrun."""
    number = int(re.sub(r"\D", "", job) or 0)
    return [
        "srun",
        f"--nodes={settings.nodes}",
        "--ntasks-per-node=1",
        "--kill-on-bad-exit=1",
        *TORCHRUN,
        f"--nnodes={settings.nodes}",
        f"--nproc_per_node={settings.processes}",
        "--rdzv_backend=c10d",
        f"--rdzv_id={number}",
        f"--rdzv_endpoint={socket.gethostname()}:{20_000 + number % 20_000}",
    ]


def command(
    *words: str, seconds: float = ANSWER_SECONDS, doubt: type[LaunchError] = LaunchError
) -> str:
    """The output of a command of SLURM. Raises LaunchError with the line it complained in.

    ``doubt`` is raised in its place where the command may have done its work all the same.
    """
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=seconds
        )
    except FileNotFoundError:
        raise LaunchError(f"there is no {words[0]} here; this is no machine of a cluster") from None
    except OSError as error:
        raise LaunchError(f"{words[0]} cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise doubt(f"{words[0]} gave no answer in {seconds:g} s") from None
    if done.returncode:
        told = done.stderr.strip().splitlines() or done.stdout.strip().splitlines()
        errors = [line for line in told if "error" in line.lower()] or told or [done.returncode]
        kind = doubt if JOB_ID.search(done.stdout) else LaunchError
        raise kind(f"{words[0]} refused: {errors[-1]}")
    return done.stdout


def _undo(jobs: Sequence[dict], unclear: str = "") -> str:
    """What was submitted before something went wrong, and how to take it back.

    ``unclear`` names the sweep where it is not known whether the last job was.
    """
    names = " ".join(job["id"] for job in jobs)
    told = f"submitted before that: {names}; to take them back: scancel {names}" if jobs else ""
    if unclear:
        doubt = f"it may have been submitted, see squeue --name=openmix-{unclear} and scancel it"
        return f"{doubt}; {told}" if told else doubt
    return told or "nothing was submitted"
