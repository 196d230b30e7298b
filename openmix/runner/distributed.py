"""One run over several processes, started by torchrun."""

import os
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import nn

from openmix.errors import ConfigError

_control: dist.ProcessGroup | None = None
"""A group on the CPU for what the hosts agree on, so that no agreement waits for a GPU."""


def start(device: str) -> torch.device:
    """Join the processes torchrun started, if any, and return this process's device.

    ``device`` is ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``. Raises
    ConfigError for a GPU that is not there.
    """
    global _control
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    chosen = torch.device(device)
    if chosen.type == "cuda":
        if chosen.index >= torch.cuda.device_count():
            raise ConfigError(
                f"runner.device={chosen}, but torch sees {torch.cuda.device_count()} GPUs; "
                "use runner.device=auto"
            )
        torch.cuda.set_device(chosen)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
        _control = dist.new_group(backend="gloo")
    return chosen


def stop() -> None:
    """Leave the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


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
