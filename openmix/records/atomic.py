"""Writing a file so that it is never seen half written."""

import os
import secrets
from pathlib import Path


def write(target: Path, text: str) -> None:
    """Write ``text`` to ``target``; readers see the old file or the new one, also after a crash.

    Missing folders are made. Raises OSError when the disk refuses; the old file then stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    # Without this the rename itself may be lost when the power goes.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
