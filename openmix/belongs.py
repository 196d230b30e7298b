"""Whether what a run left behind is of the data and the code that are there now. Needs no torch."""

from collections.abc import Mapping
from typing import Any

from openmix.config.sources import changed, sources

Traces = Mapping[str, Any]
"""What a record and a checkpoint hold of what a run began with.

``data`` is :meth:`openmix.data.digest.Digest.as_dict`, ``sources`` what
:func:`openmix.config.sources.sources` gives; one that is empty is not known.
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


def changes(kept: Traces, now: Traces, since: str) -> str:
    """What has changed, in a phrase; empty where nothing has.

    ``since`` says since when: ``since this result (top1 78.54)``.
    """
    from openmix.data.digest import differ

    if kept["data"] and (what := differ(kept["data"], now["data"])):
        return f"the data have changed {since}: {what}"
    if files := changed(kept["sources"], now["sources"]):
        return f"{', '.join(files)} {'has' if len(files) == 1 else 'have'} changed {since}"
    return ""


def foreign(kept: Traces, now: Traces, since: str) -> str:
    """What has changed, with both ways on; empty where nothing has."""
    what = changes(kept, now, since)
    ways = "force=true trains it anew; to keep both, give the new one a name of its own"
    name = "dataset.name=NAME" if what.startswith("the data") else "a mixup file, or an option"
    return what and f"{what}; {ways} ({name})"
