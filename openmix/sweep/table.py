"""What a person sees of a sweep."""

import sys
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from openmix.sweep.manifest import Sweep
from openmix.sweep.status import STATES, Status

WIDTH = 200  # where the output is no terminal


def summary(name: str, statuses: Sequence[Status]) -> str:
    """One line: how many runs are in each state, and why those that failed did."""
    count = Counter(status.state for status in statuses)
    parts = [f"{count[state]} {state}" for state in reversed(STATES) if count[state]]
    why = Counter(status.reason for status in statuses if status.state == "failed")
    reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(why.items()))
    return f"{name}: {len(statuses)} runs: {', '.join(parts)}" + (f" ({reasons})" if why else "")


def table(sweep: Sweep, statuses: Sequence[Status], rows: Sequence[int]) -> None:
    """Print a line for each of ``rows``, and below a failed one the end of its log."""
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else WIDTH, highlight=False, soft_wrap=False)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("run", "state", "what", "seed", "epoch", "eta", "host", "job", "try", "why"):
        shown.add_column(column, overflow="fold")
    for index in rows:
        status, identity = statuses[index], sweep.identity(index)
        what = f"{identity.dataset} {identity.backbone} {identity.title}"
        epoch = f"{status.epoch}/{status.epochs}" if status.epochs else ""
        eta = duration(status.seconds_left) if status.state == "running" else ""
        why = " ".join(filter(None, (status.reason, status.message)))
        cells = (index, status.state, what, identity.seed, epoch, eta, status.host, status.job,
                 status.attempt or "", why)  # fmt: skip
        shown.add_row(*(Text(str(cell)) for cell in cells))
    console.print(shown)
    for index in rows:
        for line in statuses[index].log:
            console.print(Text(f"  run {index} | {line}"))


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: 42 s, 12 min, 3.5 h, 2.1 d."""
    if seconds is None:
        return ""
    for unit, size, digits in (("d", 86400, 1), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds:.0f} s"
