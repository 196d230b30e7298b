"""Writing a file so that it is never seen half written."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of ``target`` when the block ends well.

    Readers see the old file or the new one, also after a crash. Missing folders are made. Raises
    OSError when the disk refuses; the old file then stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def write(target: Path, text: str) -> None:
    """Write ``text`` to ``target`` as :func:`replacing` does."""
    with replacing(target) as file:
        file.write(text.encode())


def _sync_folder(folder: Path) -> None:
    # Without this the rename itself may be lost when the power goes.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
