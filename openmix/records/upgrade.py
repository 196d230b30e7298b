"""Records of earlier schemas, read as one of today. Files are never rewritten."""

from typing import Any

from openmix.records.fields import RecordError
from openmix.records.metrics import METRICS, select


def upgrade(record: dict[str, Any]) -> dict[str, Any]:
    """Bring a record of schema 1 up to date; all others are returned as they are.

    Schema 1 knew one task, one method and four metrics. It had no digest, so its numbers are held
    against its own history. Raises RecordError where they do not follow from it.
    """
    if record.get("schema") != 1 or isinstance(record["schema"], bool):
        return record
    try:
        metrics, history = record["metrics"], record["history"]
        measures = {name: METRICS[name].measure() for name in _names(metrics)}
        told = history and metrics != select(history, val="val" in metrics)
    except (KeyError, TypeError, AttributeError):
        return {"measures": {}, **_ADDED, **record, "schema": 2}  # the fields are checked later
    if told:
        raise RecordError("its metrics differ from what its history gives; edited by hand?")
    return {**record, "schema": 2, "measures": measures, **_ADDED}


_ADDED = {"task": "classification", "method": "supervised", "primary": "top1", "sources": {}}


def _names(metrics: dict[str, dict[str, Any]]) -> list[str]:
    return sorted({name for values in metrics.values() for name in values})
