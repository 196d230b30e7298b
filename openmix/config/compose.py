"""Compose the config of one run, and say in one line why it cannot be composed."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import hydra
import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from openmix.config.explain import explain
from openmix.config.groups import CONFIGS, groups, key_of
from openmix.config.hydras import refuse
from openmix.errors import ConfigError

FAILURES = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, TypeError)


@dataclass(frozen=True)
class Composed:
    """The config of one run and where it came from.

    ``choices`` maps each group to the chosen option (``{"mixup": "fmix", "exp": "cifar100"}``);
    ``mixup_defaults`` are the resolved values of the chosen mixup's own file, before any overlay or
    override; ``folder`` is the folder of yaml files all of it was read from.
    """

    config: DictConfig
    choices: dict[str, str]
    overrides: list[str]
    mixup_defaults: dict = field(default_factory=dict)
    folder: Path = CONFIGS


def folder_name(path: str) -> str:
    """What a folder is called, wherever it lies."""
    return Path(os.path.abspath(os.path.expanduser(path))).name or "root"


OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)


def compose(overrides: Sequence[str] = (), config_dir: str | Path = CONFIGS) -> Composed:
    """Compose ``train.yaml`` with ``overrides``, written as on the command line.

    Imports and instantiates nothing of what the config names. Raises ConfigError, with one line,
    for whatever Hydra, OmegaConf or YAML find wrong. Works inside a ``hydra.main`` as well.
    """
    overrides, folder = list(overrides), Path(config_dir).resolve()
    if not (folder / "train.yaml").is_file():
        raise ConfigError(f"no train.yaml in {folder}; run from a checkout of openmix")
    refuse(overrides)
    try:
        with hydra_on(folder):
            config = hydra.compose("train", overrides, return_hydra_config=True)
            choices = _choices(config)
            defaults = mixup_defaults(config, choices.get("mixup"), folder)
        return Composed(config, choices, overrides, defaults, folder)
    except FAILURES as error:
        raise explain(error, folder, _tree(overrides, folder)) from error


@contextmanager
def hydra_on(folder: Path) -> Iterator[None]:
    """Hydra on ``folder``; the Hydra of a surrounding ``hydra.main`` is put back afterwards."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(folder), job_name="train", version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = outer


def _choices(config: DictConfig) -> dict[str, str]:
    """Take Hydra's own node out of ``config`` and return what was chosen in each group."""
    choices = OmegaConf.to_container(config.hydra.runtime.choices)
    with open_dict(config):
        del config["hydra"]
    chosen = {
        group: str(name).removesuffix(".yaml")
        for group, name in choices.items()
        if name and not group.startswith("hydra/")
    }
    for group, name in chosen.items():
        if ".." in name.split("/"):  # names stand in paths of results
            raise ConfigError(f"{group}={name}: give the name of an option, not a path")
    return chosen


def mixup_defaults(config: DictConfig, name: str | None, folder: Path) -> dict:
    """The values of ``mixup/<name>.yaml``, resolved against the rest of ``config``."""
    if not name:
        return {}
    own = _mixup_file(name, folder)
    if "${" in str(own):
        own = OmegaConf.create({**OmegaConf.to_container(config), "mixup": own}).mixup
    return OmegaConf.to_container(own, resolve=True) or {}


def _mixup_file(name: str, folder: Path) -> DictConfig:
    file = folder / "mixup" / f"{name}.yaml"
    if file.is_file() and not re.search("^defaults:|@package", file.read_text("utf-8"), re.M):
        return OmegaConf.load(file)  # as Hydra would, in a tenth of the time
    with hydra_on(folder):
        return hydra.compose(f"mixup/{name}").get("mixup", {})


def _tree(overrides: list[str], folder: Path) -> DictConfig | None:
    """What the choices of groups alone compose to: the keys that an override can name."""
    chosen = [override for override in overrides if key_of(override) in groups(folder)]
    for attempt in (chosen, []):
        try:
            with hydra_on(folder):
                return hydra.compose("train", attempt)
        except FAILURES:
            continue
    return None
