"""Timing calls turn by turn, and counting what they launch, wait for and allocate.

One thread, process clock, freed memory retained: other jobs on the machine and the allocator's
return of large blocks would otherwise drown the differences.
"""

import ctypes
import statistics
import time
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

Call = Callable[[], object]


def steady() -> None:
    """One thread; keep freed blocks, which glibc maps and unmaps at every call if they are large.

    A copy into a block mapped anew takes many times as long as one into a block kept.
    """
    torch.set_num_threads(1)
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(-1, 2**30)  # M_TRIM_THRESHOLD
    libc.mallopt(-3, 2**30)  # M_MMAP_THRESHOLD


def turns(
    calls: dict[str, Call], device: torch.device, rounds: int = 15, least: float = 3e-2
) -> dict[str, list[float]]:
    """Seconds of each call in each round; short ones are repeated for ``least`` seconds."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter

    def seconds(call: Call, repeats: int) -> float:
        began = clock()
        for _ in range(repeats):
            call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (clock() - began) / repeats

    # The first call warms up, a second tells how many fit.
    warm = {name: seconds(call, 1) for name, call in calls.items()}
    repeats = {
        name: int(least / seconds(call, 1)) + 1 if warm[name] < 100 * least else 1
        for name, call in calls.items()
    }
    taken: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for number in range(rounds):
        start = number % len(names)  # who comes first finds the caches as the last one left them
        for name in names[start:] + names[:start]:
            taken[name].append(seconds(calls[name], repeats[name]))
    return taken


def ratio(over: list[float], under: list[float]) -> tuple[float, float]:
    """Median over the rounds of one call's time over another's, and its 95 % margin."""
    each = [a / b for a, b in zip(over, under, strict=True)]
    low, _, high = statistics.quantiles(each, n=4)
    return statistics.median(each), 1.57 * (high - low) / len(each) ** 0.5


class Launches(TorchDispatchMode):
    """Counts operations, and those that make the host wait for the device."""

    WAITS = ("_local_scalar_dense", "nonzero", "is_nonzero", "masked_select", "_unique2", "equal")

    def __init__(self):
        super().__init__()
        self.launches = self.waits = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        by_mask = name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])
        self.launches += not func.is_view
        self.waits += name in self.WAITS or by_mask
        return func(*args, **(kwargs or {}))


def launches(call: Call) -> Launches:
    with Launches() as count:
        call()
    return count


def peak_memory(call: Call) -> int:
    """Largest sum of bytes that a call on the CPU holds at once, its result included."""
    call()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        call()
    events = record.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    held = peak = 0
    for _, change in changes:
        held += change
        peak = max(peak, held)
    return peak
