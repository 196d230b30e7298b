"""A run that is stopped at any step and started again ends as if it had never been stopped."""

import errno
import os
from types import SimpleNamespace

import pytest
import torch

from openmix.config import names
from openmix.errors import ConfigError, Interrupted
from openmix.runner import checkpoint, keep
from openmix.runner.run import run

VARIANTS = [(mixup,) for mixup in names("mixup")]
VARIANTS += [
    ("cutmix", "runner.ema=0.9"),
    ("fmix", "runner.amp=bf16"),
    ("mixup", "runner.accumulate=2"),
    ("manifoldmix", "runner.accumulate=2", "runner.ema=0.9", "runner.amp=bf16"),
    (
        "resizemix",
        "optimizer=adamw",
        "optimizer.lr=1e-3",
        "optimizer.weight_decay=0.05",
        "runner.clip_grad=0.5",
        "dataset.val_fraction=0.2",
    ),
    ("none", "runner.eval_every=2", "loss=bce", "loss.smoothing=0.1"),
    ("cutmix", "runner.amp=fp16", "backbone.dropout=0.3", "runner.channels_last=true"),
]


def last_state(identity) -> dict:
    state = checkpoint.newest(identity.folder)
    return {name: state[name] for name in ("learner", "optimizer", "ema", "history", "scaler")}


def assert_same(one, other, where=""):
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name in one:
            assert_same(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}.{i}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other, where


def random_steps(count: int, name: str, many: int = 3) -> list[int]:
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    return (torch.randperm(count - 1, generator=generator)[:many] + 1).tolist()


@pytest.mark.parametrize("variant", VARIANTS, ids=" ".join)
def test_stopped_run_ends_equal(variant, identity, at_pass, backbone_for):
    mixup, *options = variant
    options = [f"mixup={mixup}", "runner.keep=checkpoint", *backbone_for(mixup), *options]
    straight, stopped = identity(*options, at="straight"), identity(*options, at="stopped")
    record = run(straight)

    passes = straight.config["runner"]["accumulate"]
    steps = random_steps(record["cost"]["steps"], " ".join(variant))
    at_pass({step * passes for step in steps})
    for _ in steps:
        with pytest.raises(Interrupted):
            run(stopped)
    resumed = run(stopped)

    assert resumed["restarts"] == 3
    assert_same(last_state(straight), last_state(stopped))
    assert record["hashes"] == resumed["hashes"]
    assert record["history"] == resumed["history"]
    assert record["metrics"] == resumed["metrics"]
    assert len(record["history"]) == 3 and "top1" in record["history"][-1]


@pytest.mark.parametrize("workers", [0, 2])
def test_stopped_run_on_an_image_folder_ends_equal(workers, identity, at_pass, image_folder):
    options = [
        "dataset=imagefolder",
        f"dataset.source.root={image_folder}",
        "dataset.num_classes=3",
        "dataset.size=16",
        "augment=imagenet",
        "augment.train.0.size=16",
        "augment.test.0.size=18",
        "augment.test.1.size=16",
        "mixup=cutmix",
        f"runner.workers={workers}",
        "runner.keep=checkpoint",
        "dataset.train_limit=null",
        "batch_size=8",
    ]
    straight, stopped = identity(*options, at="straight"), identity(*options, at="stopped")
    record = run(straight)
    at_pass({2, 5})
    for _ in range(2):
        with pytest.raises(Interrupted):
            run(stopped)
    assert run(stopped)["hashes"] == record["hashes"]
    assert_same(last_state(straight), last_state(stopped))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_damaged_checkpoint_falls_back(damage, identity, at_pass):
    options = ("mixup=cutmix", "runner.checkpoint_seconds=0")
    reference = run(identity(*options, at="straight"))

    broken = identity(*options, at="broken")
    at_pass({9})
    with pytest.raises(Interrupted):
        run(broken)
    before, newest = sorted(broken.folder.glob("*.ckpt"))
    assert (before.name, newest.name) == ("step-000000008.ckpt", "step-000000009.ckpt")
    content = newest.read_bytes()
    middle = len(content) // 2
    newest.write_bytes(
        {
            "truncated": content[:middle],
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "empty": b"",
            "foreign": b"PK" + bytes(100),
        }[damage]
    )
    with pytest.warns(UserWarning, match=r"step-000000009.ckpt .* falling back"):
        record = run(broken)
    assert record["hashes"] == reference["hashes"]
    assert record["history"] == reference["history"]


def test_finished_run_leaves_weights_only(identity):
    done = identity("mixup=mixup")
    record = run(done)
    assert not list(done.folder.glob("*.ckpt"))
    assert (done.folder / "model.safetensors").stat().st_size > 10_000
    assert done.done() == record


def test_a_full_disk_at_the_end_loses_nothing(identity, monkeypatch):
    ended = identity("runner.checkpoint_seconds=0")

    def full(target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, pytest.raises(OSError, match="the same command goes on"):
        patched.setattr(keep, "atomic", SimpleNamespace(replacing=full))
        run(ended)
    assert ended.done() is None and not ended.records.exists()
    record = run(ended)
    assert record["restarts"] == 1 and record["cost"]["steps"] == 15


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [("world_size", 4, "begun with 4 processes"), ("identity", "other-s0", "of run other-s0")],
)
def test_checkpoint_of_something_else_is_refused(part, value, message, identity, at_pass):
    stopped = identity()
    at_pass({4})
    with pytest.raises(Interrupted):
        run(stopped)
    [file] = stopped.folder.glob("*.ckpt")
    checkpoint.save(stopped.folder, 5, checkpoint.read(file) | {part: value})
    with pytest.raises(ConfigError, match=message):
        run(stopped)


def test_checkpoint_reading_executes_nothing(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    path = checkpoint.save(tmp_path, 1, {"evil": Evil()})
    with pytest.raises(Exception, match=r"[Ww]eights"):
        checkpoint.read(path)
    assert not (tmp_path / "written").exists()
