"""Sweeps on this machine, by the command line and with real runs."""

import os
import resource
import signal
import time

import pytest

from openmix import lock

TWO = ("seed=0,1", "launcher.jobs=2")
pytestmark = pytest.mark.slow


def live(sweep) -> bool:
    return any(status["state"] == "running" for status in sweep.statuses())


def slow(sweep) -> tuple[str, ...]:
    """Runs that last long enough to be met under way."""
    return tuple("epochs=300" if word == "epochs=2" else word for word in sweep.tiny)


def test_a_sweep_from_plan_to_leaderboard(sweep):
    grid = (*sweep.tiny, "mixup=none,cutmix,transmix", "seed=0,1")
    planned = sweep("plan", "a", *grid)
    assert "6 runs, 0 done, 4 to do" in planned and "2 unsupported: transmix needs" in planned
    assert "time unknown for 4 of 4 runs" in planned
    assert not list(sweep.folder.iterdir())

    began = time.monotonic()
    assert "4 runs in process" in sweep("launch", "a", *grid, "launcher.jobs=2")
    assert time.monotonic() - began < 30 and not sweep.records().keys() & {"none"}
    assert "nothing to start" in sweep("launch", "a", *grid)
    assert "nothing to start" in sweep("launch", "a")
    done = sweep("wait", "a")
    assert done.splitlines()[-1] == "a: 6 runs: 4 done, 2 unsupported"
    states = [(s["state"], s["attempt"]) for s in sweep.statuses()]
    assert states == [("done", 1)] * 4 + [("unsupported", 0)] * 2
    assert "median10" in sweep("logs", "a", "1")

    # The same runs under another name are done already; what they took is known.
    again = sweep("plan", "b", *grid)
    assert "6 runs, 4 done, 0 to do" in again
    assert "nothing to start" in sweep("launch", "b", *grid)
    more = sweep("plan", "c", *sweep.tiny, "mixup=none,cutmix", "seed=0,5")
    assert "4 runs, 2 done, 2 to do" in more and "of training, by earlier records" in more
    assert "unknown" not in more

    # The leaderboard is of this sweep, not of all that lies in the records.
    sweep.call("seed=9", *sweep.tiny, tool="train")
    board = sweep("collect", "a")
    assert "none" in board and "cutmix" in board
    runs = (sweep.folder / "sweeps/a/leaderboard/runs.csv").read_text()
    assert runs.count("\n") == 1 + 4 + 2


def test_runs_are_told_apart_by_why_they_failed(sweep):
    grid = (*sweep.tiny, "mixup=mixup", "optimizer.lr=0.1,1e18", "dataset.train_limit=300,20")
    sweep("launch", "a", *grid, "launcher.jobs=2")
    shown = sweep("wait", "a", code=1)
    assert shown.strip().splitlines()[-1] == "a: 4 runs: 1 done, 3 failed (2 config, 1 nan)"
    assert "lower optimizer.lr" in shown and "batch_size=32 is more than the 20" in shown
    # Only what is asked for is started again.
    assert "nothing to start" in sweep("launch", "a")
    assert "1 runs in process" in sweep("retry", "a", "reason=nan")
    sweep("wait", "a", code=1)
    assert [s["attempt"] for s in sweep.statuses()] == [1, 2, 1, 1]
    assert "'reason=bad' is not reason" in sweep("retry", "a", "reason=bad", code=2)


def test_fail_fast_stops_a_sweep_whose_runs_fail_alike(sweep):
    grid = (*sweep.tiny, "optimizer.lr=1e18", "seed=range(0,6)")
    sweep("launch", "a", *grid, "launcher.jobs=1", "fail_fast=2")
    shown = sweep("wait", "a", code=1)
    assert "stopped: 2 runs failed alike (nan: " in shown
    assert shown.strip().splitlines()[-1] == "a: 6 runs: 2 failed, 4 planned (2 nan)"


def test_cancel_saves_and_launch_goes_on(sweep):
    sweep("launch", "a", *slow(sweep), "seed=0,1,2", "launcher.jobs=2")
    sweep.until(lambda: len([s for s in sweep.statuses() if s["epoch"]]) == 2)
    assert "told process" in sweep("cancel", "a")
    shown = sweep("wait", "a").splitlines()
    assert shown[-2:] == ["stopped: cancelled", "a: 3 runs: 2 preempted, 1 planned"]
    assert not sweep.processes("run") and not sweep.processes("pool")
    assert len(list(sweep.folder.rglob("step-*.ckpt"))) >= 2
    assert "3 runs in process" in sweep("launch", "a")
    sweep.until(lambda: [s["attempt"] for s in sweep.statuses()][:2] == [2, 2])
    sweep("cancel", "a")


