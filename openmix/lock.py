"""A lock that dies with its holder: one process at a time, told apart by a file."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from openmix.errors import Busy


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold ``path`` for the block; the system lets go of it however this process ends.

    Folders that were made for it and stayed empty are removed again. Raises Busy, saying who is at
    ``what``, if another process holds it.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            # Not flock: a child would inherit it and outlive its parent. This one belongs to the
            # process, and closing any descriptor of the file releases it.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            by = file.read().strip() or "another process"
            raise Busy(f"{what} is under way in {by}; wait for it or stop it") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        try:
            yield
        finally:
            _remove_empty(path, made)


def _remove_empty(path: Path, made: list[Path]) -> None:
    with suppress(OSError):
        if made and [each.name for each in path.parent.iterdir()] == [path.name]:
            path.unlink()
            for folder in made:
                folder.rmdir()


def holder(path: Path) -> str | None:
    """Who holds ``path``, or None. Not for a file that this process holds itself."""
    try:
        with path.open("r+") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return file.read().strip() or "another process"
    except FileNotFoundError:
        pass
    return None
