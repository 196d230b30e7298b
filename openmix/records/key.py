"""What makes two runs the same run: hashes of the configuration that can change the numbers."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LEFT_OUT = {
    "seed": "told apart beside the key, so that seeds of one setting share it",
    "force": "whether to run, not what",
    "select": "every rule is in the record",
    "allow_targets": "which code may be named; the named code is in the key",
    "paths": "where files lie",
    "logger": "who watches",
    "protocol": "a name",
    "dataset.source.root": "where files lie; the record holds a checksum of the data",
    "dataset.source.download": "how the files came here",
    "evaluation.batch_size": "speed; evaluation sees each image by itself",
    "backbone.provides": "a statement for checks; the network is the same",
    "runner.device": "where it runs; the record holds the device",
    "runner.workers": "batches are the same for any number of workers",
    "runner.threads": "speed",
    "runner.log_every": "what is printed",
    "runner.checkpoint_seconds": "a resumed run is equal to one never stopped",
    "runner.keep": "what stays on disk",
}
"""Dotted config keys that are no part of a run's identity, each with the reason.

Kept on purpose: ``runner.compile``, ``amp``, ``deterministic`` and ``channels_last`` change
rounding, ``runner.hooks`` can change anything, ``runner.eval_every`` decides which epochs are
selected from.
"""

CAME_LATER: dict[str, Any] = {
    "dataset.name": None,
    "openmix.mixups.resizemix.ResizeMix.place": "uniform",
    "openmix.mixups.samix.SAMix.adjust": 0,
}
"""Entries that configs did not always have, with the value that means what was done before.

So valued, an entry is no part of the key, and runs from before it came keep theirs. A name is a
dotted path of the config, or that of a class and its option (``pkg.module.Class.option``), which
holds wherever the class is named.
"""

ROW = ("method", "mixup")
"""Groups that make the row of a board; all else makes its column."""

MOVED: dict[str, str] = {}
"""Classes and functions that moved: the ``_target_`` of today, and the one by which keys know it.

The old name stays importable.
"""


def key(config: Mapping[str, Any]) -> str:
    """Identify a run but for its seed: 12 hex digits over all config that can change the numbers.

    ``config`` is the resolved tree (plain dict or DictConfig). Order of keys and the way a number
    is written (1 or 1.0, 1e-4 or 0.0001) make no difference.
    """
    return _digest(relevant(config))


def protocol_key(config: Mapping[str, Any]) -> str:
    """Identify what all methods of one leaderboard column share: all but :data:`ROW`."""
    return _digest(protocol(config))


def protocol(config: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`relevant` keeps of a config, without the row of a board."""
    return {name: part for name, part in relevant(config).items() if name not in ROW}


def variant(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Name the ``mixup`` values that differ from its group file, e.g. ``"alpha=0.5 decay=2"``.

    ``config`` is the whole resolved tree, ``defaults`` the chosen mixup file's own values. Defaults
    that are interpolations follow other parts of the config and do not count.
    """
    given, usual = flatten(canonical(config["mixup"])), flatten(canonical(defaults))
    changed = [
        f"{name}={text(value)}"
        for name, value in given.items()
        if name not in usual or (usual[name] != value and "${" not in str(usual[name]))
    ]
    removed = [f"~{name}" for name in usual if name not in given]
    return " ".join(sorted(changed) + sorted(removed))


def relevant(config: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the config in canonical form, as keys know it.

    Without the entries of :data:`LEFT_OUT`, and as if those of :data:`CAME_LATER` and
    :data:`MOVED` had never come or moved.
    """
    tree = _as_before(canonical(config))
    for dotted in LEFT_OUT:
        *parents, leaf = dotted.split(".")
        node = tree
        for name in parents:
            node = node.get(name) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(leaf, None)
    return tree


def _as_before(node: Any, path: str = "") -> Any:
    if isinstance(node, list):
        return [_as_before(item, f"{path}.{number}") for number, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    target = node.get("_target_")
    kept = {}
    for name, value in node.items():
        names = (f"{path}.{name}" if path else name, f"{target}.{name}")
        value = _as_before(value, names[0])
        if not any(each in CAME_LATER and _same(CAME_LATER[each], value) for each in names):
            kept[name] = value
    if isinstance(target, str):
        kept["_target_"] = MOVED.get(target, target)
    return kept


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON, where 1 and true are two things."""
    return json.dumps(canonical(one), sort_keys=True) == json.dumps(other, sort_keys=True)


def canonical(value: Any) -> Any:
    """Copy as plain dicts, lists and scalars; whole floats as integers, as YAML has 1 and 1.0."""
    if isinstance(value, Mapping):
        return {str(name): canonical(value[name]) for name in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Map dotted names to leaves; a list of scalars is one leaf, as it is one override."""
    return dict(_leaves(tree, prefix))


def text(value: Any) -> str:
    """Write one config value as Hydra takes it on the command line."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _leaves(node: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        children = node.items()
    elif isinstance(node, list) and any(isinstance(item, dict | list) for item in node):
        children = enumerate(node)
    else:
        yield prefix, node
        return
    for name, child in children:
        yield from _leaves(child, f"{prefix}.{name}" if prefix else str(name))


def _digest(tree: Any) -> str:
    plain = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:12]
