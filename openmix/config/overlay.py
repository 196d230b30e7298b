"""Read what an overlay sets for mixup, to tell when its values would land on another method."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from openmix.config.groups import key_of
from openmix.errors import ConfigError


@dataclass
class Overlay:
    """An overlay of ``exp/`` with all it builds on.

    ``mixup`` is the method it chooses, ``values`` what it sets for that method, ``protocol`` the
    nearest overlay below it that sets nothing for mixup.
    """

    mixup: str | None = None
    values: dict = field(default_factory=dict)
    protocol: str | None = None


def overlay(name: str, folder: Path) -> Overlay:
    """Read ``exp/<name>.yaml`` and, through its defaults list, the overlays it builds on."""
    file = folder / "exp" / f"{name}.yaml"
    content = (yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None) or {}
    found = Overlay()
    for entry in content.get("defaults") or []:
        key, value = next(iter(entry.items())) if isinstance(entry, dict) else ("/exp", entry)
        if key == "/exp" and isinstance(value, str) and value != "_self_":
            base = overlay(value.removeprefix("/exp/"), folder)
            protocol = base.protocol if base.values else value.removeprefix("/exp/")
            found = Overlay(base.mixup, base.values, protocol)
        elif key.removeprefix("override").strip() == "/mixup":
            found.mixup = value
    values = content.get("mixup")
    if isinstance(values, dict):
        found.values = {**found.values, **values}
    return found


def check_overlay(choices: dict[str, str], overrides: list[str], folder: Path) -> None:
    """Refuse an overlay's mixup values on a method that the command line chose instead.

    Hydra would merge them into it: ``+exp=imagenet_mixup mixup=cutmix`` would run CutMix with
    Mixup's alpha. Raises ConfigError that names the protocol overlay.
    """
    chosen = [each.partition("=")[2] for each in overrides if key_of(each) == "mixup"]
    if not chosen:
        return
    for name in choices.get("exp", "").strip("[]").split(","):
        found = overlay(name.strip(), folder)
        if found.values and found.mixup != chosen[-1]:
            plain = (
                f"+exp={found.protocol}" if found.protocol else "an overlay without mixup values"
            )
            raise ConfigError(
                f"+exp={name} sets {', '.join(found.values)} for mixup={found.mixup or 'any'}, not "
                f"for {chosen[-1]}; use {plain} mixup={chosen[-1]}"
            )
