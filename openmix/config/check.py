"""Check a composed config before anything it names is imported."""

from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from openmix import home
from openmix.config.compose import Composed
from openmix.config.explain import explain
from openmix.config.groups import names
from openmix.config.overlay import check_overlay
from openmix.config.schema import validate
from openmix.config.signature import attribute
from openmix.config.suggest import one_line
from openmix.config.targets import allowed, check_hydra_keys, check_target, nodes
from openmix.config.timm_names import check_timm_name
from openmix.errors import ConfigError, Unsupported


def check(composed: Composed) -> None:
    """Refuse a config that cannot run; return None for one that nothing speaks against.

    Looks at keys, types and ranges of the fixed parts; at every ``_target_``, its place and its
    arguments; and at pairs that exclude each other. Reads sources, imports none of them.

    Raises:
        ConfigError: the first mistake, in one line with its remedy.
        Unsupported: the mixup needs something that the backbone does not provide.
    """
    try:
        tree = OmegaConf.to_container(composed.config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise explain(error, composed.folder, composed.config) from error
    try:
        _check(tree, composed)
    except (ConfigError, Unsupported) as error:
        raise type(error)(one_line(str(error))) from None


def _check(tree: dict[str, Any], composed: Composed) -> None:
    check_overlay(composed.choices, composed.overrides, composed.folder)
    check_hydra_keys(tree)
    validate(tree)
    home.folders(tree)
    prefixes = allowed(tree["allow_targets"])
    for path, node in nodes(tree):
        check_target(path, node, prefixes)
        if node["_target_"] == "timm.create_model" and isinstance(node.get("model_name"), str):
            check_timm_name(node["model_name"], f"{path}.model_name")
    _check_steps(tree)
    _check_pair(tree, composed)


def _check_steps(tree: dict[str, Any]) -> None:
    batch, accumulate = tree["batch_size"], tree["runner"]["accumulate"]
    if batch % accumulate:
        raise ConfigError(
            f"batch_size={batch} cannot be split into runner.accumulate={accumulate} equal parts; "
            f"use batch_size={max(1, round(batch / accumulate)) * accumulate}"
        )
    if tree["select"] == "val" and not tree["dataset"]["val_fraction"]:
        raise ConfigError("select=val needs a validation split: set dataset.val_fraction=0.1")


def _check_pair(tree: dict[str, Any], composed: Composed) -> None:
    """What the mixup looks for inside the network, against what the backbone provides."""
    mixup, backbone = (composed.choices.get(group, group) for group in ("mixup", "backbone"))
    needs = {need: None for _, node in nodes(tree["mixup"]) for need in _needs(node["_target_"])}
    provides = tree["backbone"].get("provides")
    if provides is not None and (lacking := [need for need in needs if need not in provides]):
        fitting = [
            name
            for name in names("backbone", composed.folder)
            if set(needs) <= set(_provides(composed.folder, name))
        ]
        remedy = f"; try backbone={' or '.join(fitting[:2])}" if fitting else ""
        raise Unsupported(
            f"{mixup} needs {' and '.join(lacking)}, which backbone {backbone} does not have"
            f"{remedy}"
        )
    scales = any(attribute(node["_target_"], "scales_rows") for _, node in nodes(tree["mixup"]))
    if scales and attribute(tree["loss"]["_target_"], "linear_in_target") is False:
        raise ConfigError(
            f"{mixup} weighs whole rows of the target, which loss={composed.choices.get('loss')} "
            "cannot take; use loss=ce"
        )
    if needs and tree["runner"]["compile"]:
        raise ConfigError(
            f"runner.compile=true hides the inside of the network, where {mixup} looks for "
            f"{' and '.join(needs)}; use runner.compile=false"
        )


def _needs(target: str) -> tuple[str, ...]:
    found = attribute(target, "needs")
    return found if isinstance(found, tuple) else ()


def _provides(folder: Path, backbone: str) -> list[str]:
    content = yaml.safe_load((folder / "backbone" / f"{backbone}.yaml").read_text(encoding="utf-8"))
    return (content or {}).get("provides") or []
