"""What code a run's numbers hang on: a digest of the files of its mixup, and of one's own."""

import ast
import hashlib
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from openmix.config.source import Module, absolute, find_module, locate
from openmix.config.targets import ALLOWED, nodes
from openmix.errors import ConfigError

ALONE = re.compile(r"\s*[rRuU]?[\"']")
"""A line that a text begins."""

MIXUPS = "openmix.mixups."
SHARED = "openmix.mixups.base"
"""What every mixup is built on: it is openmix's own, whose commit is on record."""


def sources(config: Mapping[str, Any]) -> dict[str, str]:
    """Module -> 12 hex digits over its code, comments and docstrings left out.

    The modules of the mixups that ``config`` names, of whatever of a package of one's own it names,
    and those of the same kinds that they import. A module is read once in a process: what counts is
    the code that was there when the run began.
    """
    found: dict[str, str] = {}
    for path, node in nodes(config):
        if path.startswith("mixup") or not _ours(node["_target_"]):
            found |= _behind(node["_target_"])
    return dict(sorted(found.items()))


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The files whose code differs between two :func:`sources`; none where one is not known."""
    if not before or not now:
        return []
    names = sorted(before.keys() | now.keys())
    return [f"{n.rpartition('.')[2]}.py" for n in names if before.get(n) != now.get(n)]


def code(text: str) -> str:
    """A source without what cannot change a number: comments, docstrings and empty lines.

    Raises SyntaxError, or what :mod:`tokenize` raises, for what is not Python.
    """
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            first, last = node.lineno - 1, node.end_lineno
            if ALONE.match(lines[first]) and lines[last - 1].rstrip()[-1:] in ("'", '"'):
                lines[first:last] = [""] * (last - first)
    return "\n".join(line.rstrip() for line in lines if line.strip())


@cache
def _behind(target: str) -> dict[str, str]:
    """The modules behind a target with their digests; none for a library's."""
    if any(target.startswith(prefix) for prefix in ALLOWED if prefix != "openmix."):
        return {}
    found: dict[str, Module] = {}
    with suppress(ConfigError):
        _follow(locate(target).module, found)
    return {name: _digest(module) for name, module in found.items()}


def _ours(name: str) -> bool:
    return name.partition(".")[0] == "openmix"


def _follow(module: Module, found: dict[str, Module]) -> None:
    """Add a module and those it imports of the same package, or of openmix's mixups."""
    if module.file is None or module.name in found or module.name == SHARED:
        return
    found[module.name] = module
    own = f"{module.name.partition('.')[0]}."
    for name in _imported(module):
        alike = name.startswith(MIXUPS) or (own != "openmix." and f"{name}.".startswith(own))
        if alike and (inner := find_module(name)):
            _follow(inner, found)


def _imported(module: Module) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = absolute(node, module)
            yield package
            yield from (f"{package}.{alias.name}" for alias in node.names)


def _digest(module: Module) -> str:
    text = module.file.read_text(encoding="utf-8")
    return hashlib.sha256(code(text).encode()).hexdigest()[:12]
