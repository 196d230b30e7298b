"""Why a run ended: one word for each cause that a person would act on differently."""

import errno
import re
import signal

from openmix.errors import Busy, ConfigError, DataError, Diverged, Unsupported

REASONS = {
    "oom": "out of memory, of the GPU or the host",
    "timeout": "the time limit ended it before one step was saved",
    "nan": "loss or weights were no longer finite",
    "config": "the configuration cannot run",
    "data": "a data set is missing or damaged",
    "disk": "files could not be written",
    "killed": "killed from outside; `launch` starts it again",
    "code": "an error in the code",
}
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM,
        errno.ENOTDIR, errno.EIO}  # fmt: skip


def reason_of(error: BaseException) -> str:
    """The reason for an exception; besides :data:`REASONS`, ``unsupported`` and ``busy``."""
    kinds = {Unsupported: "unsupported", Busy: "busy", DataError: "data", ConfigError: "config",
             Diverged: "nan", MemoryError: "oom"}  # fmt: skip
    for kind, reason in kinds.items():
        if isinstance(error, kind):
            return reason
    if "OutOfMemory" in type(error).__name__ or re.search("out of memory", str(error), re.I):
        return "oom"
    if any(isinstance(e, OSError) and e.errno in DISK for e in (error, error.__cause__)):
        return "disk"
    return "code"


def reason_of_death(number: int, log: str) -> tuple[str, str]:
    """Reason and message for a process that signal ``number`` ended."""
    name = signal.Signals(number).name
    if re.search(r"out of memory|oom[-_ ]kill", log, re.I):
        return "oom", f"ended by {name}, out of memory"
    if number == signal.SIGKILL:
        return "killed", "ended by SIGKILL: by hand, by the system for want of memory, or by a node"
    return "code", f"ended by {name}"
