"""A grid of runs, written in Hydra's override grammar."""

from collections.abc import Sequence
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from openmix.config.compose import FAILURES, hydra_on
from openmix.config.explain import explain
from openmix.config.groups import CONFIGS, groups, key_of, names
from openmix.config.hydras import refuse
from openmix.config.suggest import listing
from openmix.errors import ConfigError

MOST = 100_000
"""Points of a grid; more are a slip of the keyboard, and would fill the memory."""


def expand(overrides: Sequence[str], config_dir: str | Path = CONFIGS) -> list[list[str]]:
    """The override lists of a grid: ``mixup=none,fmix seed=range(0,3)`` gives six.

    Takes commas, ``choice()``, ``range()`` and ``glob()``; the last varies fastest. Raises
    ConfigError, with one line, for what the grammar does not allow, and for a grid of no point.
    """
    folder = Path(config_dir).resolve()
    refuse(overrides)
    try:
        with hydra_on(folder):
            loader = GlobalHydra.instance().config_loader()
            parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
            if prod(_points(override, folder) for override in parsed) > MOST:
                raise ConfigError(f"a grid of more than {MOST} points; make several of it")
            [runs] = BasicSweeper.split_arguments(parsed, max_batch_size=None)
        return [list(run) for run in runs]
    except FAILURES as error:
        raise explain(error, folder, None) from error


def _points(override: Override, folder: Path) -> int:
    """How many values an override has, or one more than :data:`MOST`. ConfigError for none."""
    if not override.is_sweep_override():
        return 1
    word = override.input_line
    if not override.is_discrete_sweep():
        raise ConfigError(f"{word} is no list of values; write range(0,3) or values with commas")
    try:
        count = sum(1 for _ in islice(override.sweep_string_iterator(), MOST + 1))
    except ValueError as error:
        raise ConfigError(f"{word}: {error}") from None
    if not count and key_of(word) in groups(folder):
        available = listing(names(key_of(word), folder))
        raise ConfigError(f"{word} fits no option; available: {available}")
    if not count:
        raise ConfigError(f"{word} has no value; range(0,3) gives 0, 1 and 2")
    return count


def value_of(override: str) -> Any:
    """What a plain override sets its key to: 3 for ``seed=3``."""
    return OverridesParser.create().parse_override(override).value()
