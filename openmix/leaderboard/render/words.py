"""Numbers and sentences that every form of the board shares."""

from openmix.leaderboard.board import HIGHER_IS_BETTER, Board, Cell
from openmix.leaderboard.statistics import CONFIDENCE
from openmix.records.metrics import RULES

METRICS = {
    "top1": "top-1 accuracy in percent",
    "top5": "top-5 accuracy in percent",
    "nll": "negative log-likelihood in nats",
    "ece": "expected calibration error in percent",
}
DIGITS = {"top1": 2, "top5": 2, "nll": 4, "ece": 2}


def caption(board: Board) -> str:
    """Name the metric and the selection rule."""
    better = "higher" if HIGHER_IS_BETTER[board.metric] else "lower"
    return f"Test {METRICS[board.metric]}, {better} is better; {selection(board)}"


def summary(board: Board) -> str:
    """Say how much the board holds."""
    counts = {"method": len(board.rows), "protocol": len(board.columns), "run": board.runs}
    return ", ".join(f"{n} {thing}{'s' * (n != 1)}" for thing, n in counts.items())


def selection(board: Board) -> str:
    return f"{board.rule}: {RULES[board.rule]}"


def value(board: Board, cell: Cell) -> str:
    return f"{cell.value.mean:.{DIGITS[board.metric]}f}"


def half(board: Board, cell: Cell) -> str:
    """The interval of a cell, empty for a single run."""
    return _half(board, cell.value.half)


def delta(board: Board, cell: Cell) -> str:
    """The signed difference to the baseline with its interval; empty without one."""
    if cell.delta is None:
        return ""
    mean = f"{cell.delta.mean:+.{DIGITS[board.metric]}f}"
    fewer = f" (n={cell.delta.n})" if cell.delta.n < cell.value.n else ""
    return f"{mean} {_half(board, cell.delta.half)}".strip() + fewer


def explanations(board: Board) -> list[tuple[str, str]]:
    """What a reader must know to read the numbers: terms and their meaning."""
    rule = f"{selection(board)}."
    if board.rule == "best":
        rule = "best: selected on test, each run at its best epoch on the test set; optimistic."
    order = "best mean first" if len(board.columns) == 1 else "by name, the baseline first"
    return [
        ("selection", rule),
        ("n", "seeds behind a number."),
        (
            "±",
            f"half width of the {CONFIDENCE:.0%} t-interval of the mean; a single seed has none.",
        ),
        ("Δ", _baseline(board)),
        ("column", "only runs whose settings agree in all but the mixup."),
        ("missing", "no run with a value. A cell without a number enters no mean."),
        ("order", f"{order}. Differences within the intervals are no ranking."),
    ]


def _baseline(board: Board) -> str:
    if any(row.label == board.baseline for row in board.rows):
        meaning = f"mean difference to {board.baseline!r} over the seeds both have"
        return f"{meaning}, ± its paired {CONFIDENCE:.0%} t-interval."
    return f"not given: there are no runs of the baseline {board.baseline!r}."


def _half(board: Board, half: float | None) -> str:
    return "" if half is None else f"± {half:.{DIGITS[board.metric]}f}"
