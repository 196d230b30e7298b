"""Check a ``_target_``: whether it may be named, exists, and takes what it is given."""

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from openmix.config.signature import Parameter, Signature, signature
from openmix.config.source import locate
from openmix.config.suggest import hint, listing, nearest
from openmix.config.values import mistake, not_a_number
from openmix.errors import ConfigError

ALLOWED = (
    "openmix.",
    "torch.optim.",
    "torch.nn.",
    "timm.create_model",
    "timm.optim.",
    "torchvision.transforms.",
    "mmengine.hooks.",
    "mmengine.optim.",
)
"""What ``_target_`` may name: all below a prefix that ends with a dot, or exactly the name."""

NEVER_ALLOWED = {*sys.stdlib_module_names, "hydra", "omegaconf", "torch", "numpy", "pip"}
"""Packages that ``allow_targets`` cannot add: they hold functions that run anything."""

RUNNERS_OWN = {"backbone": {"provides"}, "optimizer": {"decay_all"}}
"""Keys of a target's node that openmix reads itself and does not pass on."""

HYDRAS = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")
CONVERSIONS = ("none", "partial", "object", "all")


def nodes(tree: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node that has a ``_target_``, with its dotted path, outer ones first."""
    if isinstance(tree, dict):
        if "_target_" in tree:
            yield path, tree
        for key, value in tree.items():
            yield from nodes(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from nodes(value, f"{path}.{index}")


def allowed(prefixes: Sequence[str]) -> tuple[str, ...]:
    """The allow-list with the user's own ``prefixes``; ConfigError for one that is no package."""
    for prefix in prefixes:
        if not re.fullmatch(r"([^\W\d]\w*\.)+", prefix):
            raise ConfigError(
                f"allow_targets: '{prefix}' must be a package with a dot behind it, as in 'my_lab.'"
            )
        if prefix.partition(".")[0] in NEVER_ALLOWED:
            raise ConfigError(
                f"allow_targets: '{prefix}' cannot be allowed; put a function that calls it "
                "into a package of your own"
            )
    return (*ALLOWED, *prefixes)


def check_hydra_keys(tree: Any, path: str = "") -> None:
    """Refuse a misspelt ``_target_``, wrong values for Hydra's other keys, and interpolation.

    ``tree`` is resolved, so text with ``${`` was escaped; Hydra would resolve it once more when it
    instantiates, past all checks. Raises ConfigError.
    """
    if isinstance(tree, str) and "${" in tree:
        raise ConfigError(f"{path.rstrip('.')} must not hold an escaped interpolation: {tree}")
    if isinstance(tree, list):
        for index, value in enumerate(tree):
            check_hydra_keys(value, f"{path}{index}.")
    if not isinstance(tree, dict):
        return
    for key, value in tree.items():
        key = str(key)
        if re.fullmatch(r"_.*_", key) and key not in HYDRAS:
            raise ConfigError(f"unknown key '{path}{key}'{hint(key, HYDRAS)}")
        check_hydra_keys(value, f"{path}{key}.")
    for key in ("_partial_", "_recursive_"):
        if not isinstance(tree.get(key, True), bool):
            raise ConfigError(f"{path}{key} must be true or false, not {tree[key]}")
    if str(tree.get("_convert_", "none")).lower() not in CONVERSIONS:
        raise ConfigError(f"{path}_convert_ must be one of {listing(CONVERSIONS)}")
    if not isinstance(tree.get("_args_", []), list):
        raise ConfigError(f"{path}_args_ must be a list")


def check_target(path: str, node: dict[str, Any], prefixes: Sequence[str]) -> None:
    """Check one node: its target against the allow-list, its keys against the signature.

    Call-time arguments: a node with ``_partial_: true`` gets further arguments when it is called
    (an optimizer its ``params``), so its positional parameters may be missing here. What the source
    does not tell is left to build time. Raises ConfigError.
    """
    target = node["_target_"]
    _check_place(target, f"{path}._target_", prefixes)
    known = signature(target)
    if known is None:
        return
    given = {key: value for key, value in node.items() if key not in HYDRAS}
    for key in RUNNERS_OWN.get(path, ()):
        given.pop(key, None)
    _check_names(path, target, known, given)
    positional = node.get("_args_", [])
    if len(positional) > len(known.positional) and not known.accepts_args:
        raise ConfigError(f"{path}._args_ has {len(positional)} items, too many for {target}")
    filled = dict(zip(known.names, positional, strict=False))
    if twice := filled.keys() & given.keys():
        raise ConfigError(f"{path}.{min(twice)} is given twice: by name and in _args_")
    _check_missing(path, target, known, filled.keys() | given.keys(), node.get("_partial_", False))
    for parameter in known.parameters:
        for values in (filled, given):
            if parameter.name in values:
                _check_value(path, parameter, values[parameter.name])


def _check_place(target: Any, path: str, prefixes: Sequence[str]) -> None:
    if not isinstance(target, str) or not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", target):
        raise ConfigError(f"{path} must be a dotted path, as torch.optim.SGD, not '{target}'")
    if not _permitted(target, prefixes):
        raise ConfigError(f"{path}: {target} is not allowed; {_allow(target, prefixes)}")
    try:
        definition = locate(target)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    if target not in prefixes and not _permitted(definition.path, prefixes):
        raise ConfigError(f"{path}: {target} leads to {definition.path}, which is not allowed")


def _allow(target: str, prefixes: Sequence[str]) -> str:
    """What to do about a target that is not allowed."""
    top, *rest = target.split(".")
    heads = {prefix.rstrip(".") for prefix in prefixes}
    for head in (top, f"{top}.{rest[0]}"):
        if (near := nearest(head, heads, cutoff=0.8)) and near != head:
            return f"did you mean {near}?"
    if top in NEVER_ALLOWED or top in {prefix.partition(".")[0] for prefix in prefixes}:
        return f"allowed are {listing(prefixes)}"
    return f"if you trust it: 'allow_targets=[{top}.]'"


def _permitted(target: str, prefixes: Sequence[str]) -> bool:
    return any(
        target.startswith(prefix) if prefix.endswith(".") else target == prefix
        for prefix in prefixes
    )


def _check_names(path: str, target: str, known: Signature, given: dict[str, Any]) -> None:
    if known.accepts_any:
        return
    for key in given:
        if key not in known.names:
            near = nearest(str(key), known.names)
            takes = listing([name for name in known.names]) or "nothing"
            remedy = f"did you mean '{path}.{near}'?" if near else f"it takes {takes}"
            raise ConfigError(f"unknown key '{path}.{key}' for {target}; {remedy}")


def _check_missing(
    path: str, target: str, known: Signature, given: set[str], partial: bool
) -> None:
    for parameter in known.parameters:
        later = partial and not parameter.keyword_only
        if parameter.required and not later and parameter.name not in given:
            raise ConfigError(
                f"{path}.{parameter.name} is missing; {target} needs it: "
                f"{path}.{parameter.name}=VALUE"
            )


def _check_value(path: str, parameter: Parameter, value: Any) -> None:
    if any(True for _ in nodes(value)):
        return
    if not_a_number(value):
        raise ConfigError(f"{path}.{parameter.name} must be a number, not nan")
    if wrong := mistake(parameter, value, f"{path}.{parameter.name}"):
        raise ConfigError(wrong)
