"""Orders and pictures that only the page needs; words that all forms share are in ``words``."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from openmix.leaderboard.aggregate import Aggregate, Standing
from openmix.leaderboard.board import Board
from openmix.leaderboard.cell import Cell
from openmix.leaderboard.figures import forest
from openmix.leaderboard.figures.svg import Scale
from openmix.leaderboard.render import words
from openmix.leaderboard.statement import plural, signed
from openmix.records.metrics import METRICS

NOTHING = "—"


@dataclass(frozen=True)
class Winner:
    """Who is ahead in a protocol, by how much, and who cannot be told from it."""

    column: str
    method: str
    value: str
    delta: str
    others: str


@dataclass(frozen=True)
class Compared:
    """A complete method over all protocols; ``forest`` is the picture of its difference."""

    label: str
    total: Aggregate
    delta: str
    forest: Markup
    iqm: str
    optimism: str


def first(board: Board) -> str:
    """The direction in which a column of values is sorted first: the best on top."""
    return "desc" if METRICS[board.metric].higher else "asc"


def order(value: float | None) -> str:
    """The key of a cell for sorting; what has none comes last."""
    return "" if value is None else f"{value:.10g}"


def place(it: Standing) -> str:
    """The ranks that no test rules out."""
    ends = sorted({it.rank_low, it.rank_high})
    return "–".join(f"{end:g}" for end in ends)


def winners(board: Board) -> list[Winner]:
    """One line a protocol in which a method is ahead: among those of several seeds."""
    found = []
    sign = -METRICS[board.metric].sign
    for j, column in enumerate(board.columns):
        cells = {row.label: line[j] for row, line in zip(board.rows, board.cells, strict=True)}
        cells = {label: cell for label, cell in cells.items() if cell.top}
        if not cells:
            continue
        best, *others = sorted(cells, key=lambda label: (sign * cells[label].value.mean, label))
        cell = cells[best]
        value = f"{words.value(board, cell)} {words.half(board, cell)}".strip()
        delta = "baseline" if best == board.baseline else words.delta(board, cell) or NOTHING
        found.append(Winner(column.label, best, value, delta, _some(others)))
    return found


def _some(labels: Sequence[str], shown: int = 4) -> str:
    if not labels:
        return NOTHING
    more = f" and {len(labels) - shown} more" if len(labels) > shown else ""
    return ", ".join(labels[:shown]) + more


def subset(board: Board) -> str:
    """How large the common subset is."""
    protocols, methods = len(board.common.columns), len(board.common.rows)
    runs = board.common.progress[0][1]
    return ", ".join(
        [plural(methods, "method"), plural(protocols, "protocol"), f"{plural(runs, 'run')} each"]
    )


def agreement(board: Board) -> str:
    """How many published numbers lie in our intervals."""
    told = [match.inside for match in board.published if match.inside is not None]
    return f"{sum(told)} of {plural(len(told), 'number')} inside"


def verdicts(board: Board) -> list[str]:
    """What the rows can be filtered by."""
    found = {total.verdict for total in board.aggregates if total} - {""}
    return sorted(found) + ["incomplete"] * (not all(board.complete))


def compared(board: Board) -> list[Compared]:
    """Every complete method, the best first."""
    scale = _scale(board)
    found = []
    for row, cells, total in zip(board.rows, board.cells, board.aggregates, strict=True):
        if total is None:
            continue
        picture, digits = Markup(), METRICS[board.metric].digits
        if scale and total.delta:
            apart = total.verdict in ("better", "worse")
            picture = forest.draw(scale, total.delta, _single(cells), apart)
        found.append(
            Compared(
                row.label,
                total,
                signed(board.metric, total.delta) if total.delta else NOTHING,
                picture,
                f"{total.iqm.mean:+.{digits}f}" if total.iqm else NOTHING,
                NOTHING if total.optimism is None else f"{total.optimism:+.2f}",
            )
        )
    return found


def axis(board: Board) -> Markup:
    """The scale of the pictures of :func:`compared`; nothing without a baseline."""
    scale = _scale(board)
    return forest.axis(scale) if scale else Markup()


def _scale(board: Board) -> Scale | None:
    rows = zip(board.aggregates, board.cells, strict=True)
    shown = [(total.delta, _single(cells)) for total, cells in rows if total and total.delta]
    if not shown:
        return None
    return forest.scale([delta for delta, _ in shown], [v for _, single in shown for v in single])


def _single(cells: Sequence[Cell]) -> list[float]:
    """The differences in the protocols, where there are several."""
    found = [cell.delta.mean for cell in cells if cell.delta]
    return found if len(found) > 1 else []
