"""What the panel of a cell shows: every run, its curves, cost, origin, config and command."""

import math
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from openmix.leaderboard.board import Board
from openmix.leaderboard.cell import Cell
from openmix.leaderboard.figures.cost import clock
from openmix.leaderboard.history import NAMES, History
from openmix.leaderboard.render import csv, words
from openmix.records.key import flatten, text
from openmix.records.metrics import METRICS


class Pool:
    """Every distinct value once, numbered; runs share most of what they say."""

    def __init__(self):
        self.values: list[Any] = []
        self.index: dict[Any, int] = {}

    def put(self, value: Any) -> int:
        """The number of ``value``."""
        if value not in self.index:
            self.index[value] = len(self.values)
            self.values.append(value)
        return self.index[value]


def collect(board: Board, frame: pd.DataFrame) -> dict[str, Any]:
    """All panels as plain data; cells are listed row by row, then those of the subset."""
    panels = Panels(board)
    runs = [panels.run(run) for run in frame.to_dict("records")]
    cells = _cells(board) + (_cells(board.common) if board.common else [])
    heads = ["seed", "outcome", *panels.shown, "time", "images/s", "memory", "restarts", "finished"]
    return {
        "heads": heads,
        "curves": [board.metric, "train_loss"],
        "cells": cells,
        "runs": runs,
        "texts": panels.texts.values,
        "configs": panels.configs.values,
        "epochs": panels.epochs.values,
        "csv": csv.wide(board),
    }


def _cells(board: Board) -> list[dict[str, Any]]:
    return [
        {
            "row": row.label,
            "column": column.label,
            "facts": facts(board, cell),
            "runs": cell.runs,
        }
        for row, line in zip(board.rows, board.cells, strict=True)
        for column, cell in zip(board.columns, line, strict=True)
    ]


def facts(board: Board, cell: Cell) -> list[tuple[str, str]]:
    """Terms and values that say what a cell stands for."""
    if cell.value is None:
        return [("outcome", cell.status), *([("reason", cell.note)] if cell.note else [])]
    found = [(METRICS[board.metric].title, f"{words.value(board, cell)} {words.half(board, cell)}")]
    found.append(("selection", words.selection(board)))
    if delta := words.delta(board, cell):
        found.append((f"Δ to {board.baseline}, paired by seed", delta))
    if cell.correlation is not None:
        found.append(("seed correlation with the baseline", f"{cell.correlation:+.2f}"))
    if cell.optimism is not None:
        found.append(("best epoch minus median10", f"{cell.optimism:+.2f}"))
    return [*found, *([("note", cell.note)] if cell.note else [])]


def _shown(board: Board) -> dict[str, tuple[str, str]]:
    """Heads of the numbers of a run, each with its selection rule and metric."""
    first = {f"{board.metric}, {board.rule}": (board.rule, board.metric)}
    rules = {
        f"{board.metric}, {rule}": (rule, board.metric) for rule in ("median10", "last", "best")
    }
    others = {f"{m}, {board.rule}": (board.rule, m) for m in METRICS if m != board.metric}
    return first | rules | others


class Panels:
    """Writes runs down, and what they share once."""

    def __init__(self, board: Board):
        self.metric, self.shown = board.metric, _shown(board)
        self.texts, self.configs, self.epochs = Pool(), Pool(), Pool()
        self.known: dict[str, int] = {}

    def run(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """One run: its line of the table of seeds, and the numbers of its texts."""
        numbers = [_number(run[f"{r}.{m}"], METRICS[m].digits) for r, m in self.shown.values()]
        seconds, memory = run["train_seconds"], run["peak_memory_mb"]
        cost = [
            "–" if math.isnan(seconds) else clock(seconds),
            _number(run["images_per_second"], 0),
            "–" if math.isnan(memory) else f"{memory:,.0f} MB",
        ]
        ends = [str(run["restarts"]), run["finished"]]
        command = shlex.join(["python", "tools/train.py", *run["overrides"]])
        return {
            "row": [str(run["seed"]), run["status"], *numbers, *cost, *ends],
            "reason": self.texts.put(run["reason"]),
            "command": self.texts.put(command),
            "verify": self.texts.put(verify(run) if run["status"] == "done" else ""),
            "origin": self.texts.put("\n".join("\t".join(pair) for pair in origin(run))),
            "config": self._config(run["config"]),
            "curves": [
                self._curve(run["history"], self.metric, METRICS[self.metric].digits),
                self._curve(run["history"], "train_loss", 3),
            ],
        }

    def _config(self, config: Mapping[str, Any]) -> int:
        written = repr({**config, "seed": None})
        if written not in self.known:
            numbers = tuple(self.texts.put(part) for part in parts(config))
            self.known[written] = self.configs.put(numbers)
        return self.known[written]

    def _curve(self, history: History, name: str, digits: int) -> list[int] | None:
        """``[number of its epochs, digits, value, difference, ...]``, values as whole numbers."""
        points = history.values[:, [NAMES.index("epoch"), NAMES.index(name)]].astype(float)
        points = points[np.isfinite(points[:, 1])]
        if len(points) < 2:
            return None
        steps = np.rint(points[:, 1] * 10**digits).astype(int)
        place = self.epochs.put(tuple(points[:, 0].astype(int).tolist()))
        return [place, digits, *np.diff(steps, prepend=0).tolist()]


def verify(run: Mapping[str, Any]) -> str:
    """The command that trains a run again and compares; of a record or a row of the table."""
    return f"python tools/verify.py {run['key']} seed={run['seed']}"


def origin(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where a run comes from: commit, key, versions, device, data."""
    commit = run["commit"] or "not a git checkout"
    if run["dirty"] is True:
        commit += (
            f" with uncommitted changes {'in ' * bool(run['changed'])}{run['changed']}".rstrip()
        )
    found = {"commit": commit}
    found |= {"key": run["key"], "data checksum": run["data_checksum"] or "–"}
    found |= {name: str(value) for name, value in run["environment"].items() if value is not None}
    return [(name, " ".join(value.split())) for name, value in found.items()]


def parts(config: Mapping[str, Any]) -> list[str]:
    """The resolved config a group at a time, one ``key: value`` a line; the seed left out."""
    groups = ((name, node) for name, node in sorted(config.items()) if name != "seed")
    return [
        "\n".join(f"{k}: {text(v)}" for k, v in flatten(node, name).items())
        for name, node in groups
    ]


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:,.{digits}f}"
