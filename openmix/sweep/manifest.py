"""The folder of a sweep: which runs it has, and where everything about them lies."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openmix import atomic, home, records
from openmix.errors import ConfigError
from openmix.identity import Identity

TOOL = Path(__file__).resolve().parents[2] / "tools" / "sweep.py"
"""The command line that launchers start."""

SCHEMA = 1
NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"
"""Names of sweeps; nothing that a shell or a path could take for something else."""


@dataclass(frozen=True)
class Sweep:
    """A sweep that was planned. ``manifest.json`` is written once and never changed:

    - ``overrides``: as typed; ``cwd``: the folder that relative paths are relative to;
    - ``settings``: one resolved config each, with its names and key, and in ``unsupported`` why it
      cannot run;
    - ``runs``: ``[setting, seed, overrides]``; a run is called by its place in this list.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @classmethod
    def at(cls, name: str) -> Path:
        """Where the sweep ``name`` lies. Raises ConfigError for what is no name."""
        if not re.fullmatch(NAME, name):
            raise ConfigError(f"'{name}' is no name for a sweep; use letters, digits, ._-")
        return Path(home.folder(os.environ.get("OPENMIX_SWEEPS", "sweeps")), name).resolve()

    @classmethod
    def create(cls, folder: Path, manifest: Mapping[str, Any]) -> "Sweep":
        """Write a new sweep. Raises OSError when the disk refuses."""
        atomic.write(folder / "manifest.json", json.dumps({"schema": SCHEMA, **manifest}))
        return cls(folder, manifest)

    @classmethod
    def open(cls, folder: Path) -> "Sweep":
        """Read a sweep. Raises ConfigError where there is none, or none that can be read."""
        file = folder / "manifest.json"
        try:
            manifest = json.loads(file.read_bytes())
        except FileNotFoundError:
            there = ", ".join(sorted(f.parent.name for f in folder.parent.glob("*/manifest.json")))
            raise ConfigError(f"no sweep in {folder}; there are: {there or 'none'}") from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{file} cannot be read: {error}") from None
        if manifest["schema"] > SCHEMA:
            raise ConfigError(f"{file} is of a newer openmix; update this one")
        return cls(folder, manifest)

    @property
    def name(self) -> str:
        return self.folder.name

    def __len__(self) -> int:
        return len(self.manifest["runs"])

    def identity(self, index: int) -> Identity:
        """The run ``index``, as it was planned."""
        number, seed, overrides = self.manifest["runs"][index]
        setting = self.manifest["settings"][number]
        names = ("dataset", "backbone", "mixup", "variant", "key", "protocol_key")
        return Identity(
            config=setting["config"] | {"seed": seed},
            seed=seed,
            overrides=overrides,
            **{name: setting[name] for name in names},
        )

    def unsupported(self, index: int) -> str:
        """Why run ``index`` cannot run; empty if it can."""
        return self.manifest["settings"][self.manifest["runs"][index][0]]["unsupported"]

    def record(self, index: int) -> Path:
        """The file of the run's record."""
        identity = self.identity(index)
        return Path(self.manifest["cwd"], records.path(identity.records, vars(identity)))

    def done(self, index: int) -> dict[str, Any] | None:
        """The finished record of the run, if there is one."""
        identity = self.identity(index)
        return records.find(Path(self.manifest["cwd"], identity.records), vars(identity))

    def index(self, word: str) -> int:
        """The run that a person means: its number, or its ``key-sSEED``."""
        if word.isdecimal() and int(word) < len(self):
            return int(word)
        for index in range(len(self)):
            if str(self.identity(index)) == word:
                return index
        raise ConfigError(f"no run '{word}' in {self.name}; runs are 0 to {len(self) - 1}")

    def run(self, index: int) -> Path:
        """The folder of what this sweep knows of a run: status, report, log."""
        return self.folder / "runs" / f"{index:05d}"
