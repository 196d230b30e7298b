"""A sweep's command line in a folder of its own, with runs of a second or two."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    "+exp=digits_noisy",
    "dataset.train_limit=300",
    "epochs=2",
    "runner.checkpoint_seconds=0.05",
)


class Bench:
    """``sweep("launch", "a", ...)``: one call of ``tools/sweep.py`` in ``folder``."""

    tiny = TINY

    def __init__(self, folder: Path):
        self.folder = folder
        self.env = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

    def call(self, *words: str, tool: str = "sweep", **options) -> subprocess.CompletedProcess:
        command = [sys.executable, str(ROOT / "tools" / f"{tool}.py"), *words]
        options = {"cwd": self.folder, "env": self.env, "timeout": 300} | options
        return subprocess.run(command, capture_output=True, text=True, **options)

    def __call__(self, *words: str, code: int = 0, **options) -> str:
        """The output; the exit code must be ``code``, the error output of a failure is appended."""
        done = self.call(*words, **options)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + (done.stderr if code else "")

    def at(self, name: str) -> Path:
        return self.folder / self.env.get("OPENMIX_SWEEPS", "sweeps") / name

    def statuses(self, name: str = "a") -> list[dict]:
        """What the status files say, each with the ``index`` of its run."""
        files = sorted((self.at(name) / "runs").glob("*/status.json"))
        return [{**json.loads(f.read_text()), "index": int(f.parent.name)} for f in files]

    def records(self, at: str = "results/records") -> dict[str, dict]:
        """Records by the name of their file; each must be readable and there once."""
        files = [f for f in (self.folder / at).rglob("*.json") if f.is_file()]
        assert len({file.name for file in files}) == len(files)
        return {file.name: json.loads(file.read_text()) for file in files}

    def summary(self, name: str = "a") -> str:
        return self.call("status", name).stdout.strip().splitlines()[-1]

    def until(self, condition, seconds: float = 120):
        """Wait until ``condition()`` holds and return what it gave."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, "nothing happened"
            time.sleep(0.05)
        return found

    def run_of(self, pid: int) -> int | None:
        """The run that a process trains."""
        try:
            return int(Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[-2])
        except (OSError, ValueError, IndexError):
            return None

    def processes(self, verb: str) -> list[int]:
        """Processes of this bench: ``run`` trains, ``work`` looks after it, ``pool`` over all."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if verb in words and words[words.index(verb) + 1].startswith(str(self.folder)):
                found.append(int(entry.name))
        return found


@pytest.fixture
def sweep(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    for verb in ("pool", "work", "run"):
        for pid in bench.processes(verb):
            os.kill(pid, signal.SIGKILL)
