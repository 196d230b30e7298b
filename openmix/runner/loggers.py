"""Where curves go besides the record: Weights & Biases, TensorBoard."""

import importlib.util
import netrc
import os
from collections.abc import Mapping

from openmix.config.groups import key_of
from openmix.errors import ConfigError
from openmix.identity import Identity

MODES = ("online", "offline", "shared", "disabled", "dryrun", "run")
"""What wandb takes for WANDB_MODE; dryrun and run are its older words."""


def backends(logger: Mapping, identity: Identity) -> list[dict]:
    """mmengine's back ends for ``cfg.logger``; none for a wandb that is disabled.

    Raises ConfigError when a back end is not installed.
    """
    made = {"wandb": _wandb, "tensorboard": _tensorboard}
    return list(filter(None, (made[name](logger, identity) for name in logger["backends"])))


def _wandb(logger: Mapping, identity: Identity) -> dict | None:
    """Wandb's own variables win over what openmix says, words of the command line over both."""
    mode = _mode(logger)
    if mode == "disabled":
        return None
    _require("wandb", "wandb")
    names = {name: getattr(identity, name) for name in ("dataset", "backbone", "mixup", "variant")}
    usual = dict(
        project=logger["project"],
        id=str(identity),
        name=f"{identity.dataset} {identity.backbone} {identity.title} {identity.seed}",
        resume="allow",
        dir=str(identity.folder),
    )
    typed = {"project"} if "logger.project" in map(key_of, identity.overrides) else set()
    for name in usual.keys() - typed:
        variable = {"id": "WANDB_RUN_ID"}.get(name, f"WANDB_{name.upper()}")
        usual[name] = os.environ.get(variable) or usual[name]
    chosen = identity.config | {"chosen": names}
    return dict(
        type="WandbVisBackend",
        save_dir=str(identity.folder),
        init_kwargs=usual | dict(mode=mode, config=chosen),
    )


def _mode(logger: Mapping) -> str:
    asked = os.environ.get("WANDB_MODE")
    if logger["mode"] != "auto":
        return logger["mode"]
    if asked and asked not in MODES:
        raise ConfigError(f"WANDB_MODE={asked} is none of {', '.join(MODES)}")
    return asked or ("online" if _has_key() else "offline")


def _tensorboard(logger: Mapping, identity: Identity) -> dict:
    _require("tensorboard", "tensorboard")
    return dict(type="TensorboardVisBackend", save_dir=str(identity.folder / "tensorboard"))


def _require(module: str, package: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"logger={module} needs the package {package}: pip install {package}")


def _has_key() -> bool:
    """Whether wandb would find a key without asking."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError):
        return False
