"""A hook of one's own is kept over a resume, or refused before the run."""

import mmengine.hooks
import pytest
import torch
from mmengine.hooks import Hook

from openmix.errors import ConfigError, Interrupted
from openmix.runner import own_hooks
from openmix.runner.own_hooks import FORGETFUL, INSTEAD, Memory
from openmix.runner.run import run

EARLY = "{_target_: mmengine.hooks.EarlyStoppingHook, monitor: top1, min_delta: 100, patience: 4}"


def test_every_hook_of_mmengine_is_known():
    kinds = {getattr(mmengine.hooks, name) for name in mmengine.hooks.__all__}
    known = {*INSTEAD, *FORGETFUL, mmengine.hooks.EarlyStoppingHook, Hook}
    assert {kind for kind in kinds if not issubclass(kind, FORGETFUL)} <= known


@pytest.mark.parametrize("kind", [kind.__name__ for kind in INSTEAD if kind.__name__[0] != "P"])
def test_a_hook_that_does_what_openmix_does_is_refused_with_what_to_use(kind, identity):
    given = {"ParamSchedulerHook": "", "EMAHook": ", ema_type: ExponentialMovingAverage"}
    wrong = identity(f"runner.hooks=[{{_target_: mmengine.hooks.{kind}{given.get(kind, '')}}}]")
    with pytest.raises(ConfigError, match=rf"runner.hooks.0 \({kind}\) cannot be used .*leave it"):
        own_hooks.build(wrong.config["runner"]["hooks"])


def test_a_hook_that_cannot_be_built_says_why():
    node = {"_target_": "mmengine.hooks.EarlyStoppingHook", "monitor": "speed"}
    with pytest.raises(ConfigError, match=r"runner.hooks.0 .* ValueError: Cannot infer the rule"):
        own_hooks.build([node])


@pytest.mark.parametrize("stops", [{7}, {5, 10, 21}, {24}], ids=str)
def test_early_stopping_that_is_interrupted_stops_at_the_same_epoch(stops, identity, at_pass):
    options = ("epochs=10", f"runner.hooks=[{EARLY}]")
    straight = run(identity(*options, at="straight"))
    assert len(straight["history"]) == 5
    at_pass(stops)
    for _ in stops:
        with pytest.raises(Interrupted):
            run(identity(*options))
    resumed = run(identity(*options))
    assert resumed["history"] == straight["history"] and resumed["hashes"] == straight["hashes"]


def test_an_early_stop_is_kept_by_the_last_checkpoint(identity):
    stopped = identity("epochs=10", "runner.keep=checkpoint", f"runner.hooks=[{EARLY}]")
    first = run(stopped)
    [record] = stopped.records.rglob("*.json")
    record.unlink()
    assert run(stopped)["history"] == first["history"]


class Counts(Hook):
    """Numbers of the epoch and of the run, in attributes."""

    priority = "LOWEST"

    def before_train(self, runner):
        self.runner, self.total, self.sums = runner, 0, {"seen": []}

    def before_train_epoch(self, runner):
        self.epoch = 0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.total += 1
        self.epoch += 1
        self.sums["seen"].append(torch.tensor(batch_idx))


class Words(Counts):
    """The same in an object of its own, told by state_dict."""

    def before_train(self, runner):
        super().before_train(runner)
        self.strange = {1, 2}

    def state_dict(self):
        return {"total": self.total, "epoch": self.epoch, "seen": sorted(self.strange)}

    def load_state_dict(self, state):
        self.total, self.epoch = state["total"], state["epoch"]
        self.strange = {*state["seen"], 3}


@pytest.mark.parametrize("kind", [Counts, Words])
def test_what_a_hook_has_counted_is_kept(kind, identity, at_pass, monkeypatch):
    hooks = []
    monkeypatch.setattr(own_hooks, "build", lambda nodes: [hooks.append(kind()) or hooks[-1]])
    at_pass({3, 7})
    for _ in range(2):
        with pytest.raises(Interrupted):
            run(identity())
    run(identity())
    assert [(hook.total, hook.epoch) for hook in hooks] == [(3, 3), (7, 2), (15, 5)]
    if kind is Counts:
        assert [int(i) for i in hooks[-1].sums["seen"]] == [*range(5)] * 3
    else:
        assert hooks[-1].strange == {1, 2, 3}


class Forgets(Hook):
    def before_train(self, runner):
        self.seen = {"names": [{1}]}


def test_a_hook_that_would_forget_is_refused_before_the_first_step(identity, at_pass, monkeypatch):
    monkeypatch.setattr(own_hooks, "build", lambda nodes: [Forgets()])
    at_pass({1}, lambda runner: pytest.fail("a step was taken"))
    refused = identity()
    with pytest.raises(
        ConfigError, match=r"Forgets of runner.hooks would forget its seen .* a set"
    ):
        run(refused)
    assert not refused.records.exists()


def test_a_checkpoint_without_hooks_is_refused_where_there_are_some():
    Memory([]).restore(None)
    with pytest.raises(ConfigError, match="force=true"):
        Memory([Counts()]).restore(None)
