"""Read what an overlay sets for which option, to tell when its values would land on another."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from openmix.config.groups import groups, key_of
from openmix.config.hydras import refuse
from openmix.errors import ConfigError


@dataclass
class Overlay:
    """An overlay of ``exp/`` with all it builds on.

    ``options`` are the choices it makes (``{"optimizer": "sgd"}``), ``values`` what it sets inside
    each group (``{"optimizer": {"lr": 0.1}}``), ``protocol`` the nearest overlay below it that sets
    nothing for mixup.
    """

    options: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict] = field(default_factory=dict)
    protocol: str | None = None


def overlay(name: str, folder: Path) -> Overlay:
    """Read ``exp/<name>.yaml`` and, through its defaults list, the overlays it builds on."""
    file = folder / "exp" / f"{name}.yaml"
    content = (yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None) or {}
    refuse([f"hydra.{key}" for key in content.get("hydra") or ()])
    found = Overlay()
    for entry in content.get("defaults") or []:
        key, value = next(iter(entry.items())) if isinstance(entry, dict) else ("/exp", entry)
        if key == "/exp" and isinstance(value, str) and value != "_self_":
            base = overlay(value.removeprefix("/exp/"), folder)
            sets_mixup = "mixup" in base.values
            protocol = base.protocol if sets_mixup else value.removeprefix("/exp/")
            found = Overlay({**base.options}, {**base.values}, protocol)
        elif key.startswith("override"):
            found.options[key.removeprefix("override").strip().lstrip("/")] = value
    for group in groups(folder):
        if isinstance(values := content.get(group), dict):
            found.values[group] = {**found.values.get(group, {}), **values}
    return found


def check_overlay(choices: dict[str, str], overrides: list[str], folder: Path) -> None:
    """Refuse an overlay's values on an option that the command line chose instead.

    Hydra would merge them into it: ``+exp=imagenet_mixup mixup=cutmix`` would run CutMix with
    Mixup's alpha, ``+exp=cifar100 optimizer=adamw`` AdamW with SGD's learning rate. Values that the
    command line gives itself are its own affair, and those for the runner hold for all its options.
    Raises ConfigError that says what to give.
    """
    given = {key_of(each): each.partition("=")[2] for each in overrides}
    for name in choices.get("exp", "").strip("[]").split(","):
        found = overlay(name.strip(), folder)
        for group, values in found.values.items():
            usual, chosen = found.options.get(group), given.get(group)
            if group == "runner" and usual is None:
                continue  # its options are settings of one thing
            foreign = [f"{group}.{key}" for key in values if f"{group}.{key}" not in given]
            if chosen is None or chosen == usual or not foreign:
                continue
            if group == "mixup":
                protocol = found.protocol and f"+exp={found.protocol}"
                remedy = f"use {protocol or 'an overlay without mixup values'} mixup={chosen}"
            else:
                remedy = f"give {chosen} its own: {' '.join(f'{key}=...' for key in foreign)}"
            raise ConfigError(
                f"+exp={name} sets {', '.join(foreign)} for {group}={usual or 'any'}, not for "
                f"{chosen}; {remedy}"
            )
