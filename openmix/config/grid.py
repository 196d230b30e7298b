"""A grid of runs, written in Hydra's override grammar."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from openmix.config.compose import FAILURES, hydra_on
from openmix.config.explain import explain
from openmix.config.groups import CONFIGS


def expand(overrides: Sequence[str], config_dir: str | Path = CONFIGS) -> list[list[str]]:
    """The override lists of a grid: ``mixup=none,fmix seed=range(0,3)`` gives six.

    Takes commas, ``choice()``, ``range()`` and ``glob()``; the last varies fastest. Raises
    ConfigError, with one line, for what the grammar does not allow.
    """
    folder = Path(config_dir).resolve()
    try:
        with hydra_on(folder):
            loader = GlobalHydra.instance().config_loader()
            parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
            [runs] = BasicSweeper.split_arguments(parsed, max_batch_size=None)
        return [list(run) for run in runs]
    except FAILURES as error:
        raise explain(error, folder, None) from error


def value_of(override: str) -> Any:
    """What a plain override sets its key to: 3 for ``seed=3``."""
    return OverridesParser.create().parse_override(override).value()
