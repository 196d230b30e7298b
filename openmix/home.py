"""Folders as a person writes them."""

import os
import re
from typing import Any

from openmix.errors import ConfigError


def folder(text: str) -> str:
    """``text`` with ``~`` as the home folder, as a shell would have it.

    Raises ConfigError for what no shell has expanded: it would become a folder of that name.
    """
    found = os.path.expanduser(text)
    if found.startswith("~"):
        raise ConfigError(f"there is no home folder for {text}; write ./{text} for a folder here")
    for name in re.findall(r"\$\{?(\w+)", found):
        if name in os.environ or found.startswith("$"):
            raise ConfigError(f"${name} in {text} is not expanded; give the shell no '...' there")
    return found


def folders(config: dict[str, Any]) -> None:
    """Put what :func:`folder` says in place of the folders of a resolved ``config``."""
    for node in (config["paths"], config["dataset"]["source"]):
        for key in ("data", "runs", "records", "root"):
            if isinstance(node.get(key), str):
                node[key] = folder(node[key])
