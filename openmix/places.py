"""Whether results could be written, tried before anything is computed."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from openmix import records
from openmix.errors import ConfigError
from openmix.identity import Identity


def try_writing(folders: Mapping[str, Path]) -> None:
    """Refuse a folder that cannot be written to; ``folders`` maps the key that names each to it.

    Leaves nothing behind: no folder is made, since others may be making the same ones just now.
    Raises ConfigError.
    """
    for key, folder in folders.items():
        folder = Path(os.path.abspath(folder))
        there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
        try:
            with tempfile.TemporaryFile(dir=there) as file:
                file.write(b"a full disk refuses this")
        except OSError as error:
            raise ConfigError(
                f"cannot write in {folder}: {error.strerror}; "
                f"set {key} to a folder that can be written to"
            ) from None


def of_run(identity: Identity) -> None:
    """Refuse a run whose checkpoints, logs or record could not be written. Raises ConfigError."""
    record = records.path(identity.records, vars(identity))
    try_writing({"paths.runs": identity.folder, "paths.records": record.parent})
