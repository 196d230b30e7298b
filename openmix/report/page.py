"""The page of one run, as one HTML file that loads nothing."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from openmix.leaderboard.figures import curves
from openmix.leaderboard.figures.cost import clock
from openmix.leaderboard.load import row
from openmix.leaderboard.render.html_document import document
from openmix.leaderboard.render.html_runs import origin, parts, verify
from openmix.records.metrics import METRICS, RULES

HERE = Path(__file__).parent
CURVES = {
    "top1": ("top1", "val_top1"),
    "train_loss": ("train_loss",),
    "nll": ("nll",),
    "ece": ("ece",),
    "lr": ("lr",),
}
"""Title of a picture -> the entries of the history that are drawn in it."""


def render(record: Mapping[str, Any], samples: Any) -> str:
    """Return the page; ``samples`` are :class:`openmix.report.samples.Samples`, or why not."""
    return document(
        HERE / "report.html.j2",
        styles=[(HERE / "report.css").read_text(encoding="utf-8")],
        scripts=[],
        record=record,
        names=list(METRICS),
        rules=RULES,
        title=f"{record['mixup']} {record['variant']}".strip(),
        metrics=_metrics(record),
        figures=_figures(record["history"]),
        samples=samples,
        cost=_cost(record),
        origin=origin(row(record)),
        verify=verify(record),
        command=shlex.join(["python", "tools/train.py", *record["overrides"]]),
        config=parts(record["config"]),
    )


def _metrics(record: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """A line a selection rule: its name, what it means, and every metric."""
    return [
        (rule, [_number(values.get(name), METRICS[name].digits) for name in METRICS])
        for rule, values in record["metrics"].items()
    ]


def _figures(history: list[Mapping[str, Any]]) -> list[tuple[str, Markup]]:
    found = []
    for title, names in CURVES.items():
        lines = [
            curves.Curve(name, [(e["epoch"], e[name]) for e in history if e.get(name) is not None])
            for name in names
        ]
        lines = [line for line in lines if len(line.points) > 1]
        if lines:
            found.append((title, curves.draw(lines, title)))
    return found


def _cost(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    cost = record["cost"]
    shown = {
        "training": ("train_seconds", clock),
        "images a second": ("images_per_second", "{:,.0f}".format),
        "peak memory": ("peak_memory_mb", "{:,.0f} MB".format),
        "parameters": ("parameters", "{:,}".format),
        "steps": ("steps", "{:,}".format),
        "processes": ("world_size", str),
    }
    found = [
        (term, write(cost[n])) for term, (n, write) in shown.items() if cost.get(n) is not None
    ]
    spans = [("restarts", str(record["restarts"])), ("finished", record["finished"])]
    return [*found, *spans]


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
