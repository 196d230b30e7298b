"""A run that is stopped at any step and started again ends as if it had never been stopped."""

import signal

import pytest
import torch
from mmengine.hooks import Hook

from openmix.config import names
from openmix.errors import Interrupted
from openmix.runner import build, checkpoint
from openmix.runner.run import run

VIT = ("backbone=vit_tiny", "backbone.depth=2", "backbone.patch_size=2", "batch_size=10")
VARIANTS = [(mixup,) for mixup in names("mixup")]
VARIANTS += [
    ("cutmix", "runner.ema=0.9"),
    ("fmix", "runner.amp=bf16"),
    ("mixup", "runner.accumulate=2"),
    ("manifoldmix", "runner.accumulate=2", "runner.ema=0.9", "runner.amp=bf16"),
    ("resizemix", "optimizer=adamw", "optimizer.lr=1e-3", "optimizer.weight_decay=0.05", "runner.clip_grad=0.5", "dataset.val_fraction=0.2"),
    ("none", "runner.eval_every=2", "loss=bce", "loss.smoothing=0.1"),
    ("cutmix", "runner.amp=fp16", "backbone.dropout=0.3"),
]


class StopAt(Hook):
    """Send the process the signal that a scheduler sends, after the given passes."""

    priority = "HIGHEST"

    def __init__(self, passes: set[int]):
        self.passes = passes

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.train_loop.iter in self.passes:
            self.passes.discard(runner.train_loop.iter)
            signal.raise_signal(signal.SIGTERM)


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


def run_with_stops(identity, monkeypatch, passes: set[int]) -> dict:
    """Run to the end through a stop after each of ``passes``."""
    stop = StopAt(set(passes))
    original = build.Runner.register_custom_hooks
    monkeypatch.setattr(
        build.Runner,
        "register_custom_hooks",
        lambda self, hooks: original(self, [stop, *hooks]),
    )
    for _ in passes:
        with pytest.raises(Interrupted):
            run(identity)
    record = run(identity)
    monkeypatch.undo()
    assert not stop.passes
    return record


@pytest.mark.parametrize("variant", VARIANTS, ids=" ".join)
def test_stopped_run_ends_equal(variant, identity, monkeypatch):
    mixup, *options = variant
    options = [f"mixup={mixup}", "runner.keep=checkpoint", *options]
    if mixup == "transmix":
        options += VIT
    straight, stopped = identity(*options, at="straight"), identity(*options, at="stopped")
    record = run(straight)

    loop_passes = record["cost"]["steps"] * straight.config["runner"]["accumulate"]
    step = straight.config["runner"]["accumulate"]
    generator = torch.Generator().manual_seed(len(" ".join(variant)))
    steps = torch.randperm(loop_passes // step - 1, generator=generator)[:3] + 1
    resumed = run_with_stops(stopped, monkeypatch, {step * int(s) for s in steps})

    assert resumed["restarts"] == 3
    assert_same(last_state(straight), last_state(stopped))
    assert record["hashes"] == resumed["hashes"]
    assert record["history"] == resumed["history"]
    assert record["metrics"] == resumed["metrics"]
    assert len(record["history"]) == 3 and "top1" in record["history"][-1]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_damaged_checkpoint_falls_back(damage, identity, monkeypatch):
    options = ("mixup=cutmix", "runner.checkpoint_seconds=0")
    reference = run(identity(*options, at="straight"))

    broken = identity(*options, at="broken")
    stop = StopAt({9})
    original = build.Runner.register_custom_hooks
    monkeypatch.setattr(
        build.Runner, "register_custom_hooks", lambda self, hooks: original(self, [stop, *hooks])
    )
    with pytest.raises(Interrupted):
        run(broken)
    monkeypatch.undo()
    before, newest = sorted(broken.folder.glob("*.ckpt"))
    assert (before.name, newest.name) == ("step-000000008.ckpt", "step-000000009.ckpt")
    content = bytearray(newest.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "empty":
        content = bytearray()
    else:
        content = bytearray(b"PK" + bytes(100))
    newest.write_bytes(content)

    with pytest.warns(UserWarning, match="step-000000009.ckpt .* falling back"):
        record = run(broken)
    assert record["hashes"] == reference["hashes"]
    assert record["history"] == reference["history"]


def test_finished_run_leaves_weights_only(identity):
    done = identity("mixup=mixup")
    record = run(done)
    assert not list(done.folder.glob("*.ckpt"))
    assert (done.folder / "model.safetensors").stat().st_size > 10_000
    assert done.done() == record


def test_another_world_size_is_refused(identity, monkeypatch):
    from openmix.errors import ConfigError
    from openmix.runner import resume

    torn = identity()
    monkeypatch.setattr(
        resume.distributed, "world", lambda: 1
    )
    stop = StopAt({4})
    original = build.Runner.register_custom_hooks
    monkeypatch.setattr(
        build.Runner, "register_custom_hooks", lambda self, hooks: original(self, [stop, *hooks])
    )
    with pytest.raises(Interrupted):
        run(torn)
    [file] = torn.folder.glob("*.ckpt")
    state = checkpoint.read(file)
    checkpoint.save(torn.folder, 5, state | {"world_size": 4})
    with pytest.raises(ConfigError, match="begun with 4 processes"):
        run(torn)
