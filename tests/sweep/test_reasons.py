"""Why a run ended, in one word."""

import errno
import signal

import pytest

from openmix.errors import Busy, ConfigError, DataError, Diverged, Unsupported
from openmix.sweep.reasons import REASONS, reason_of, reason_of_death


class OutOfMemoryError(RuntimeError):
    """As torch calls its own."""


def from_disk(number: int) -> OSError:
    try:
        raise OSError("cannot write the checkpoint") from OSError(number, "no")
    except OSError as error:
        return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OutOfMemoryError("x"), "oom"),
        (MemoryError(), "oom"),
        (RuntimeError("CUDA error: out of memory"), "oom"),
        (Diverged("x"), "nan"),
        (DataError("x"), "data"),
        (ConfigError("x"), "config"),
        (Busy("x"), "busy"),
        (Unsupported("x"), "unsupported"),
        (OSError(errno.ENOSPC, "x"), "disk"),
        (OSError(errno.EROFS, "x"), "disk"),
        (from_disk(errno.EDQUOT), "disk"),
        (FileNotFoundError(errno.ENOENT, "x"), "code"),
        (KeyError("x"), "code"),
    ],
)
def test_the_reason_for_an_exception(error, reason):
    assert reason_of(error) == reason
    assert reason in {*REASONS, "busy", "unsupported"}


@pytest.mark.parametrize(
    ("number", "log", "reason"),
    [
        (signal.SIGKILL, "epoch 3", "killed"),
        (signal.SIGKILL, "slurmstepd: error: Detected 1 oom_kill event", "oom"),
        (signal.SIGSEGV, "", "code"),
    ],
)
def test_the_reason_for_a_death(number, log, reason):
    found, message = reason_of_death(number, log)
    assert found == reason and signal.Signals(number).name in message
