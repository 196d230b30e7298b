"""Hydra's flags, which are those of ``tools/train.py``: followed, or refused with a remedy."""

import argparse
import sys
from collections.abc import Sequence

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import OmegaConf

from openmix.config.compose import FAILURES, compose
from openmix.config.explain import explain
from openmix.config.groups import CONFIGS
from openmix.config.hydras import OWN_FILES
from openmix.errors import ConfigError

FLAGS = {
    "config_path": OWN_FILES,
    "config_dir": OWN_FILES,
    "config_name": f"put it into {CONFIGS / 'exp'} as NAME.yaml and write +exp=NAME",
    "experimental_rerun": "the command of a run is in its record, under overrides",
}
"""What to do instead of giving a flag."""

SHOWING = ("cfg", "info", "hydra_help", "shell_completion")


def read(words: Sequence[str]) -> argparse.Namespace:
    """The flags among ``words``, wherever they stand, and the ``overrides``.

    Raises ConfigError for flags that openmix does not follow, and for those that contradict.
    """
    parser = get_args_parser()
    parser.error = _fail
    asked = parser.parse_intermixed_args(words)
    if (asked.config_name or "").removesuffix(".yaml") == "train":
        asked.config_name = None
    for name, remedy in FLAGS.items():
        if getattr(asked, name) is not None:
            raise ConfigError(f"--{name.replace('_', '-')} is not followed; {remedy}")
    commands = [name for name in ("run", "multirun", *SHOWING) if getattr(asked, name)]
    if len(commands) > 1:
        told = " and ".join(f"--{name.replace('_', '-')}" for name in commands)
        raise ConfigError(f"{told} exclude each other")
    if (asked.resolve or asked.package) and not asked.cfg:
        raise ConfigError("--resolve and --package go with --cfg job")
    return asked


def _fail(message: str) -> None:
    unknown = message.removeprefix("unrecognized arguments: ")
    if unknown != message:
        raise ConfigError(f"unknown option '{unknown}'; settings are written KEY=VALUE")
    raise ConfigError(message)


def show(asked: argparse.Namespace, words: Sequence[str]) -> None:
    """Have Hydra print what one of its showing flags asks for.

    Raises ConfigError where the overrides cannot be composed.
    """
    if not asked.shell_completion:  # its words are no overrides
        _check(asked)
    flags = [word for word in words if word not in asked.overrides]
    sys.argv[1:] = [*asked.overrides, *flags]  # Hydra does not take them in any order
    hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="train")(id)()


def _check(asked: argparse.Namespace) -> None:
    config = compose(asked.overrides).config
    try:
        OmegaConf.to_container(config, resolve=asked.resolve)
        found = OmegaConf.select(config, asked.package or "")
    except FAILURES as error:
        raise explain(error, CONFIGS, config) from error
    if asked.cfg == "job" and found is None:
        raise ConfigError(f"there is no {asked.package} in the config")