def test_a_run_told_to_stop_by_another_goes_on_by_itself(sweep):
    sweep("launch", "a", *sweep.tiny, "epochs=30", "seed=0")
    sweep.until(lambda: list(sweep.folder.rglob("step-*.ckpt")))
    os.kill(sweep.processes("run")[0], signal.SIGTERM)
    assert sweep("wait", "a").splitlines()[-1] == "a: 1 runs: 1 done"
    [record] = sweep.records().values()
    assert record["restarts"] == 1 and sweep.statuses()[0]["attempt"] == 2


def test_a_dead_pool_is_taken_over(sweep):
    """Workers outlive the pool and are not started twice; a dead worker ends its run."""
    sweep("launch", "a", *slow(sweep), "seed=0,1,2", "launcher.jobs=2")
    sweep.until(lambda: len([s for s in sweep.statuses() if s["epochs"]]) == 2)
    [pool] = sweep.processes("pool")
    os.kill(pool, signal.SIGKILL)
    assert sweep.summary() == "a: 3 runs: 2 running, 1 planned"
    assert "1 runs in process" in sweep("launch", "a")
    sweep.until(lambda: len(sweep.processes("run")) == 3)
    worker = next(s["pid"] for s in sweep.statuses())
    os.kill(worker, signal.SIGKILL)
    sweep.until(lambda: len(sweep.processes("run")) == 2)  # it saved itself
    sweep.until(lambda: "1 stale" in sweep.summary())
    assert "1 runs" in sweep("launch", "a")
    sweep.until(lambda: [s["attempt"] for s in sweep.statuses()] == [2, 1, 1])
    sweep("cancel", "a")
    assert sweep("wait", "a").splitlines()[-1] == "a: 3 runs: 3 preempted"


def test_two_launchers_at_once(sweep):
    """Both of one sweep, and two sweeps that share their runs."""
    sweep("launch", "a", *slow(sweep), *TWO)
    [pool] = sweep.processes("pool")
    again = sweep.call("pool", str(sweep.folder / "sweeps/a"), "0")
    assert again.returncode == 2 and f"this sweep is under way in process {pool}" in again.stderr
    with lock.held(sweep.folder / "sweeps/a/launch.lock", "x"):
        assert "a launch of a is under way in process" in sweep("launch", "a", code=2)
    sweep.until(lambda: len(list(sweep.folder.rglob("step-*.ckpt"))) >= 2)
    sweep("launch", "b", *slow(sweep), *TWO)
    shown = sweep("wait", "b")
    assert shown.strip().splitlines()[-1] == "b: 2 runs: 2 elsewhere"
    assert "under way in process" in shown
    assert len(sweep.processes("run")) == 2
    sweep("cancel", "a")


def test_strange_names_reach_the_run_unharmed(sweep):
    odd = "a 'b' \"c\" ../../up; touch HARM $(touch HARM) `touch HARM` & | > HARM \\ *"
    quoted = '"' + odd.replace('"', '\\"') + '"'
    word = f"protocol={quoted}"
    sweep("launch", "a", *sweep.tiny, word, "seed=0")
    sweep("wait", "a")
    [record] = sweep.records().values()
    assert record["protocol"] == odd and word in record["overrides"]
    assert not list(sweep.folder.rglob("HARM"))
    assert {p.name for p in sweep.folder.iterdir()} == {"sweeps", "runs", "results"}


def test_results_that_cannot_be_written_are_told_at_once(sweep):
    (sweep.folder / "results").write_text("in the way")
    told = sweep("launch", "a", *sweep.tiny, "seed=0", code=2)
    assert told.startswith("error: cannot write in ") and "results/records: Not a directory" in told
    assert not sweep.processes("pool") and not (sweep.folder / "sweeps/a/manifest.json").exists()


def test_results_that_become_read_only_lose_nothing(sweep):
    sweep("launch", "a", *sweep.tiny, "epochs=60", "seed=0")
    sweep.until(lambda: list(sweep.folder.rglob("step-*.ckpt")))
    place = sweep.folder / "results"
    place.write_text("in the way")  # no folder of results is made before there is one
    shown = sweep("wait", "a", code=1)
    assert "1 failed (1 disk)" in shown and "Not a directory" in shown
    place.unlink()
    sweep("retry", "a")
    assert sweep("wait", "a").splitlines()[-1] == "a: 1 runs: 1 done"
    [record] = sweep.records().values()
    assert record["restarts"] == 1


def test_a_full_disk_fails_the_run_alone(sweep):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    sweep("launch", "a", *sweep.tiny, "seed=0", preexec_fn=limit)
    shown = sweep("wait", "a", code=1)
    assert "1 failed (1 disk)" in shown and "cannot write the checkpoint" in shown
    assert not list(sweep.folder.rglob("*.tmp"))
    assert "1 runs in process" in sweep("retry", "a", "reason=disk")
    assert sweep("wait", "a").splitlines()[-1] == "a: 1 runs: 1 done"
