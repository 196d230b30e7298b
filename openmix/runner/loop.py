"""The loops mmengine's Runner drives: epochs of steps, and the test after an epoch."""

import time

import torch
from mmengine.runner import BaseLoop

from openmix.data.pipeline import Loader
from openmix.evaluation.clean import evaluate
from openmix.runner import distributed
from openmix.runner.learner import Batch
from openmix.seeding import derive


class TrainLoop(BaseLoop):
    """Epochs of steps, from wherever a checkpoint left off, in the middle of an epoch too.

    A step is one update of the weights, made of ``accumulate`` passes; ``iter`` counts passes, as
    mmengine does. Before each pass torch is seeded from (seed, process, pass), so that a step draws
    the same numbers whether or not the run was interrupted before it.
    """

    def __init__(
        self,
        runner,
        dataloader: Loader,
        max_epochs: int,
        seed: int,
        accumulate: int,
        eval_every: int,
    ):
        super().__init__(runner, dataloader)
        self.max_epochs, self.accumulate = max_epochs, accumulate
        self.stream = derive(seed, distributed.rank())
        self.val_interval, self.val_begin = eval_every, 1
        self.steps_per_epoch = len(dataloader) // accumulate
        self.passes_per_epoch = self.steps_per_epoch * accumulate
        self.max_iters = max_epochs * self.passes_per_epoch
        self.epoch = self.iter = 0
        self.stop_training = False  # set by mmengine's EarlyStoppingHook

    @property
    def step(self) -> int:
        """Updates of the weights so far."""
        return self.iter // self.accumulate

    @property
    def progress(self) -> float:
        """Share of the training done."""
        return self.iter / self.max_iters

    def run(self) -> torch.nn.Module:
        self.runner.learner.follow(self)
        self.runner.call_hook("before_train")
        while self.epoch < self.max_epochs and not self.stop_training:
            self.run_epoch()
        self.runner.call_hook("after_train")
        return self.runner.model

    def run_epoch(self) -> None:
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        start = self.iter - self.epoch * self.passes_per_epoch
        batches = self.dataloader.batches(self.epoch, start)
        for i, batch in zip(range(start, self.passes_per_epoch), batches, strict=False):
            self.run_iter(i, batch)
        self.runner.call_hook("after_train_epoch")
        self.epoch += 1
        if self.epoch % self.val_interval == 0 or self.epoch == self.max_epochs:
            self.runner.val_loop.run()

    def run_iter(self, i: int, batch: Batch) -> None:
        """One pass; ``i`` is its number within the epoch."""
        runner = self.runner
        runner.call_hook("before_train_iter", batch_idx=i, data_batch=batch)
        seed_torch(derive(self.stream, self.iter))
        outputs = runner.model.train_step(batch, optim_wrapper=runner.optim_wrapper)
        self.iter += 1
        runner.call_hook("after_train_iter", batch_idx=i, data_batch=batch, outputs=outputs)


class ValLoop(BaseLoop):
    """Test the network, or the average of its weights where that is asked for.

    ``dataloader`` maps a prefix of the metrics' names to a loader: ``""`` the test set, ``"val_"``
    the held-out part of the training set.
    """

    def __init__(self, runner, dataloader: dict[str, Loader], evaluator: object, bins: int):
        super().__init__(runner, list(dataloader.values()))
        self.loaders, self.bins = dataloader, bins

    def run(self) -> dict[str, float]:
        runner = self.runner
        runner.call_hook("before_val")
        runner.call_hook("before_val_epoch")
        distributed.average_buffers(runner.learner.net)
        metrics, began = {}, time.monotonic()
        for prefix, loader in self.loaders.items():
            result = self.test(loader)
            metrics |= {prefix + name: value for name, value in result.items()}
        runner.test_seconds += time.monotonic() - began
        runner.call_hook("after_val_epoch", metrics=metrics)
        runner.call_hook("after_val")
        return metrics

    def test(self, loader: Loader) -> dict[str, float]:
        """Metrics of the evaluated network on one data set."""
        learner, wrapper = self.runner.learner, self.runner.optim_wrapper
        net = learner.net if self.runner.ema is None else self.runner.ema.module
        net.eval()
        try:
            with wrapper.autocast():
                return evaluate(
                    lambda raw: net(learner.images(raw)),
                    loader.batches(),
                    self.bins,
                    wrapper.device,
                )
        finally:
            learner.net.train()


def seed_torch(seed: int) -> None:
    """Seed the generators a step can draw from; ``torch.manual_seed`` would take 70 µs."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.default_generators[torch.cuda.current_device()].manual_seed(seed)
