"""Whether what a run left behind is of the data and the code that are there now. Needs no torch."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from openmix.config.code_digest import changed, sources
from openmix.errors import ConfigError

Traces = Mapping[str, Any]
"""What a record and a checkpoint hold of what a run began with.

``data`` is :meth:`openmix.data.digest.Digest.as_dict`, ``sources`` what
:func:`openmix.config.code_digest.sources` gives; one that is empty is not known.
"""


def traces(config: Mapping[str, Any]) -> Traces:
    """The traces of data and code as they are. Raises DataError where there are no sound data."""
    from openmix.data.digest import digest  # numpy; a mistyped line need not wait for it

    data = digest(config["dataset"]["source"]).as_dict()
    return {"data": data, "sources": sources(config)}


def of_record(record: Mapping[str, Any]) -> Traces:
    """The traces that a record holds; one of schema 1 knows the checksum of its data alone."""
    data = record["data"]
    known = data.get("source") or {k: v for k, v in data.items() if k == "checksum"}
    return {"data": known, "sources": record["sources"]}


class Change(NamedTuple):
    """``what`` has changed, in a phrase; ``rename``: what gives the new one a name of its own."""

    what: str
    rename: str


def change(kept: Traces, now: Traces, since: str) -> Change | None:
    """What has changed, if anything; ``since`` says since when, as ``since this run``."""
    from openmix.data.digest import differ

    if kept["data"] and (what := differ(kept["data"], now["data"])):
        return Change(f"the data have changed {since}: {what}", "dataset.name=NAME")
    if files := changed(kept["sources"], now["sources"]):
        have = "has" if len(files) == 1 else "have"
        return Change(f"{', '.join(files)} {have} changed {since}", "a mixup file, or an option")
    return None


def refuse(kept: Traces, now: Traces, since: str) -> None:
    """Raise ConfigError where something has changed: what, and both ways on."""
    if found := change(kept, now, since):
        raise ConfigError(
            f"{found.what}; force=true trains it anew; to keep both, give the new one a name of "
            f"its own ({found.rename})"
        )
