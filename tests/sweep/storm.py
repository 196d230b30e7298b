"""A storm: runs of a sweep are killed at random instants, and its launcher too, until all are done.

    python tests/sweep/storm.py FOLDER [RUNS KILLS]

Then every run must have ended with the weights of a run that nobody disturbed, in one record, and
every file must be readable. Prints a line at the end; raises AssertionError at the first fault.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN = (
    "+exp=digits_noisy",
    "dataset.train_limit=640",
    "epochs=16",
    "runner.checkpoint_seconds=0.05",
)
METHODS = ("none", "cutmix", "fmix", "manifoldmix")
EARLY, LATE = 3.0, 1.0
"""A doomed process dies within EARLY seconds of its start, or within LATE of its first step."""


class Storm:
    def __init__(self, folder: Path, runs: int, kills: int, jobs: int = 2, seed: int = 0):
        self.folder, self.kills, self.chance = folder, kills, random.Random(seed)
        methods = METHODS[: max(1, runs // 3)]
        assert runs % len(methods) == 0, f"{runs} runs do not divide among {len(methods)} methods"
        self.grid = (*RUN, f"mixup={','.join(methods)}", f"seed=range(0,{runs // len(methods)})")
        self.jobs = jobs
        self.env = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        self.deaths: Counter[str] = Counter()
        self.doom: dict[int, float | None] = {}
        self.runs = folder / "sweeps/storm/runs"

    def tool(self, name: str, *words: str) -> subprocess.CompletedProcess:
        command = [sys.executable, str(ROOT / "tools" / f"{name}.py"), *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done

    def rage(self) -> None:
        """Kill until the number is full or all is done, launching what is left; then finish."""
        self.launch()
        pools = {self.kills // 3, 2 * self.kills // 3}  # the launcher itself dies at these counts
        while self.deaths["run"] < self.kills:
            time.sleep(0.02)
            self.strike()
            if self.deaths["run"] in pools:
                pools.discard(self.deaths["run"])
                self.deaths["launcher"] += self.kill(self.processes("pool"))
                self.launch()
            if not self.processes("pool") and not self.launch():
                break
        while self.launch():
            self.tool("sweep", "wait", "storm")

    def launch(self) -> bool:
        """Start what is left; whether there was anything."""
        words = () if self.deaths or self.doom else (*self.grid, f"launcher.jobs={self.jobs}")
        told = self.tool("sweep", "launch", "storm", *words)
        assert not told.returncode, told.stderr
        return "nothing to start" not in told.stdout or "running" in told.stdout

    def strike(self) -> None:
        for pid, index in self.processes("run").items():
            now, began = time.monotonic(), (self.runs / index / "report.json").exists()
            if pid not in self.doom:
                early = self.chance.random() < 0.3
                self.doom[pid] = now + self.chance.uniform(0, EARLY) if early else None
            if self.doom[pid] is None and began:
                self.doom[pid] = now + self.chance.uniform(0, LATE)
            if (self.doom[pid] or now) < now and self.deaths["run"] < self.kills:
                self.deaths["run"] += self.kill([pid])
                self.doom[pid] = float("inf")

    def kill(self, pids: Iterable[int]) -> int:
        count = 0
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                count += 1
            except ProcessLookupError:
                continue
        return count

    def processes(self, verb: str) -> dict[int, str]:
        """Processes of this sweep and the folders of their runs.

        ``run`` trains, ``work`` looks after it, ``pool`` over all.
        """
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if words[2:3] == [verb] and words[3].startswith(str(self.folder)):
                found[int(entry.name)] = words[4].zfill(5)
        return found

    def judge(self) -> str:
        """Compare with runs that nobody disturbed."""
        places = [f"paths.{name}={self.folder / 'calm' / name}" for name in ("records", "runs")]
        self.tool("train", "--multirun", *self.grid, *places)
        calm = self.read(self.folder / "calm/records")
        found = self.read(self.folder / "results/records")
        assert found.keys() == calm.keys(), found.keys() ^ calm.keys()
        for name, record in found.items():
            for part in ("hashes", "history", "metrics"):
                assert record[part] == calm[name][part], f"{name}: another {part}"
        for file in self.folder.rglob("*.json"):
            json.loads(file.read_bytes())
        restarts = sum(record["restarts"] for record in found.values())
        assert restarts, "no run was ever resumed"
        told = self.tool("sweep", "status", "storm").stdout.strip().splitlines()[-1]
        assert told == f"storm: {len(calm)} runs: {len(calm)} done", told
        return (
            f"{len(calm)} runs, {self.deaths['run']} killed, {self.deaths['launcher']} times the "
            f"launcher, {restarts} times resumed: all as if undisturbed"
        )

    @staticmethod
    def read(folder: Path) -> dict[str, dict]:
        files = list(folder.rglob("*.json"))
        assert len({file.name for file in files}) == len(files), "a record twice"
        return {file.name: json.loads(file.read_bytes()) for file in files}


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    runs, kills = map(int, numbers or (40, 200))
    storm = Storm(Path(place).resolve(), runs, kills)
    storm.folder.mkdir(parents=True)
    storm.rage()
    print(storm.judge())
    assert storm.deaths["run"] == kills, f"all was done after {storm.deaths['run']} kills"
