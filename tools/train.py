"""Train a run, or go on with it: python tools/train.py +exp=digits_noisy_cutmix seed=1

The same command resumes an interrupted run and shows the result of a finished one.
A grid, one run after the other: python tools/train.py --multirun +exp=digits_noisy mixup=none,fmix
The config, without a run: python tools/train.py --cfg job +exp=cifar100_fmix
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openmix import command, flags, terminal
from openmix.config import names
from openmix.config.groups import groups


def main(words: list[str]) -> int:
    asked = flags.read(words)
    if asked.help:
        print(__doc__)
        print(*(f"{group}: {', '.join(names(group))}" for group in groups()), sep="\n")
        return 0
    if any(getattr(asked, name) for name in flags.SHOWING):
        flags.show(asked, words)
        return 0
    return command.train(asked.overrides, grid=asked.multirun)


if __name__ == "__main__":
    sys.exit(terminal.run(main))
