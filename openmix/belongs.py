"""Whether what a run left behind is of the data and the code that are there now. Needs no torch."""

from collections.abc import Mapping
from typing import Any

from openmix.config.sources import changed, sources
from openmix.data.digest import differ, digest

Traces = Mapping[str, Any]
"""What a record and a checkpoint hold of what a run began with.

``data`` is :meth:`openmix.data.digest.Digest.as_dict`, ``sources`` what
:func:`openmix.config.sources.sources` gives; one that is empty is not known.
"""


def traces(config: Mapping[str, Any]) -> Traces:
    """The traces of data and code as they are. Raises DataError where there are no sound data."""
    data = digest(config["dataset"]["source"]).as_dict()
    return {"data": data, "sources": sources(config)}


def foreign(kept: Traces, now: Traces, since: str) -> str:
    """One line on what has changed, with both ways on; empty where nothing has.

    ``since`` says since when: ``since this result (top1 78.54)``.
    """
    anew = "force=true trains it anew"
    if kept["data"] and (what := differ(kept["data"], now["data"])):
        keep = "another name for these data, dataset.name=NAME, keeps both"
        return f"the data have changed {since}: {what}; {anew}, {keep}"
    if files := changed(kept["sources"], now["sources"]):
        have = "have" if len(files) > 1 else "has"
        keep = "a mixup with a name of its own, or other options, keeps both"
        return f"{', '.join(files)} {have} changed {since}; {anew}, {keep}"
    return ""
