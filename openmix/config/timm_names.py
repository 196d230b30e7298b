"""The names of timm's models, read from its sources: importing timm takes seconds."""

import re
from functools import cache

from openmix.config.source import find_module
from openmix.config.suggest import hint
from openmix.errors import ConfigError


@cache
def _sources() -> str:
    package = find_module("timm.models")
    if package is None:
        return ""
    files = (file for folder in package.folders for file in sorted(folder.glob("*.py")))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def check_timm_name(name: str, path: str) -> None:
    """Refuse a model that timm does not have; hub names and folders (``hf-hub:...``) pass.

    ``path`` is the key in the config. Raises ConfigError with a suggestion.
    """
    plain = name.partition(".")[0]
    if ":" in name or not _sources() or re.search(rf"""def {re.escape(plain)}\(""", _sources()):
        return
    if f"'{plain}'" in _sources() or f'"{plain}"' in _sources():
        return  # an older name that timm still answers to
    models = set(re.findall(r"@register_model\s+def (\w+)\(", _sources()))
    raise ConfigError(f"{path}: timm has no model '{name}'{hint(plain, models)}")
