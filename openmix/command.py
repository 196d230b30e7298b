"""The life of ``tools/train.py``: what is asked for, in which order, with which exit code."""

import os
import signal
import sys
import traceback
from pathlib import Path

from openmix import places
from openmix.config import Composed, check, compose, expand
from openmix.errors import ConfigError, Diverged, Interrupted, Unsupported
from openmix.identity import Identity
from openmix.reason import one_line
from openmix.terminal import CTRL_C, REFUSED

FAILED, REQUEUE = 1, 75
"""Exit codes; 75 (EX_TEMPFAIL): the run has saved itself and is to be started again."""

RANK = int(os.environ.get("RANK", 0))
SPEAKS = RANK == 0
"""Of several processes of a run, one speaks; of an error, the one that met it."""


def train(overrides: list[str], grid: bool) -> int:
    """Run ``overrides``, or each point of their grid, and return the exit code.

    Every point is checked before the first is run. What is refused writes nothing; in a grid the
    others go on past a point whose mixup and backbone do not go together.
    """
    try:
        points = [compose(point) for point in (expand(overrides) if grid else [overrides])]
        refused = [_unsupported(point) for point in points]
        runs = [Identity.of(point) for point in points]
        for identity, reason in zip(runs, refused, strict=True):
            if reason is None:
                _result(identity)
    except ConfigError as error:
        return _say(error, REFUSED)
    codes = []
    for identity, reason in zip(runs, refused, strict=True):
        code, error = (_say(reason, REFUSED), reason) if reason else carry_out(identity)
        codes.append(0 if grid and isinstance(error, Unsupported) else code)
        # Of several processes, one that is still at this run would not join the others at the next.
        apart = hasattr(error, "speaker") and not isinstance(error, Unsupported)
        if code in (REQUEUE, CTRL_C) or apart:
            break
    return max(codes)


def _unsupported(composed: Composed) -> Unsupported | None:
    """Raise ConfigError for a bad config; return what speaks against the pair, if anything."""
    try:
        return check(composed)
    except Unsupported as error:
        return error


def _result(identity: Identity) -> dict | None:
    """The record of a run that need not be trained; None where it has to.

    Raises ConfigError where the result is of other data or code, or a new one could not be kept.
    """
    record = None if identity.config["force"] else identity.result()
    if record is None and SPEAKS:
        places.of_run(identity)
    return record


def carry_out(identity: Identity, report: Path | None = None) -> tuple[int, Exception | None]:
    """Run one checked point, unless it is done; return the exit code and the error, if any.

    ``report`` is a file that is kept up to date with how far it is.
    """
    code, error = _attempt(identity, report)
    return (_say(error, code) if error else 0), error


def _attempt(identity: Identity, report: Path | None) -> tuple[int, Exception | None]:
    try:
        record = _result(identity)
        if record is None:
            from openmix.runner.run import run  # torch and timm take seconds to import

            record = run(identity, report)
    except Interrupted as error:
        return (CTRL_C if error.signal == signal.SIGINT else REQUEUE), error
    except (ConfigError, Unsupported) as error:
        return REFUSED, error
    except Exception as error:
        if not isinstance(error, Diverged) and _speaks_of(error):
            traceback.print_exc()
        return FAILED, error
    _show(identity, record)
    return 0, None


def _show(identity: Identity, record: dict) -> None:
    rule = identity.config["select"]
    values = record["metrics"].get(rule, {}).items()
    finite = "  ".join(f"{name} {value:.4g}" for name, value in values if value is not None)
    run_name = f"{identity.dataset}  {identity.backbone}  {identity.title}  seed {identity.seed}"
    if SPEAKS:
        print(f"{run_name}  {rule}:  {finite or 'no finite value'}", flush=True)


def _speaks_of(error: Exception) -> bool:
    return getattr(error, "speaker", 0) == RANK


def _say(error: Exception, code: int) -> int:
    if _speaks_of(error):
        print(f"error: {one_line(error)}", file=sys.stderr, flush=True)
    return code
