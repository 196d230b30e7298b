"""Train a run, or go on with it: python tools/train.py +exp=digits_noisy_cutmix seed=1

The same command resumes an interrupted run and shows the result of a finished one.
A grid, one run after the other: python tools/train.py --multirun +exp=digits_noisy mixup=none,fmix
The config, without a run: python tools/train.py --cfg job +exp=cifar100_fmix
"""

import os
import signal
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openmix.config import Composed, check, compose, expand
from openmix.errors import ConfigError, Diverged, Interrupted, Unsupported
from openmix.identity import Identity, one_line

MAIN = os.environ.get("RANK", "0") == "0"  # of several processes, one speaks
REQUEUE = 75  # a run that saved itself and is to be started again (EX_TEMPFAIL)


def main(arguments: list[str]) -> int:
    """Do what the command line asks for; the exit code is 0, 1 (failed), 2 (refused) or 75."""
    flags = {word for word in arguments if word.startswith("-")}
    if flags - {"--multirun", "-m"}:
        import hydra

        configs = str(Path(__file__).resolve().parent.parent / "configs")
        hydra.main(version_base="1.3", config_path=configs, config_name="train")(id)()
        return 0
    overrides = [word for word in arguments if word not in flags]
    try:
        grid = [compose(run) for run in (expand(overrides) if flags else [overrides])]
        refused = [_unsupported(composed) for composed in grid]
    except ConfigError as error:
        return _say(error, 2)
    codes = []
    for composed, error in zip(grid, refused, strict=True):
        codes.append(train(Identity.of(composed), error))
        if codes[-1] > 2:
            break
    return max(0 if code == 2 and flags else code for code in codes)


def _unsupported(composed: Composed) -> Unsupported | None:
    """Raise ConfigError for a bad config; return what speaks against the pair, if anything."""
    try:
        return check(composed)
    except Unsupported as error:
        return error


def train(identity: Identity, refused: Unsupported | None) -> int:
    """Train one run and print its result, or put on record why it cannot be."""
    try:
        record = None if identity.config["force"] else identity.done()
        if refused:
            identity.write(identity.record("unsupported", one_line(refused), facts={}))
            return _say(refused, 2)
        if record is None:
            from openmix.runner.run import run  # torch and timm take seconds to import

            record = run(identity)
    except Interrupted as error:
        return _say(error, 130 if error.signal == signal.SIGINT else REQUEUE)
    except (ConfigError, Unsupported) as error:
        return _say(error, 2)
    except Exception as error:
        if not isinstance(error, Diverged):
            traceback.print_exc()
        return _say(error, 1)
    rule = identity.config["select"]
    values = "  ".join(
        f"{name} {v:.4g}" for name, v in record["metrics"].get(rule, {}).items() if v
    )
    run_name = f"{identity.dataset}  {identity.backbone}  {identity.title}  seed {identity.seed}"
    if MAIN:
        print(f"{run_name}  {rule}:  {values or 'no finite value'}", flush=True)
    return 0


def _say(error: Exception, code: int) -> int:
    if MAIN:
        print(f"error: {one_line(error)}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
