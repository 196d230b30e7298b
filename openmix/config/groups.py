"""The folder of yaml files: its groups and their options."""

from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def names(group: str, folder: str | Path = CONFIGS) -> list[str]:
    """The options of a group (``names("mixup")``), sorted; empty when there is no such group."""
    return sorted(path.stem for path in (Path(folder) / group).glob("*.yaml"))


def groups(folder: str | Path = CONFIGS) -> list[str]:
    """The groups of the folder, sorted."""
    return sorted(path.name for path in Path(folder).iterdir() if path.is_dir())


def key_of(override: str) -> str:
    """The key that an override sets: ``mixup.alpha`` of ``+mixup.alpha=0.5``."""
    return override.partition("=")[0].lstrip("+~").strip()
