"""The mixup methods, one paper a file.

``from openmix.mixups import CutMix`` finds the class in whichever file of this folder defines it;
nothing is imported before it is asked for.
"""

import ast
import importlib
from functools import cache
from pathlib import Path


@cache
def _homes() -> dict[str, str]:
    """Public class name -> module that defines it, read from the sources of this folder."""
    return {
        node.name: f"{__name__}.{file.stem}"
        for file in sorted(Path(__file__).parent.glob("[!_]*.py"))
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def __getattr__(name: str) -> object:
    if name.startswith("_") or name not in _homes():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_homes()[name]), name)


def __dir__() -> list[str]:
    return sorted(_homes())
