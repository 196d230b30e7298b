"""Sweeps on a real SLURM, which the tests start on this machine."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from openmix.sweep.manifest import Sweep

UP = Path(__file__).with_name("slurm_up.sh")
SLURM = ("launcher=slurm", "launcher.gres=null", "launcher.cpus=2", "launcher.partition=main")
WANTED = ("slurmctld", "slurmd", "munged", "sbatch")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, WANTED)),
        reason="needs root and: apt-get install slurm-wlm munge",
    ),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    state = tmp_path_factory.mktemp("slurm")
    port = 20_000 + 3 * (os.getpid() % 4_000)
    subprocess.run([UP, state], check=True, timeout=60, env=os.environ | {"PORT": str(port)})
    yield {"SLURM_CONF": str(state / "slurm.conf")}
    subprocess.run([UP, "-d", state], check=True, timeout=60)


@pytest.fixture
def slurm(sweep, cluster):
    """The bench of sweeps, on a cluster whose queue is empty again afterwards."""
    sweep.env = sweep.env | cluster | {"OPENMIX_SWEEPS": "my sweeps"}
    yield sweep
    subprocess.run(["scancel", "--user=root"], env=sweep.env, check=True, timeout=60)
    sweep.until(lambda: not queue(sweep))


def queue(sweep) -> list[str]:
    words = ["squeue", "--noheader", "--array", "--format=%i %T"]
    done = subprocess.run(words, env=sweep.env, capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


def states(sweep) -> dict[str, int]:
    """The counts of the summary line, ``{"done": 3, "running": 1}``."""
    counts = sweep.summary().partition(" runs: ")[2].partition(" (")[0].split(", ")
    return {name: int(count) for count, name in (each.split() for each in counts)}


def training(sweep, but: set[int] = frozenset()) -> dict[int, int]:
    """Runs that have made a step, and their processes."""
    found = {}
    for pid in sweep.processes("run"):
        index = sweep.run_of(pid)
        if index not in but and (sweep.at("a") / f"runs/{index:05d}/report.json").exists():
            found[index] = pid
    return found


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; whether the process was there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def told(pid: int) -> bool:
    """Whether SIGTERM waits for a stopped process, or SLURM had it go on and it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return True
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (signal.SIGTERM - 1) & 1 for mask in masks)


def test_twelve_runs_through_everything_a_cluster_does_to_them(slurm):
    grid = (*slurm.tiny, "epochs=6", "mixup=none,cutmix", "seed=range(0,6)")
    limit = ("launcher.time=00:02:00", "launcher.warn_seconds=30")
    assert "#SBATCH --array=0-11%256" in slurm("plan", "a", *grid, *SLURM, *limit)
    shown = slurm("launch", "a", *grid, *SLURM, *limit)
    assert "12 runs in 12 tasks" in shown and "the leaderboard, when all have ended" in shown
    assert states(slurm).keys() <= {"submitted", "running"}
    assert "nothing to start" in slurm("launch", "a")
    sweep = Sweep.open(slurm.at("a"))

    # One run raises: its record cannot be put in place.
    raises = 11
    sweep.record(raises).mkdir(parents=True)
    # One is killed from outside.
    killed, pid = slurm.until(lambda: next(iter(training(slurm).items()), None))
    os.kill(pid, signal.SIGKILL)
    slurm.until(lambda: states(slurm).get("failed"))
    # Whatever runs then is pushed off its nodes by a partition of higher priority.
    pushed = slurm.until(lambda: {  # stopped, so that none is done before
        index: pid for index, pid in training(slurm, {killed, raises}).items()
        if send(pid, signal.SIGSTOP)
    })  # fmt: skip
    wall = ["sbatch", "--partition=high", "--nodes=2", "--exclusive", "--wrap=sleep 2"]
    subprocess.run(wall, cwd=slurm.folder, env=slurm.env, check=True, capture_output=True)
    for pid in pushed.values():
        slurm.until(lambda: told(pid))  # noqa: B023
        send(pid, signal.SIGCONT)
    slurm.until(lambda: not set(pushed.values()) & set(slurm.processes("run")))
    assert slurm.statuses()[min(pushed)]["state"] in ("preempted", "running")
    # One meets its time limit: it stands still until SLURM has sent the warning.
    others = {killed, raises, *pushed}
    late, pid = slurm.until(lambda: next(iter(training(slurm, others).items()), None))
    os.kill(pid, signal.SIGSTOP)
    slurm.until(lambda: told(pid), 150)  # two minutes
    send(pid, signal.SIGCONT)

    shown = slurm("wait", "a", code=1)
    assert shown.strip().splitlines()[-1] == "a: 12 runs: 10 done, 2 failed (1 code, 1 killed)"
    assert "ended by SIGKILL" in shown and "Is a directory" in shown
    assert [s["index"] for s in slurm.statuses() if s["state"] == "failed"] == sorted(
        [killed, raises]
    )
    records = slurm.records()
    interrupted = {late, *pushed} - {raises}
    # SLURM's own patience may end before a slow machine has saved; that run begins anew.
    assert any(records[f"{sweep.identity(index)}.json"]["restarts"] for index in interrupted)
    for index in interrupted:
        identity = sweep.identity(index)
        record = records[f"{identity}.json"]
        assert slurm.statuses()[index]["attempt"] >= 2
        calm = [f"paths.{name}={slurm.folder / 'calm' / name}" for name in ("runs", "records")]
        slurm.call(*identity.overrides, *calm, tool="train")
        assert slurm.records("calm/records")[f"{identity}.json"]["hashes"] == record["hashes"]

    # The leaderboard is rendered by itself; only the failed runs are started again.
    slurm.until(lambda: not queue(slurm))
    assert (slurm.at("a") / "leaderboard/leaderboard.html").exists()
    sweep.record(raises).rmdir()
    assert "2 runs in 2 tasks" in slurm("retry", "a")
    assert slurm("wait", "a").splitlines()[-1] == "a: 12 runs: 12 done"
    assert len(slurm.records()) == 12


