"""Saving and restoring a run, at regular times and when it is told to stop."""

import signal
import time
from pathlib import Path
from types import FrameType

import torch
from mmengine.hooks import Hook

from openmix import belongs
from openmix.errors import ConfigError, Diverged, Interrupted
from openmix.runner import checkpoint, distributed

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
AGREE_EVERY = 20
"""Steps between two agreements of a distributed run on saving and stopping."""


class Resume(Hook):
    """Save at most every ``seconds``, and at the next step when a signal asks the run to stop.

    Handlers only set a flag: a checkpoint written inside one could meet half a step.
    """

    priority = "LOWEST"  # and the last of all: what other hooks do at this step is to be saved

    def __init__(self, folder: Path, seconds: float):
        self.folder, self.seconds = folder, seconds
        self.received = 0
        self.saved_at = time.monotonic()

    def before_train(self, runner) -> None:
        self.saved_at = time.monotonic()
        self.alone = distributed.world() == 1
        self.handlers = {number: signal.signal(number, self._receive) for number in SIGNALS}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received:
            raise KeyboardInterrupt
        self.received = number

    def close(self) -> None:
        """Give the signals back."""
        for number, handler in getattr(self, "handlers", {}).items():
            signal.signal(number, handler)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        loop = runner.train_loop
        due, stop = time.monotonic() - self.saved_at >= self.seconds, bool(self.received)
        if self.alone:
            if not (due or stop) or loop.iter % loop.accumulate:
                return
        elif loop.iter % (AGREE_EVERY * loop.accumulate):
            return
        due, stop = distributed.any_rank([due and distributed.rank() == 0, stop])
        if due or stop:
            self.save(runner)
        if stop:
            raise Interrupted(self.received or signal.SIGTERM)

    def save(self, runner) -> None:
        """Write a checkpoint. Raises Diverged if the state is not finite, OSError if it cannot."""
        state = capture(runner)
        if distributed.rank() == 0:
            try:
                checkpoint.save(self.folder, runner.train_loop.step, state)
            except OSError as error:
                raise OSError(
                    f"cannot write the checkpoint in {self.folder}: {error.strerror}; free some "
                    "space and start again, the last checkpoint is intact"
                ) from error
        self.saved_at = time.monotonic()


def capture(runner) -> dict:
    """All that the rest of the run depends on. Collective in a distributed run.

    Raises Diverged where something of it is not finite.
    """
    runner.watch.read(runner)
    loop, wrapper = runner.train_loop, runner.optim_wrapper
    state = {
        "identity": runner.identity,
        "traces": runner.traces,
        "world_size": distributed.world(),
        "position": {"epoch": loop.epoch, "iter": loop.iter},
        "learner": runner.learner.state_dict(),
        "optimizer": wrapper.optimizer.state_dict(),
        "scaler": wrapper.scaler.state_dict(),
        "ema": None if runner.ema is None else runner.ema.module.state_dict(),
        "history": runner.history,
        "spent": {
            "seconds": runner.seconds(),
            "test_seconds": runner.test_seconds,
            "restarts": runner.restarts,
        },
    }
    if not _finite(state):
        raise Diverged(
            f"weights are no longer finite at step {loop.step} with mixup={runner.watch.mixup}; "
            "lower optimizer.lr, or set runner.clip_grad"
        )
    # Losses, batch statistics and a mixer's memory differ between processes; weights do not.
    local = {
        "watch": runner.watch.state(),
        "buffers": dict(runner.learner.named_buffers()),
        "hooks": runner.memory.state(),
        "stop": loop.stop_training,
    }
    state["local"] = distributed.gather(local)
    return state


def restore(runner, state: dict) -> None:
    """Put ``runner`` where :func:`capture` left it."""
    if state["identity"] != runner.identity:
        raise ConfigError(f"the checkpoint is of run {state['identity']}, not {runner.identity}")
    belongs.refuse(state["traces"], runner.traces, "since the run was interrupted")
    if state["world_size"] != distributed.world():
        raise ConfigError(
            f"the run was begun with {state['world_size']} processes and cannot go on with "
            f"{distributed.world()}; start as many, or begin anew with force=true"
        )
    loop, wrapper = runner.train_loop, runner.optim_wrapper
    loop.epoch, loop.iter = state["position"]["epoch"], state["position"]["iter"]
    runner.learner.load_state_dict(state["learner"])
    local, buffers = state["local"][distributed.rank()], dict(runner.learner.named_buffers())
    with torch.no_grad():
        for name, value in local["buffers"].items():
            buffers[name].copy_(value)
    runner.watch.restore(local["watch"])
    runner.memory.restore(local.get("hooks"))
    loop.stop_training = local.get("stop", False)
    wrapper.optimizer.load_state_dict(state["optimizer"])
    wrapper.scaler.load_state_dict(state["scaler"])
    if runner.ema is not None:
        runner.ema.module.load_state_dict(state["ema"])
    runner.history[:] = state["history"]
    runner.seconds_before = state["spent"]["seconds"]
    runner.test_seconds = state["spent"]["test_seconds"]
    runner.restarts = state["spent"]["restarts"] + 1


def _finite(state: dict) -> bool:
    """Whether every floating-point tensor of weights, optimizer and average is finite."""
    tensors = [
        leaf
        for part in ("learner", "optimizer", "ema")
        for leaf in torch.utils._pytree.tree_leaves(state[part])
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and leaf.numel()
    ]
    norms = torch._foreach_norm(tensors)
    device = norms[0].device
    return bool(torch.stack([n.float().to(device) for n in norms]).isfinite().all())
