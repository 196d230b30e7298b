"""Two processes on the CPU: one model, two streams of mixing, and a resume equal on both."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed as dist
from torch import nn

from openmix import errors
from openmix.errors import ConfigError, DataError, Elsewhere, Interrupted
from openmix.runner import build, distributed

ROOT = Path(__file__).resolve().parents[2]
RUN = ("+exp=digits", "mixup=mixup", "epochs=2", "dataset.train_limit=800", "runner.device=cpu")


def torchrun(script: Path, *arguments: str, path: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2",
         str(script), *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{path}"},
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


@pytest.fixture
def as_rank(monkeypatch):
    """``as_rank(1, error)``: how process 1 of a run ends when it meets ``error``."""
    store, kept = dist.HashStore(), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist.distributed_c10d, "_get_default_store", lambda: store)

    def end(rank: int, error: Exception) -> Exception:
        monkeypatch.setattr(dist, "get_rank", lambda: rank)
        with pytest.raises(Exception) as caught, distributed.one_failure():
            raise error
        return caught.value

    yield end
    signal.signal(signal.SIGTERM, kept)


def test_the_process_that_fails_first_speaks_and_the_others_end_by_its_error(as_rank):
    damaged = DataError("a/003.png cannot be decoded")
    assert as_rank(1, damaged) is damaged and damaged.speaker == 1
    other = as_rank(0, RuntimeError("Connection closed by peer"))
    assert type(other) is DataError and str(other) == str(damaged) and other.speaker == 1
    assert as_rank(1, damaged) is damaged  # asked once more, further out


def test_an_error_of_no_kind_of_ours_keeps_its_line(as_rank):
    as_rank(1, MemoryError("out of memory"))
    other = as_rank(0, RuntimeError("Connection closed by peer"))
    assert type(other) is Elsewhere and str(other).startswith("MemoryError: out of memory (")
    assert not hasattr(errors, "MemoryError")


def test_an_interruption_is_no_failure(as_rank):
    assert not hasattr(as_rank(1, Interrupted(signal.SIGTERM)), "speaker")
    assert as_rank(0, ValueError("own")).speaker == 0


@pytest.mark.slow
def test_what_the_second_process_meets_is_told_and_recorded(tmp_path):
    (tmp_path / "lab_hooks.py").write_text(
        "import os\nfrom mmengine.hooks import Hook\n\n\nclass Fails(Hook):\n"
        "    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):\n"
        "        if os.environ['RANK'] == '1' and runner.train_loop.iter == 7:\n"
        "            raise RuntimeError('no memory left')\n"
    )
    paths = [f"paths.{name}={tmp_path / name}" for name in ("runs", "records")]
    hook = ("allow_targets=[lab_hooks.]", "runner.hooks=[{_target_: lab_hooks.Fails}]")
    done = torchrun(ROOT / "tools" / "train.py", *RUN, *paths, *hook, path=tmp_path)
    assert done.returncode, done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: RuntimeError: no memory left (")
    [file] = (tmp_path / "records").rglob("*.json")
    record = json.loads(file.read_text())
    assert record["status"] == "failed" and f"error: {record['reason']}" == line
