"""Where curves go besides the record: Weights & Biases, TensorBoard."""

import importlib.util
import netrc
import os
from collections.abc import Mapping

from openmix.errors import ConfigError
from openmix.identity import Identity


def backends(logger: Mapping, identity: Identity) -> list[dict]:
    """mmengine's back ends for ``cfg.logger``.

    Raises ConfigError when a back end is not installed.
    """
    return [
        {"wandb": _wandb, "tensorboard": _tensorboard}[name](logger, identity)
        for name in logger["backends"]
    ]


def _wandb(logger: Mapping, identity: Identity) -> dict:
    _require("wandb", "wandb")
    mode = logger["mode"]
    if mode == "auto":
        mode = "online" if _has_key() else "offline"
    names = {name: getattr(identity, name) for name in ("dataset", "backbone", "mixup", "variant")}
    return dict(
        type="WandbVisBackend",
        save_dir=str(identity.folder),
        init_kwargs=dict(
            project=logger["project"],
            id=str(identity),
            name=f"{identity.dataset} {identity.backbone} {identity.title} {identity.seed}",
            resume="allow",
            mode=mode,
            config=identity.config | {"chosen": names},
        ),
    )


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
