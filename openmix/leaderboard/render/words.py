"""Numbers and sentences that every form of the board shares."""

from openmix.leaderboard.aggregate import Aggregate, Standing
from openmix.leaderboard.board import Board
from openmix.leaderboard.cell import Cell
from openmix.leaderboard.published import PublishedMatch
from openmix.leaderboard.statement import plural, signed
from openmix.leaderboard.statistics import CONFIDENCE
from openmix.records.metrics import METRICS, RULES

RANKS = ("rank", "open to", "P(best)", "P(top 3)")

PUBLISHED = ("mixup", "column", "paper", "ours", "inside our interval?", "source", "notes")
"""Heads of what :func:`published` returns."""


def caption(board: Board) -> str:
    """Name the metric and the selection rule."""
    better = "higher" if METRICS[board.metric].higher else "lower"
    return f"Test {METRICS[board.metric].title}, {better} is better; {selection(board)}"


def summary(board: Board) -> str:
    """Say how much the board holds."""
    counts = {"method": len(board.rows), "protocol": len(board.columns), "run": board.runs}
    return ", ".join(plural(count, noun) for noun, count in counts.items())


def selection(board: Board) -> str:
    return f"{board.rule}: {RULES[board.rule]}"


def value(board: Board, cell: Cell) -> str:
    return f"{cell.value.mean:.{METRICS[board.metric].digits}f}"


def half(board: Board, cell: Cell) -> str:
    """The interval of a cell, empty for a single run."""
    digits = METRICS[board.metric].digits
    return "" if cell.value.half is None else f"± {cell.value.half:.{digits}f}"


def delta(board: Board, cell: Cell) -> str:
    """The signed difference to the baseline with its interval; empty without one."""
    if cell.delta is None:
        return ""
    fewer = f" (n={cell.delta.n})" if cell.delta.n < cell.value.n else ""
    return signed(board.metric, cell.delta) + fewer


def totals(board: Board) -> tuple[str, ...]:
    """Heads of what :func:`total` returns; none of ranks where the runs bear none."""
    return ("Δ", "Holm p", "verdict", *(RANKS if board.ranked else ()), "optimism")


def total(board: Board, it: Aggregate) -> tuple[str, ...]:
    """What a row comes to over all columns, one text for each of :func:`totals`."""
    return (
        signed(board.metric, it.delta) if it.delta else "",
        probability(it.p_holm),
        it.verdict,
        *(_standing(it.standing) if it.standing else ()),
        "" if it.optimism is None else f"{it.optimism:+.2f}",
    )


def _standing(it: Standing) -> tuple[str, ...]:
    ends = f"{it.rank_low:g}–{it.rank_high:g}"
    return f"{it.rank:g}", ends, share(it.p_top1), share(it.p_top3)


def probability(p: float | None) -> str:
    """A p-value; empty without one."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def share(chance: float) -> str:
    """A chance in percent, never quite 0 or 100: it is integrated numerically."""
    return "< 1 %" if chance < 0.01 else "> 99 %" if chance > 0.99 else f"{100 * chance:.0f} %"


def incomplete(board: Board, line: int) -> str:
    """How much of a row there is."""
    done, wanted = board.progress[line]
    return f"incomplete {done}/{wanted}" if wanted else "no value"


def published(board: Board, match: PublishedMatch) -> tuple[str, ...]:
    """A published number beside ours, one text for each of :data:`PUBLISHED`."""
    ours = board.cells[match.row][match.column]
    return (
        board.rows[match.row].label,
        board.columns[match.column].label,
        f"{match.paper_value:.2f}",
        f"{value(board, ours)} {half(board, ours)}".strip(),
        {True: "yes", False: "no", None: "one seed"}[match.inside],
        match.source,
        match.notes,
    )


def explanations(board: Board) -> list[tuple[str, str]]:
    """What a reader must know to read the numbers: terms and their meaning."""
    rule = f"{selection(board)}."
    if board.rule == "best":
        rule = "best: selected on test, each run at its best epoch on the test set; optimistic."
    interval = f"half width of the {CONFIDENCE:.0%} t-interval of the mean"
    return [
        ("selection", rule),
        ("n", "seeds behind a number."),
        ("±", f"{interval}, 2.5 standard deviations of 3 seeds; a single seed has none."),
        ("Δ", _baseline(board)),
        *_bold(board),
        ("column", "only runs whose settings agree in all but the mixup, on the same data."),
        ("missing", "no run with a value. A cell without a number enters no mean."),
        ("incomplete", "lacks a seed that another method has in that column; it is not ranked."),
        *(_totals(board) if board.compared else []),
        *_floor(board),
        ("order", "best mean over the columns first, incomplete methods last."),
    ]


def _baseline(board: Board) -> str:
    if any(row.label == board.baseline for row in board.rows):
        meaning = f"mean difference to {board.baseline!r} over the seeds both have"
        return f"{meaning}, ± its paired {CONFIDENCE:.0%} t-interval."
    return f"not given: there are no runs of the baseline {board.baseline!r}."


def _totals(board: Board) -> list[tuple[str, str]]:
    over = "over the columns of this board, each weighing the same"
    ranks = [
        ("rank", f"by the mean {over}; open to: the ranks that no such test rules out."),
        ("P(best)", "chance of the best mean with seeds without end; P(top 3) of the three best."),
    ]
    return [
        (
            "verdict",
            "better or worse: the interval of Δ leaves out 0 and Holm's p is below 0.05; too few "
            "runs: no values whatever could make a Holm's p of so many methods so small.",
        ),
        ("Holm p", f"sign-flip test of the mean Δ {over}, adjusted for all methods."),
        *(ranks if board.ranked else []),
        ("optimism", "points of top-1 that choosing the best epoch on the test set would add."),
    ]


def _bold(board: Board) -> list[tuple[str, str]]:
    meaning = "best of the column, and all that paired t-tests (Holm) do not part from it."
    return [("bold, *", meaning)] if any(cell.top for line in board.cells for cell in line) else []


def _floor(board: Board) -> list[tuple[str, str]]:
    known = zip(board.columns, board.floor, strict=True)
    found = [f"{column.label}: {error:.2f}" for column, error in known if error is not None]
    meaning = (
        "binomial standard error of one accuracy on a test set of that size; it bounds what holds "
        "beyond these images, and cancels in part in Δ"
    )
    return [("floor", f"{meaning}. {'; '.join(found)}.")] if found else []
