"""What happens around a step: learning rate, weight average, watching the loss, the history."""

import math
from collections.abc import Callable

import torch
from mmengine.hooks import Hook
from torch import Tensor

from openmix.errors import Diverged
from openmix.mixups.base import Mixer
from openmix.runner import distributed


class Schedule(Hook):
    """Set the learning rate of every parameter group before each step."""

    priority = "VERY_HIGH"

    def __init__(self, schedule: Callable[[float, int, int, int], float]):
        self.schedule = schedule

    def before_run(self, runner) -> None:
        # The optimizer as it was built: a checkpoint restores rates that are already scheduled.
        groups = runner.optim_wrapper.optimizer.param_groups
        self.base = [group["lr"] for group in groups]

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        loop = runner.train_loop
        if loop.iter % loop.accumulate:
            return
        for group, base in zip(runner.optim_wrapper.optimizer.param_groups, self.base, strict=True):
            group["lr"] = self.schedule(base, loop.step, loop.steps_per_epoch, loop.max_epochs)


class Average(Hook):
    """Move the averaged weights after each step."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.train_loop.iter % runner.train_loop.accumulate == 0:
            runner.ema.update(runner.learner.net)


class Watch(Hook):
    """Keep the losses on the device and read them together, every ``log_every`` passes.

    Reading is the only wait for the device in training. It finds the first loss that is not finite.
    """

    priority = "HIGH"

    def __init__(self, log_every: int, mixer: Mixer, mixup: str):
        self.log_every, self.mixer, self.mixup = log_every, mixer, mixup
        self.pending: list[tuple[int, dict[str, Tensor], float | Tensor | None]] = []
        self.sums: dict[str, float] = {}
        self.count = 0
        self.latest = math.nan

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.pending.append((runner.train_loop.step, outputs, self.mixer.lam))
        if len(self.pending) == self.log_every:
            self.read(runner)

    def read(self, runner) -> None:
        """Wait for the pending losses. Raises Diverged if one of them is not finite."""
        if not self.pending:
            return
        values = iter(torch.stack([v for _, out, _ in self.pending for v in out.values()]).tolist())
        for step, outputs, lam in self.pending:
            for name in outputs:
                value = next(values)
                if not math.isfinite(value):
                    raise Diverged(self._report(name, value, step, lam))
                self.sums[name] = self.sums.get(name, 0.0) + value
                self.latest = value if name == "loss" else self.latest
            self.count += 1
        self.pending.clear()
        lr = runner.optim_wrapper.optimizer.param_groups[0]["lr"]
        runner.visualizer.add_scalars({"loss": self.latest, "lr": lr}, step=runner.train_loop.step)

    def _report(self, name: str, value: float, step: int, lam: float | Tensor | None) -> str:
        if isinstance(lam, Tensor):
            lam = lam.float().mean().item()
        weight = "" if lam is None else f", λ={lam:.3g}"
        return (
            f"{name} became {value} at step {step} with mixup={self.mixup}{weight}; "
            "lower optimizer.lr, or set runner.clip_grad"
        )

    def epoch_means(self, runner) -> dict[str, float]:
        """Mean of each loss over the epoch, all processes together; starts the next epoch's."""
        self.read(runner)
        names = sorted(self.sums)
        *sums, count = distributed.total([*(self.sums[name] for name in names), self.count])
        self.sums, self.count = {}, 0
        return {f"train_{n}": s / max(count, 1) for n, s in zip(names, sums, strict=True)}

    def state(self) -> dict:
        return {"sums": self.sums, "count": self.count}

    def restore(self, state: dict) -> None:
        self.sums, self.count = dict(state["sums"]), state["count"]


class History(Hook):
    """One row an epoch: losses, learning rate, and the metrics where it was tested."""

    priority = "LOW"

    def after_train_epoch(self, runner) -> None:
        row = {"epoch": runner.epoch + 1, **runner.watch.epoch_means(runner)}
        row["lr"] = runner.optim_wrapper.optimizer.param_groups[0]["lr"]
        runner.history.append(row)

    def after_val_epoch(self, runner, metrics=None) -> None:
        runner.history[-1] |= metrics
        row = {name: v for name, v in runner.history[-1].items() if name != "epoch"}
        runner.visualizer.add_scalars(row, step=runner.train_loop.step)
