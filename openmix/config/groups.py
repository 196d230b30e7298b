"""The folder of yaml files: its groups and their options."""

from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def names(group: str, folder: str | Path = CONFIGS) -> list[str]:
    """The options of a group (``names("mixup")``), sorted; empty when there is no such group.

    One in a folder of the group has the folder in its name, ``paper/cifar10_cutout``.
    """
    files = (
        path.relative_to(Path(folder) / group) for path in (Path(folder) / group).rglob("*.yaml")
    )
    return sorted(file.with_suffix("").as_posix() for file in files)


APART = {"launcher"}
"""Groups that are no part of a run: ``tools/sweep.py`` composes them by themselves."""


def groups(folder: str | Path = CONFIGS) -> list[str]:
    """The groups that a run is composed of, sorted."""
    return sorted(p.name for p in Path(folder).iterdir() if p.is_dir() and p.name not in APART)


def key_of(override: str) -> str:
    """The key that an override sets: ``mixup.alpha`` of ``+mixup.alpha=0.5``."""
    return override.partition("=")[0].lstrip("+~").strip()
