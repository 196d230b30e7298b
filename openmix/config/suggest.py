"""The words of an error line: what was probably meant, and what there is."""

from collections.abc import Collection
from difflib import SequenceMatcher, get_close_matches
from typing import Any

ROOM = 70  # characters spent on listing what is available


def nearest(name: str, options: Collection[str], cutoff: float = 0.6) -> str | None:
    """The option that ``name`` was probably meant to be; None when nothing is near."""
    folded = {option.lower() for option in options}
    close = get_close_matches(name.lower(), sorted(folded), n=1, cutoff=cutoff)
    same = sorted(option for option in options if option.lower() in close)
    return max(same, key=lambda option: SequenceMatcher(None, name, option).ratio(), default=None)


def hint(name: str, options: Collection[str]) -> str:
    """``"; did you mean 'x'?"``, or an empty text."""
    option = nearest(name, options)
    return f"; did you mean '{option}'?" if option else ""


def unknown_key(key: str, keys: Collection[str]) -> str:
    """The line for a dotted ``key`` that is none of ``keys``, with what to write instead."""
    if found := meant(key, keys):
        return f"unknown key '{key}'; did you mean '{found}'?"
    parent = key.rpartition(".")[0]
    beside = [each.rpartition(".")[2] for each in keys if each.rpartition(".")[0] == parent]
    if parent:
        return f"unknown key '{key}'; {parent} takes {listing(beside) or 'nothing'}"
    return f"unknown key '{key}'; remove it"


def meant(key: str, keys: Collection[str]) -> str | None:
    """The dotted key that ``key`` was meant to be.

    A near spelling beside it comes first, then its last word elsewhere (below ``mixup`` before all:
    ``alpha`` is ``mixup.alpha``), then a near spelling of that elsewhere.
    """
    parent, _, last = key.rpartition(".")
    words = {each: each.rpartition(".") for each in keys}
    beside = [word for above, _, word in words.values() if above == parent]
    if near := nearest(last, beside):
        return f"{parent}.{near}" if parent else near
    near = nearest(last, {word for _, _, word in words.values()}, cutoff=0.75)
    elsewhere = [each for each, (_, _, word) in words.items() if word == near]
    return min(elsewhere, key=lambda each: (not each.startswith("mixup."), each), default=None)


def leaves(node: Any, prefix: str = "") -> list[str]:
    """Every key of a tree of dicts, dotted, inner nodes included, Hydra's own left out."""
    if not isinstance(node, dict):
        return []
    keys = []
    for name, value in node.items():
        if not str(name).endswith("_"):
            keys += [f"{prefix}{name}", *leaves(value, f"{prefix}{name}.")]
    return keys


def listing(options: Collection[str]) -> str:
    """``a, b, c``, cut short where it would not fit a line."""
    shown = ""
    for option in sorted(set(options)):
        if len(shown) + len(option) > ROOM:
            return shown + ", ..."
        shown += f", {option}" if shown else option
    return shown


def one_line(text: str, limit: int = 160) -> str:
    """``text`` without line breaks, cut at ``limit`` characters."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
