"""What all tools share: output that no terminal can break, and one line for what goes wrong."""

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TextIO

from openmix import __version__
from openmix.errors import ConfigError, Unsupported

REFUSED, CTRL_C = 2, 130


def run(main: Callable[[list[str]], int], about: str = "") -> int:
    """Call the ``main`` of a tool with the words of the command line; return its exit code.

    ``-h`` and ``--help`` print ``about``, if there is one. ConfigError, Unsupported and OSError
    are one line and exit code 2.
    """
    sys.stdout, sys.stderr = lenient(sys.stdout, "replace"), lenient(sys.stderr, "backslashreplace")
    words = sys.argv[1:]
    try:
        if about and {"-h", "--help"} & set(words):
            print(about)
            code = 0
        elif "--version" in words:
            print(f"openmix {__version__}")
            code = 0
        else:
            code = main(words)
        sys.stdout.flush()
        return code
    except (ConfigError, Unsupported, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return CTRL_C


def lenient(stream: TextIO | None, errors: str) -> TextIO:
    """The same stream, with which printing never fails for want of a reader or of a character.

    What the encoding lacks is shown as ``errors`` says. When the reader has gone away (``| head``,
    a terminal that was closed), what is still said is thrown away: a run is worth more than that.
    """
    if stream is None:  # closed by the shell: >&-
        return open(os.devnull, "w")
    return io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )


class _Descriptor(io.FileIO):
    def write(self, data: bytes) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.fileno())
            os.close(nothing)
            return len(data)
