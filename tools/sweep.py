"""Carry out a grid of runs, on this machine or on SLURM: python tools/sweep.py VERB NAME [WORD ...]

plan NAME WORD...       show how many runs there are, what is done, how long the rest may take
launch NAME [WORD...]   start what is not done and return; without words, what is left of a sweep
status NAME [STATE...]  how the runs stand; exit code 1 if some have failed
wait NAME               the same, once nothing runs any more
logs NAME RUN           what a run has printed
retry NAME [reason=R]   start failed runs again
cancel NAME             start nothing more, and let what runs save itself
collect NAME            the leaderboard of this sweep

Words are overrides in Hydra's grammar, as for tools/train.py --multirun, and a launcher's settings:
    python tools/sweep.py launch first +exp=digits 'mixup=glob(*)' 'seed=range(0,5)' launcher.jobs=2
    python tools/sweep.py launch big +exp=cifar100 'mixup=glob(*)' launcher=slurm fail_fast=5
Sweeps lie in sweeps/, or where OPENMIX_SWEEPS says. More in docs/sweeps.md.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openmix import terminal
from openmix.errors import ConfigError
from openmix.sweep.launcher import LaunchError
from openmix.sweep.verbs import VERBS


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__)
        return 0
    verb, *rest = arguments
    if verb not in VERBS or not rest:
        raise ConfigError(f"write VERB NAME [WORD ...]; verbs: {', '.join(VERBS)}")
    try:
        return VERBS[verb](rest[0], rest[1:])
    except LaunchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(terminal.run(main, __doc__))
