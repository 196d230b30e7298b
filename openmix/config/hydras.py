"""Settings of Hydra's own, which are no part of a run, and what to write instead."""

import re
from collections.abc import Sequence

from openmix.config.groups import CONFIGS, key_of
from openmix.errors import ConfigError

OWN_FILES = f"put yaml files of your own into the groups of {CONFIGS}"

INSTEAD = {
    r"(run|sweep)\.|output_subdir": "paths.runs=DIR and paths.records=DIR say where results go",
    r"job\.chdir": "a run stays where it was called; paths.runs=DIR says where its files go",
    r"launcher|sweeper|job_queue": "several runs at a time, here or on SLURM: tools/sweep.py",
    r"searchpath": OWN_FILES,
    r"mode": "several runs one after the other: --multirun",
    r"job_logging|hydra_logging|verbose": "logger=tensorboard or logger=wandb draws curves",
    r"": "openmix has no use for it",
}
"""What to write instead of ``hydra.KEY=...`` and ``hydra/GROUP=...``, the first that fits."""


def refuse(overrides: Sequence[str]) -> None:
    """Raise ConfigError for a setting of Hydra's own: its node is no part of a run."""
    for word in overrides:
        if found := re.fullmatch(r"hydra([./@].*)?", key := key_of(word)):
            rest = (found[1] or "")[1:]
            remedy = next(text for start, text in INSTEAD.items() if re.match(start, rest))
            raise ConfigError(f"{key} is not followed; {remedy}")
