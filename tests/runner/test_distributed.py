"""Two processes on the CPU: one model, two streams of mixing, and a resume equal on both."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from openmix.errors import ConfigError
from openmix.runner import build, distributed

ROOT = Path(__file__).resolve().parents[2]
RUN = ("+exp=digits", "mixup=mixup", "epochs=2", "dataset.train_limit=800", "runner.device=cpu")


def torchrun(script: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2",
         str(script), *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )  # fmt: skip


def ranks(folder: Path, stop_at: int, *options: str) -> list[dict]:
    """Run with two processes, through a stop if ``stop_at`` is not 0."""
    folder.mkdir()
    script = Path(__file__).with_name("two_processes.py")
    paths = [f"paths.{name}={folder / name}" for name in ("runs", "records")]
    done = torchrun(script, str(folder), str(stop_at), *RUN, *paths, *options)
    if stop_at:
        assert done.returncode, done.stderr
        assert not (folder / "rank0.json").exists()
        done = torchrun(script, str(folder), "0", *RUN, *paths, *options)
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"rank{r}.json").read_text()) for r in (0, 1)]


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path):
    one, other = ranks(tmp_path / "straight", 0)
    assert one["parameters"] == other["parameters"]
    assert one["history"] == other["history"]
    assert len(one["drawn"]) == len(other["drawn"]) == 50
    assert not set(one["drawn"]) & set(other["drawn"])

    [file] = (tmp_path / "straight" / "records").rglob("*.json")
    record = json.loads(file.read_text())
    assert record["cost"]["world_size"] == 2 and record["metrics"]["last"]["top1"] > 50

    # One process is told to stop between two agreements; both stop, at the same step.
    resumed, _ = ranks(tmp_path / "stopped", 13)
    assert resumed["hashes"] == one["hashes"] and resumed["history"] == one["history"]
    assert resumed["drawn"] == one["drawn"][-len(resumed["drawn"]) :]
    assert len(resumed["drawn"]) == 30


@pytest.mark.slow
def test_torchrun_of_the_command_line(tmp_path):
    paths = [f"paths.{name}={tmp_path / name}" for name in ("runs", "records")]
    options = ("runner.accumulate=2", "runner.ema=0.9", "dataset.train_limit=200")
    done = torchrun(ROOT / "tools" / "train.py", *RUN, *paths, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("top1") == 1
    [file] = (tmp_path / "records").rglob("*.json")
    assert json.loads(file.read_text())["status"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize("prob", [1.0, 0.5])
def test_two_processes_share_what_mixups_learn(prob, tmp_path):
    """Also where each decides for itself at which steps it mixes at all."""
    mixups = ["automix", "samix", "adautomix", "adamixup", "comixup", "sumix"]
    script = Path(__file__).with_name("two_learners.py")
    done = torchrun(script, str(tmp_path), str(prob), *mixups)
    assert done.returncode == 0, done.stderr
    one, other = (json.loads((tmp_path / f"rank{r}.json").read_text()) for r in (0, 1))
    assert list(one) == mixups
    for mixup in mixups:
        assert one[mixup]["trained"] == other[mixup]["trained"]
        assert one[mixup]["others"] == other[mixup]["others"] or prob < 1  # averages follow a mixup
        assert not one[mixup]["idle"]


def test_batch_that_does_not_divide_is_refused(identity, monkeypatch):

    monkeypatch.setattr(build.distributed, "world", lambda: 3)
    with pytest.raises(ConfigError, match="batch_size=20 does not divide"):
        build.build_data(identity().config, "cpu")


def test_average_of_buffers_alone_is_no_change():

    net = nn.BatchNorm1d(3)
    net.running_mean += 2
    distributed.average_buffers(net)
    assert net.running_mean.tolist() == [2, 2, 2]


def test_gpu_that_is_not_there_is_refused(monkeypatch):

    monkeypatch.setattr(distributed.torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigError, match=r"runner.device=cuda:0, but torch sees 0 GPUs"):
        distributed.start("cuda")


def test_batch_larger_than_the_data_is_refused(identity):

    with pytest.raises(ConfigError, match="batch_size=200 is more than the 100 training images"):
        build.build_data(identity("batch_size=200").config, "cpu")
