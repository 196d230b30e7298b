"""The code that a record was made with, as far as this checkout has it."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openmix.errors import ConfigError
from openmix.records.provenance import CHECKOUT, git


@contextmanager
def code_of(record: Mapping[str, Any], checkout: Path = CHECKOUT) -> Iterator[tuple[Path, str]]:
    """A folder with openmix as it was at the record's commit, and an empty text.

    Where that is not to be had: the folder of the code that is here, and why. A folder of its own
    is a worktree, which is removed at the end of the block.
    """
    if why := _lacking(record["code"], checkout):
        yield CHECKOUT, why
        return
    commit = record["code"]["commit"]
    with tempfile.TemporaryDirectory(prefix="openmix-verify-") as place:
        folder = Path(place, commit[:12])
        try:
            git(checkout, "worktree", "prune")  # what a call that was killed has left
            git(checkout, "worktree", "add", "--detach", str(folder), commit, timeout=300)
        except subprocess.SubprocessError as error:
            why = " ".join((getattr(error, "stderr", None) or str(error)).split())
            raise ConfigError(f"git cannot check out {commit[:7]}: {why}") from None
        try:
            yield folder, ""
        finally:
            git(checkout, "worktree", "remove", "--force", str(folder))


def _lacking(code: Mapping[str, Any] | None, checkout: Path) -> str:
    """Why the code of a record cannot be had; empty if it can."""
    if code is None:
        return "the record names no commit"
    if code["dirty"]:
        files = f" in {', '.join(code['changed'])}" if code.get("changed") else ""
        return f"its checkout had uncommitted changes{files}"
    try:
        own = Path(git(checkout, "rev-parse", "--show-toplevel")).resolve() == checkout
    except (OSError, subprocess.SubprocessError):
        own = False
    if not own:
        return "this openmix is not a git checkout"
    try:
        git(checkout, "cat-file", "-e", f"{code['commit']}^{{commit}}")
    except subprocess.SubprocessError:
        return f"this checkout lacks its commit {code['commit'][:7]} (git fetch --unshallow)"
    return ""
