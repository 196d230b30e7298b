"""What carries a sweep out: the interface, and the account of what was started."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from openmix import atomic
from openmix.sweep.manifest import Sweep
from openmix.sweep.settings import Local, Slurm, read


class Held(NamedTuple):
    """A run that a launcher still answers for: in which job, of which launch, whether it began."""

    job: str
    launch: int
    begun: bool


class Launcher(Protocol):
    """A launcher starts ``tools/sweep.py work SWEEP RUN...`` somewhere and knows what became of it.

    It keeps nothing in memory between calls: what it must remember stands in the sweep's folder.
    """

    def preview(self, sweep: Sweep, runs: Sequence[int]) -> str:
        """What :meth:`start` would do, for a person to read."""

    def start(self, sweep: Sweep, runs: Sequence[int], number: int) -> list[str]:
        """Start ``runs`` as launch ``number``, which is noted already, and return at once.

        Returns one line for each thing started.

        Raises LaunchError if not all could be started; what was started stays.
        """

    def held(self, sweep: Sweep) -> dict[int, Held] | None:
        """The runs that wait or run here; None if the scheduler does not answer."""

    def stop(self, sweep: Sweep) -> list[str]:
        """Take back what waits and tell what runs to save itself; a line for each."""


class LaunchError(RuntimeError):
    """Not all could be started; the message says what was, and how to take it back."""


def of(settings: Local | Slurm) -> Launcher:
    """The launcher of these settings."""
    if settings.kind == "local":
        from openmix.sweep.local import LocalLauncher

        return LocalLauncher(settings)
    from openmix.sweep.slurm import SlurmLauncher

    return SlurmLauncher(settings)


def launches(sweep: Sweep, first: int = 0) -> list[dict[str, Any]]:
    """What was launched, oldest first: ``{"number", "time", "launcher", "runs", "jobs"}``."""
    files = sorted((sweep.folder / "launches").glob("[0-9]*.json"), key=lambda file: int(file.stem))
    return [json.loads(file.read_bytes()) for file in files if int(file.stem) >= first]


def note(sweep: Sweep, launch: dict[str, Any]) -> None:
    """Write the account of a launch."""
    file = sweep.folder / "launches" / f"{launch['number']:03d}.json"
    atomic.write(file, json.dumps(launch))


def held(sweep: Sweep) -> tuple[dict[int, Held], list[str]]:
    """The runs that any launcher answers for, and which schedulers were silent.

    A silent one is taken to hold all that it was given.
    """
    found: dict[int, Held] = {}
    silent = []
    used = {launch["launcher"]["kind"]: launch["launcher"] for launch in launches(sweep)}
    for kind, tree in used.items():
        answer = of(read(tree)).held(sweep)
        if answer is None:
            silent.append(kind)
            answer = {
                run: Held(job["id"], launch["number"], begun=True)
                for launch in launches(sweep)
                for job in launch["jobs"]
                for task in job["tasks"]
                for run in task
            }
        found |= answer
    return found, silent
