"""What a step does, and what it does not: no half state, no surprise."""

import functools
import os

import pytest
import torch
from torch import nn

from openmix.errors import ConfigError, Diverged
from openmix.runner import build, checkpoint, loggers, optimize
from openmix.runner.hooks import Watch
from openmix.runner.run import run


def test_losses_are_read_at_the_log_interval(identity, monkeypatch):
    reads, read = [], Watch.read

    def spy(self, runner):
        reads.extend([runner.train_loop.iter] if self.pending else [])
        read(self, runner)

    monkeypatch.setattr(Watch, "read", spy)
    run(identity("runner.log_every=2", "epochs=2"))
    assert reads == [2, 4, 5, 7, 9, 10]


def test_diverged_loss_names_step_method_and_weight(identity):
    broken = identity("mixup=mixup", "optimizer.lr=1e18", "runner.checkpoint_seconds=0")
    with pytest.raises(Diverged, match=r"at step \d+ with mixup=mixup"):
        run(broken)
    for file in broken.folder.glob("*.ckpt"):
        tensors = torch.utils._pytree.tree_leaves(checkpoint.read(file))
        assert all(t.isfinite().all() for t in tensors if isinstance(t, torch.Tensor))


def test_diverged_weights_are_not_saved_although_the_loss_is_finite(identity, at_pass):
    def poison(runner):
        with torch.no_grad():
            next(runner.learner.net.parameters()).view(-1)[0] = torch.inf
        runner.watch.pending.clear()

    at_pass({7}, poison)
    broken = identity("runner.checkpoint_seconds=0")
    with pytest.raises(Diverged, match="weights are no longer finite at step 7"):
        run(broken)
    assert max(file.name for file in broken.folder.glob("*.ckpt")) == "step-000000006.ckpt"


def test_same_seed_same_run_another_seed_another(identity):
    hashes = [
        run(identity(f"seed={s}", at=at))["hashes"] for s, at in ((0, "a"), (0, "b"), (1, "c"))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_initial_weights_do_not_depend_on_the_mixup(identity):
    configs = [identity(f"mixup={mixup}").config for mixup in ("none", "fmix", "deit")]
    nets = [build.build_networks(config)[0] for config in configs]
    assert len({checkpoint.digest(net.state_dict()) for net in nets}) == 1


def test_accumulated_step_equals_one_large_batch():
    """Without batch statistics, two half batches make the gradient of the whole."""
    weights = []
    for passes in (1, 2):
        torch.manual_seed(0)
        net = nn.Linear(4, 3)
        images, labels = torch.randn(8, 4), torch.arange(8) % 3
        wrapper = optimize.build(
            net,
            functools.partial(torch.optim.SGD, lr=0.1),
            True,
            device=torch.device("cpu"),
            accumulate=passes,
        )
        for x, y in zip(images.chunk(passes), labels.chunk(passes), strict=True):
            with wrapper.optim_context(net):
                loss = nn.functional.cross_entropy(net(x), y)
            wrapper.update_params(loss)
        weights.append(net.weight.detach())
    assert torch.allclose(*weights, atol=1e-7)


def test_weight_decay_spares_norms_biases_and_what_the_network_names():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
            self.net.token = nn.Parameter(torch.zeros(1, 1, 2))
            self.net.no_weight_decay = lambda: {"token"}

    decayed, free = optimize.parameter_groups(Net(), 0.05, decay_all=False)
    assert decayed["weight_decay"] == 0.05 and free["weight_decay"] == 0
    assert sorted(p.ndim for p in decayed["params"]) == [2, 4]
    assert sorted(p.ndim for p in free["params"]) == [1, 1, 1, 1, 3]
    [everything] = optimize.parameter_groups(Net(), 0.05, decay_all=True)
    assert len(everything["params"]) == 7


def test_averaged_weights_are_what_is_tested_and_kept(identity, at_pass):
    seen = {}
    at_pass({15}, lambda runner: seen.update(runner=runner))
    record = run(identity("runner.ema=0.5"))
    from safetensors.torch import load_file

    kept = load_file(seen["runner"].folder / "model.safetensors")
    averaged = seen["runner"].ema.module.state_dict()
    assert all(torch.equal(kept[name], averaged[name]) for name in averaged)
    assert record["hashes"]["ema"] == checkpoint.digest(averaged) != record["hashes"]["weights"]


def test_early_stopping_hook_of_mmengine_stops_the_run(identity):
    hook = (
        "{_target_: mmengine.hooks.EarlyStoppingHook, monitor: top1, min_delta: 100, patience: 2}"
    )
    record = run(identity("epochs=10", f"runner.hooks=[{hook}]"))
    assert record["status"] == "done" and len(record["history"]) == 3


@pytest.mark.slow
def test_compiled_backbone_trains(identity):
    record = run(identity("runner.compile=true", "mixup=mixup", "epochs=1"))
    assert record["status"] == "done"


def test_deterministic_run(identity):
    try:
        record = run(identity("runner.deterministic=true"))
    finally:
        torch.use_deterministic_algorithms(False)
    assert record["status"] == "done"


def test_curves_go_to_tensorboard(identity):
    done = identity("logger=tensorboard")
    run(done)
    [events] = done.folder.rglob("events.out.tfevents*")
    assert events.stat().st_size > 500


def test_curves_go_to_wandb_offline(identity, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    done = identity("logger=wandb")
    run(done)
    assert list(done.folder.rglob("offline-run-*/run-*.wandb"))


@pytest.fixture
def wandb_words(identity, monkeypatch):
    """``wandb_words("logger.mode=online", WANDB_MODE="offline")``: what wandb.init is given."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)

    def given(*words, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        logged = identity("logger=wandb", *words)
        found = loggers.backends(logged.config["logger"], logged)
        return found[0]["init_kwargs"] if found else None

    return given


def test_wandbs_own_variables_are_obeyed(wandb_words):
    assert wandb_words(WANDB_MODE="dryrun")["mode"] == "dryrun"
    assert wandb_words("logger.mode=online")["mode"] == "online"
    assert wandb_words(WANDB_MODE="disabled") is None
    assert wandb_words("logger.mode=offline")["mode"] == "offline"
    with pytest.raises(ConfigError, match="WANDB_MODE=of is none of online, offline"):
        wandb_words(WANDB_MODE="of")
    names = {"project": "PROJECT", "name": "NAME", "id": "RUN_ID", "dir": "DIR", "resume": "RESUME"}
    usual = wandb_words(WANDB_MODE="")
    told = wandb_words(**{f"WANDB_{name}": name for name in names.values()})
    assert {key: told[key] for key in names} == names
    assert all(usual[key] != name for key, name in names.items()) and usual["project"] == "openmix"
    assert wandb_words("logger.project=mine")["project"] == "mine"


def test_wandb_is_online_where_a_key_is(identity, monkeypatch):
    logged = identity("logger=wandb")
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    [backend] = loggers.backends(logged.config["logger"], logged)
    assert backend["init_kwargs"]["mode"] == "online"
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setattr(loggers.netrc, "netrc", lambda: (_ for _ in ()).throw(FileNotFoundError))
    [backend] = loggers.backends(logged.config["logger"], logged)
    assert backend["init_kwargs"]["mode"] == "offline"
