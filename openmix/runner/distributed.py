"""One run over several processes, started by torchrun."""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn

from openmix import errors
from openmix.errors import ConfigError, Interrupted
from openmix.reason import one_line

_started = 0
"""Runs that this process has begun; the others have begun as many."""

_control: dist.ProcessGroup | None = None
"""A group on the CPU for what the hosts agree on, so that no agreement waits for a GPU."""


def start(device: str) -> torch.device:
    """Join the processes torchrun started, if any, and return this process's device.

    ``device`` is ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``. Raises
    ConfigError for a GPU that is not there.
    """
    global _control, _started
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    chosen = torch.device(device)
    if chosen.type == "cuda":
        if chosen.index >= torch.cuda.device_count():
            error = ConfigError(
                f"runner.device={chosen}, but torch sees {torch.cuda.device_count()} GPUs; "
                "use runner.device=auto"
            )
            if chosen.index == torch.cuda.device_count():  # the first of this host without a GPU
                error.speaker = int(os.environ.get("RANK", 0))
            raise error
        torch.cuda.set_device(chosen)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
        _control = dist.new_group(backend="gloo")
    _started += 1
    return chosen


def stop() -> None:
    """Leave the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def one_failure() -> Iterator[None]:
    """Have every process of a run fail by what the first of them met, instead of by its absence.

    That process alone speaks of it: ``speaker`` of the error is its number.
    """
    try:
        yield
    except Interrupted:
        raise
    except Exception as error:
        if not dist.is_initialized():
            raise
        first, kind, message = _first(error)
        if first == rank():
            error.speaker = first
            raise
        # torchrun tells the others to end when one is gone; what ended it goes on record first.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        known = getattr(errors, kind, errors.Elsewhere)(message)
        known.speaker = first
        raise known from error


def _first(error: Exception) -> tuple[int, str, str]:
    """Process, type and line of the error that came first; waits for no other process."""
    own = rank(), type(error).__name__, one_line(error)
    try:
        store = dist.distributed_c10d._get_default_store()
        return tuple(json.loads(store.compare_set(f"failed{_started}", "", json.dumps(own))))
    except RuntimeError:  # the process that held the store is gone
        return own


def any_rank(flags: Sequence[bool]) -> list[bool]:
    """Which of ``flags`` are set on some process; every process must ask at the same step."""
    if world() == 1:
        return list(flags)
    votes = torch.tensor(flags, dtype=torch.int32)
    dist.all_reduce(votes, dist.ReduceOp.MAX, _control)
    return votes.bool().tolist()


def total(values: Sequence[float]) -> list[float]:
    """Sum over processes."""
    if world() == 1:
        return list(values)
    sums = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(sums, group=_control)
    return sums.tolist()


def gather(value: object) -> list | None:
    """``value`` of every process, on process 0; None elsewhere."""
    if world() == 1:
        return [value]
    everything = [None] * world() if rank() == 0 else None
    dist.gather_object(value, everything, dst=0, group=_control)
    return everything


@torch.no_grad()
def average_buffers(net: nn.Module) -> None:
    """Give all processes the mean of their floating-point buffers (batch statistics)."""
    if world() == 1:
        return
    for buffer in net.buffers():
        if buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer /= world()


def barrier() -> None:
    if world() > 1:
        dist.barrier(_control)
