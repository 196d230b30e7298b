"""What a person sees of a run: a bar on a terminal, now and then a line elsewhere."""

import json
import sys
import time
from contextlib import suppress
from pathlib import Path

from mmengine.hooks import Hook
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from openmix import atomic
from openmix.records.metrics import METRICS, PRIMARY

QUIET_SECONDS = 5
"""Least time between two lines where there is no terminal."""

REPORT_SECONDS = 5
"""Least time between two writings of a report."""


def progress(title: str) -> Hook:
    """Show how far ``title`` is, with its loss, its accuracy and the time it still takes."""
    console = Console(file=sys.stderr)
    return Bar(title, console) if console.is_terminal else Lines(title)


class Bar(Hook):
    """A bar on a terminal, taken away at the end."""

    priority = "VERY_LOW"

    def __init__(self, title: str, console: Console):
        self.title, self.last = title, 0.0
        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}  {task.fields[note]}"),
            TimeElapsedColumn(),
            TextColumn("eta"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def before_train(self, runner) -> None:
        loop = runner.train_loop
        self.task = self.bar.add_task(
            self.title,
            total=loop.max_iters,
            completed=loop.iter,
            epoch=loop.epoch,
            epochs=loop.max_epochs,
            note="",
        )
        self.bar.start()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        now = time.monotonic()
        if now - self.last > 0.2:
            self.last, loop = now, runner.train_loop
            note = _note(runner)
            self.bar.update(self.task, completed=loop.iter, epoch=loop.epoch + 1, note=note)

    def close(self) -> None:
        self.bar.stop()


class Lines(Hook):
    """A line after a test, unless there was one a moment ago."""

    priority = "VERY_LOW"

    def __init__(self, title: str):
        self.title = title

    def before_train(self, runner) -> None:
        self.last = self.began = time.monotonic()
        self.first = runner.iter

    def after_val_epoch(self, runner, metrics=None) -> None:
        now, loop = time.monotonic(), runner.train_loop
        if now - self.last < QUIET_SECONDS and loop.epoch < loop.max_epochs:
            return
        self.last = now
        rate = (loop.iter - self.first) / max(now - self.began, 1e-9)
        eta = f"eta {(loop.max_iters - loop.iter) / rate:.0f} s" if rate else ""
        line = f"{self.title}  epoch {loop.epoch}/{loop.max_epochs}  {_note(runner)}  {eta}"
        print(line, file=sys.stderr, flush=True)


class Report(Hook):
    """Keep a small file up to date with how far the run is, for a sweep's table.

    It holds ``epoch`` of ``epochs``, ``seconds_left`` where that is known, and ``began_at``, the
    pass that this process began with.
    """

    priority = "VERY_LOW"

    def __init__(self, file: Path):
        self.file = file

    def before_train(self, runner) -> None:
        self.began, self.first = time.monotonic(), runner.train_loop.iter
        self._write(runner)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if time.monotonic() - self.last > REPORT_SECONDS:
            self._write(runner)

    def _write(self, runner) -> None:
        loop, self.last = runner.train_loop, time.monotonic()
        rate = (loop.iter - self.first) / max(self.last - self.began, 1e-9)
        seconds = (loop.max_iters - loop.iter) / rate if rate else None
        report = {"epoch": loop.epoch, "epochs": loop.max_epochs, "seconds_left": seconds}
        with suppress(OSError):  # no run is lost for want of a report
            atomic.write(self.file, json.dumps(report | {"began_at": self.first}))


def _note(runner) -> str:
    metric = METRICS[PRIMARY]
    tested = next((row for row in reversed(runner.history) if metric.name in row), None)
    told = f"  {metric.label} {tested[metric.name]:.{metric.digits}f}" if tested else ""
    return f"loss {runner.watch.latest:.3f}{told}"
