"""What an error has to say, in one line: what happened, and where in whose code."""

import os
import sysconfig
import traceback

from hydra.errors import InstantiationException

INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
"""Folders of code that nobody here has written."""


def one_line(error: BaseException) -> str:
    """The message of an error in one line, never empty.

    What openmix or the system words stands as it is. Any other error is told by its type, the line
    of its message that says something, and the place in code of one's own that led to it.
    """
    error = origin(error)
    if type(error).__module__.startswith("openmix.") or isinstance(error, OSError):
        return " ".join(str(error).split()) or type(error).__name__
    said, where = _says(str(error)), _place(error)
    return type(error).__name__ + (f": {said}" if said else "") + (f" ({where})" if where else "")


def origin(error: BaseException) -> BaseException:
    """The error itself where Hydra wraps it in one of its own."""
    while isinstance(error, InstantiationException) and error.__cause__:
        error = error.__cause__
    return error


def _says(message: str) -> str:
    """The first line that is no heading, behind its headings; the last of a traceback."""
    lines = [" ".join(line.split()) for line in message.splitlines() if line.strip()]
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        return lines[-1]
    headings = next((i for i, line in enumerate(lines) if not line.endswith(":")), 0)
    return " ".join(lines[: headings + 1])


def _place(error: BaseException) -> str:
    """File and line of the innermost frame that is in code of one's own; empty if none is."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        if os.path.isfile(file) and not file.startswith(INSTALLED):
            near = os.path.relpath(file)
            return f"{file if near.startswith('..') else near}:{line}"
    return ""
