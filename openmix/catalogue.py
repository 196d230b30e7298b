"""What there is to choose from, read from the sources; nothing is imported or built."""

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from openmix.config.groups import CONFIGS, names
from openmix.config.signature import attribute
from openmix.config.source import locate
from openmix.config.targets import nodes

COSTS = CONFIGS.parent / "benchmarks" / "mixup_cost.json"


@dataclass(frozen=True)
class Entry:
    """One mixup: how it is called, what it does, where it comes from, what it asks for.

    ``cost`` is the time of a training step over that of one without mixing, None where it was never
    measured.
    """

    name: str
    summary: str
    family: str
    venue: str
    paper: str
    needs: tuple[str, ...]
    options: dict[str, object]
    cost: float | None


def mixups(folder: Path = CONFIGS) -> list[Entry]:
    """Every ``mixup/*.yaml``, by family and name."""
    costs = json.loads(COSTS.read_text(encoding="utf-8")) if COSTS.is_file() else {}
    entries = [_entry(folder / "mixup" / f"{name}.yaml", costs) for name in names("mixup", folder)]
    return sorted(entries, key=lambda entry: (entry.family != "none", entry.family, entry.name))


def _entry(file: Path, costs: dict[str, float]) -> Entry:
    text = file.read_text(encoding="utf-8")
    tree = yaml.safe_load(text)
    targets = [node["_target_"] for _, node in nodes(tree)]
    # A composition is described by its own file, and belongs where its first method belongs.
    leading = next((t for t in targets if attribute(t, "paper")), targets[0])
    own = leading == targets[0] or leading.split(".")[-2] == file.stem
    summary = _docstring(leading) if own else _comment(text)
    needs = {need: None for t in targets for need in attribute(t, "needs") or ()}
    return Entry(
        name=file.stem,
        summary=summary,
        family=str(attribute(leading, "family")),
        venue=str(attribute(leading, "venue") or ""),
        paper=str(attribute(leading, "paper") or ""),
        needs=tuple(needs),
        options={key: value for key, value in tree.items() if key != "_target_"},
        cost=costs.get(file.stem),
    )


def _docstring(target: str) -> str:
    first = " ".join((ast.get_docstring(locate(target).node) or "").split("\n\n")[0].split())
    words = first.partition(": ")[2] or first
    return words[:1].upper() + words[1:]


def _comment(text: str) -> str:
    """The first sentence of a file's opening comment, without the command."""
    lines = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
    sentence = re.sub(r" \(https?://\S+\)", "", " ".join(lines).partition("mixup=")[0])
    return sentence.rstrip(" :,.") + "."


def table() -> str:
    """The mixups as text for a terminal."""
    head = ("name", "family", "venue", "needs", "cost")
    rows = [head]
    for entry in mixups():
        cost = _cost(entry)
        rows.append((entry.name, entry.family, entry.venue, " ".join(entry.needs), cost))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    foot = "cost: a training step over one without mixing, python benchmarks/mixup_cost.py"
    return "\n".join([*(line.rstrip() for line in lines), "", foot])


def markdown() -> str:
    """The mixups as ``docs/mixups.md``."""
    lines = [
        "# Mixups",
        "",
        "Made by `make docs` from the classes and their files; do not edit. *needs* is what a",
        "method looks for inside a backbone, *cost* a training step over one without mixing",
        "(`python benchmarks/mixup_cost.py`: ResNet-18 on 32 px, or a small ViT where attention is",
        "needed; one CPU thread). Pictures of them are in [gallery](gallery), by family.",
        "",
        "| `mixup=` | family | what it does | options | needs | cost | from |",
        "|---|---|---|---|---|---|---|",
    ]
    for e in mixups():
        options = "<br>".join(f"`{name}={_short(value)}`" for name, value in e.options.items())
        cost = _cost(e)
        source = f"[{e.venue or 'paper'}]({e.paper})" if e.paper else ""
        cells = [f"`{e.name}`", e.family, e.summary, options, " ".join(e.needs), cost, source]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cost(entry: Entry) -> str:
    return "not timed" if entry.cost is None else f"{entry.cost:.2f}x"


def _short(value: object) -> str:
    """An option's value; of nested mixers only their names."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(item["_target_"].rpartition(".")[2] for item in value)
    if isinstance(value, dict):
        return value["_target_"].rpartition(".")[2]
    return json.dumps(value, ensure_ascii=False)
