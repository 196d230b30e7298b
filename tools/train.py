"""Train a run, or go on with it: python tools/train.py +exp=digits_noisy_cutmix seed=1

The same command resumes an interrupted run and shows the result of a finished one.
A grid, one run after the other: python tools/train.py --multirun +exp=digits_noisy mixup=none,fmix
The config, without a run: python tools/train.py --cfg job +exp=cifar100_fmix
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from openmix import command

GRID = {"--multirun", "-m"}


def main(arguments: list[str]) -> int:
    flags = {word for word in arguments if word.startswith("-")}
    if flags - GRID:  # Hydra's own: --cfg, --info, --help, ...
        import hydra

        configs = str(ROOT / "configs")
        hydra.main(version_base="1.3", config_path=configs, config_name="train")(id)()
        return 0
    return command.train([word for word in arguments if word not in flags], grid=bool(flags))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
