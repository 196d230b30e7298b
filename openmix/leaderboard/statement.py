"""What a board shows, in sentences that claim no more than the tests do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from openmix.leaderboard.aggregate import Aggregate, pairs_needed
from openmix.leaderboard.statistics import Estimate
from openmix.records.metrics import METRICS

if TYPE_CHECKING:
    from openmix.leaderboard.board import Board


def sentences(board: "Board") -> list[str]:
    """How much is complete, who is best, who beats the baseline, and what more seeds could tell."""
    named = zip(board.rows, board.aggregates, strict=True)
    ranked = {row.label: total for row, total in named if total}
    said = [_complete(board, list(ranked))]
    if len(ranked) > 1:
        said += [_best(board, ranked), _baseline(board, ranked), _power(board, ranked)]
    return [*filter(None, said), *valueless(board)]


def _complete(board: "Board", ranked: list[str]) -> str:
    protocols, runs, rows = len(board.columns), board.progress[0][1], len(board.rows)
    has = f"{plural(runs, 'run')} over {plural(protocols, 'protocol')}"
    if not runs:
        return "No run has a value."
    if len(board.rows) == len(ranked) == 1:
        alone = "there is no other to compare it with"
        sure = ", and one run says nothing of how far others lie" if runs == 1 else ""
        return f"{ranked[0]} alone, {has}: {alone}{sure}."
    if len(ranked) == rows:
        return f"All {rows} methods are complete with {has} each."
    if not ranked:
        said = f"None of {plural(rows, 'method')} has all {has}, and none is ranked"
    elif len(ranked) == 1:
        said = f"Of {rows} methods only {ranked[0]} has all {has}, and none is ranked"
    else:
        said = f"{len(ranked)} of {rows} methods are complete with {has} each"
    if board.common:
        sharing, shared = len(board.common.rows), board.common.progress[0][1]
        said += f"; all {sharing} that have a value share {plural(shared, 'run')} of these"
    return f"{said}. The others are not ranked." if len(ranked) > 1 else f"{said}."


def apart(board: "Board") -> list[str]:
    """Why a board is made in parts, and what is in none of them."""
    protocols = len(board.columns)
    said = f"No method has every run of all {protocols} protocols, so each has a board of its own."
    return [said, *valueless(board)]


def valueless(board: "Board") -> list[str]:
    """A line for each protocol that is no column, since none of its runs has a value."""
    found: dict[str, dict[str, list[str]]] = {}
    for column, row, cell in board.valueless:
        why = f" ({cell.note})" if cell.note else ""
        found.setdefault(column.label, {}).setdefault(cell.status, []).append(row.label + why)
    said = {
        label: "; ".join(f"{status}: {', '.join(told)}" for status, told in outcomes.items())
        for label, outcomes in found.items()
    }
    none = "is no column, as none of its runs has a value"
    return [f"{label} {none}; {told}." for label, told in said.items()]


def _best(board: "Board", ranked: dict[str, Aggregate]) -> str:
    first, *others = ranked
    if not board.ranked:
        single = any(cell.value and cell.value.n == 1 for cell in board.cells[0])
        told = "With one seed in a protocol no method is ranked, and none is called best."
        return told if single else ""
    if board.progress[0][1] < pairs_needed(len(others)):
        return f"{first} has the best mean."
    tied = [label for label in others if ranked[label].top]
    if not tied:
        return f"{first} is best, and every other method can be told from it."
    if len(tied) == len(others):
        return f"{first} has the best mean, but no method can be told from it."
    return f"{first} has the best mean; not separable from it: {listed(tied)}."


def _baseline(board: "Board", ranked: dict[str, Aggregate]) -> str:
    if board.baseline not in ranked:
        lacking = any(row.label == board.baseline for row in board.rows)
        why = "is not complete" if lacking else "has no runs"
        rank = ", and none is ranked" if lacking and not board.ranked else ""
        return f"The baseline {board.baseline} {why}, so that no method is compared to it{rank}."
    verdicts = {label: total.verdict for label, total in ranked.items()}
    said = []
    for verdict in ("better", "worse"):
        found = [label for label in ranked if verdicts[label] == verdict]
        if found:
            told = [f"{label} ({signed(board.metric, ranked[label].delta)})" for label in found]
            said.append(f"{verdict} than {board.baseline}: {listed(told)}")
    open_ = sum(verdict == "not separable" for verdict in verdicts.values())
    if open_:
        said.append(f"not separable from {board.baseline}: {plural(open_, 'method')}")
    if not said:
        return ""
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."


def _power(board: "Board", ranked: dict[str, Aggregate]) -> str:
    pairs, others = board.progress[0][1], len(ranked) - 1
    needed = pairs_needed(others)
    if pairs >= needed:
        return ""
    said = (
        f"{plural(pairs, 'run')} a method cannot tell {plural(others + 1, 'method')} apart, "
        f"whatever their values: a sign-flip test then needs {needed}, by more seeds or protocols."
    )
    deltas = [total.delta for total in ranked.values() if total.delta and total.delta.half]
    if not deltas:
        return said
    sign = METRICS[board.metric].sign
    above = sum(sign * delta.mean > delta.half for delta in deltas)
    below = sum(sign * delta.mean < -delta.half for delta in deltas)
    return (
        f"{said} Taken one at a time, and so with more false alarms, {above} of {len(deltas)} have "
        f"the 95 % interval of Δ on the better side of 0 and {below} on the worse."
    )


def signed(metric: str, estimate: Estimate) -> str:
    """A difference with its sign and interval."""
    digits = METRICS[metric].digits
    half = "" if estimate.half is None else f" ± {estimate.half:.{digits}f}"
    return f"{estimate.mean:+.{digits}f}{half}"


def listed(names: Sequence[str], shown: int = 5) -> str:
    """Names with commas, those beyond ``shown`` counted."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