def test_packed_runs_are_cancelled_and_go_on(slurm):
    grid = (*slurm.tiny, "epochs=40", "seed=range(0,3)")
    told = slurm("launch", "a", *grid, *SLURM, "launcher.cpus=1", "launcher.runs_per_task=2")
    assert "3 runs in 2 tasks" in told
    slurm.until(lambda: len(training(slurm)) >= 2)
    assert "told to stop" in slurm("cancel", "a")
    shown = slurm("wait", "a")
    assert "stopped: cancelled" in shown and "preempted" in shown
    slurm.until(lambda: not queue(slurm))
    assert not slurm.processes("work")
    assert "3 runs in 2 tasks" in slurm("launch", "a")
    assert slurm("wait", "a").splitlines()[-1] == "a: 3 runs: 3 done"
    assert max(record["restarts"] for record in slurm.records().values()) >= 1


def test_a_run_over_two_nodes(slurm):
    run = (*slurm.tiny, "epochs=100", "seed=0", "launcher.nodes=2", "launcher.leaderboard=false")
    slurm("launch", "a", *run, "runner.checkpoint_seconds=3600", *SLURM)  # saves only if told to
    log = slurm.at("a") / "runs/00000/log.txt"
    slurm.until(lambda: log.exists() and "epoch" in log.read_text())
    slurm("cancel", "a")
    assert slurm("wait", "a").splitlines()[-1] == "a: 1 runs: 1 preempted"
    slurm.until(lambda: not queue(slurm))
    slurm("launch", "a")
    assert slurm("wait", "a").splitlines()[-1] == "a: 1 runs: 1 done"
    [record] = slurm.records().values()
    assert record["cost"]["world_size"] == 2 and record["restarts"] == 1


def test_status_without_a_controller(slurm):
    state = Path(slurm.env["SLURM_CONF"]).parent
    controller = int((state / "slurmctld.pid").read_text())
    slurm("launch", "a", *slurm.tiny, "epochs=300", "seed=0", *SLURM, "launcher.leaderboard=false")
    os.kill(controller, signal.SIGSTOP)
    try:
        shown = slurm("status", "a")
        refused = slurm("launch", "a", code=1)
    finally:
        os.kill(controller, signal.SIGCONT)
    assert "slurm does not answer; this is what the files say" in shown
    assert shown.splitlines()[-1] in ("a: 1 runs: 1 submitted", "a: 1 runs: 1 running")
    assert "slurm does not answer" in refused
