"""Where a result comes from: versions of the environment and the commit of the code."""

import os
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = {
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "timm": ("timm",),
    "mmengine": ("mmengine", "mmengine-lite"),
}
"""Record name of a package and the distributions that may provide it."""

CHECKOUT = Path(__file__).resolve().parents[2]
CODE = ("openmix", "configs", "tools")
SHOWN = 20
"""Changed files that a record names."""


def environment(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the environment without importing it.

    ``facts`` is what only a running torch knows: ``cuda``, ``cudnn``, ``device`` (its name) and
    ``threads``.
    """
    versions = {name: _version(names) for name, names in PACKAGES.items()}
    host = {"python": platform.python_version(), "platform": platform.platform()}
    return host | versions | dict(facts)


def code(checkout: Path = CHECKOUT) -> dict[str, Any] | None:
    """Return ``{"commit", "dirty"}`` of the package's own checkout, or None when it is not one.

    ``dirty`` looks at code and configs only, new files included, since results are written into the
    same checkout; ``changed`` names the first files where it is. Never raises: a missing git is no
    reason to lose a result.
    """
    try:
        if Path(git(checkout, "rev-parse", "--show-toplevel")).resolve() != checkout:
            return None  # installed inside somebody else's repository
        commit = git(checkout, "rev-parse", "--verify", "HEAD")
        changed = git(checkout, "status", "--porcelain", "-uall", "--", *CODE).splitlines()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    names = [line.split(maxsplit=1)[1].strip('"') for line in changed[:SHOWN]]
    return {"commit": commit, "dirty": bool(changed)} | ({"changed": names} if names else {})


def _version(distributions: tuple[str, ...]) -> str | None:
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def git(folder: Path, *arguments: str, timeout: float = 20) -> str:
    """What a command of git prints. Raises OSError, or subprocess.SubprocessError."""
    # Hooks of git set GIT_DIR; optional locks would make parallel runs trip over each other.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=clean | {"GIT_OPTIONAL_LOCKS": "0"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=True,
    )
    return done.stdout.strip()
