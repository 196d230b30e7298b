"""The real thing: processes that are killed, signalled, started twice, or find the disk full."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

RUN = ("+exp=digits_noisy", "epochs=12", "runner.checkpoint_seconds=0.05")


def wait_for(condition, process: subprocess.Popen, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.rglob("step-*.ckpt"))


def record_of(folder: Path) -> dict:
    [file] = (folder / "records").rglob("*.json")
    return json.loads(file.read_text())


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out


@pytest.mark.slow
@pytest.mark.parametrize("mixup", ["cutmix", "manifoldmix"])  # test_resume.py has them all
def test_killed_run_ends_equal(mixup, command, tmp_path):
    chance = random.Random(mixup)
    options = [*RUN, f"mixup={mixup}", "runner.ema=0.99"]
    finish(command(*options, at="straight"))
    for _ in range(2):
        seen = [file.name for file in checkpoints(tmp_path / "killed")]
        process = command(*options, at="killed")
        wait_for(
            lambda: [f.name for f in checkpoints(tmp_path / "killed")] != seen,  # noqa: B023
            process,
        )
        time.sleep(chance.uniform(0, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not list((tmp_path / "killed" / "records").rglob("*.json")), "killed too late"
    out = finish(command(*options, at="killed"))

    straight, killed = record_of(tmp_path / "straight"), record_of(tmp_path / "killed")
    assert killed["restarts"] == 2 and straight["restarts"] == 0
    for part in ("hashes", "history", "metrics", "key"):
        assert killed[part] == straight[part], part
    assert f"top1 {killed['metrics']['median10']['top1']:.4g}" in out
    # The same command once more neither trains nor changes anything.
    began = time.monotonic()
    assert finish(command(*options, at="killed")) == out
    assert time.monotonic() - began < 5
    assert record_of(tmp_path / "killed") == killed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)]
)
def test_signal_saves_and_asks_for_another_start(number, code, command, tmp_path):
    options = ("+exp=digits_noisy", "epochs=300", "runner.checkpoint_seconds=0.2")
    process = command(*options)
    wait_for(lambda: checkpoints(tmp_path), process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert err.strip().splitlines()[-1] == (
        f"error: stopped by {number.name}; the same command goes on"
    )
    assert 1 <= len(checkpoints(tmp_path)) <= 2
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_second_start_of_a_running_run_is_refused(command, tmp_path):
    options = ("+exp=digits_noisy", "epochs=300", "runner.checkpoint_seconds=0.2")
    first = command(*options)
    wait_for(lambda: checkpoints(tmp_path), first)
    second = command(*options)
    _, err = second.communicate(timeout=90)
    assert second.returncode == 2
    assert f"this run is under way in process {first.pid}" in err
    assert first.poll() is None


@pytest.mark.slow
def test_full_disk_is_told_and_loses_nothing(command, tmp_path):
    limit = "import resource, runpy, sys; sys.argv = sys.argv[1:]; "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
    limit += "runpy.run_path(sys.argv[0], run_name='__main__')"
    process = command(*RUN, launcher=("-c", limit))
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "error: cannot write the checkpoint" in err.strip().splitlines()[-1]
    record = record_of(tmp_path / "a")
    assert record["status"] == "failed" and "checkpoint" in record["reason"]
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_diverging_run_is_told_and_never_saved(command, tmp_path):
    options = ("+exp=digits", "mixup=mixup", "optimizer.lr=1e18", "runner.checkpoint_seconds=0")
    process = command(*options)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    last = err.strip().splitlines()[-1]
    assert "at step" in last and "mixup=mixup" in last and "optimizer.lr" in last
    assert "Traceback" not in err
    record = record_of(tmp_path / "a")
    assert record["status"] == "failed" and record["reason"] in last


@pytest.mark.slow
def test_grid_runs_every_point_but_unsupported_ones_which_write_nothing(command, tmp_path):
    process = command("--multirun", "+exp=digits", "epochs=1", "mixup=none,transmix", "seed=0,1")
    out = finish(process)
    assert out.count("top1") == 2
    records = [json.loads(f.read_text()) for f in (tmp_path / "a").rglob("records/**/*.json")]
    status = sorted((r["mixup"], r["seed"], r["status"]) for r in records)
    assert status == [("none", 0, "done"), ("none", 1, "done")]
    assert not list((tmp_path / "a").rglob("*transmix*"))
