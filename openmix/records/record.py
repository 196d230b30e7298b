"""The record of one run: its fields, where it lies, and writing and reading it safely."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from openmix import atomic
from openmix.records.metrics import RULES

SCHEMA = 1
STATUSES = ("done", "failed", "unsupported")

FIELDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "schema": (int, "version of this layout; a reader refuses what is newer than itself"),
    "status": (str, "done, failed or unsupported"),
    "reason": (str, "one line saying why it is not done; empty when done"),
    "key": (str, "12 hex digits: all config that can change the numbers, seed excepted"),
    "protocol_key": (str, "12 hex digits: the same with mixup left out"),
    "protocol": (str, "name of the protocol overlay, empty when none was used"),
    "dataset": (str, "name of the chosen dataset"),
    "backbone": (str, "name of the chosen backbone"),
    "mixup": (str, "name of the chosen mixup"),
    "variant": (str, "mixup values that differ from its file, e.g. alpha=0.5; empty when none"),
    "seed": (int, "seed of the run"),
    "epochs": (int, "epochs asked for"),
    "overrides": (list, "command line overrides, as typed"),
    "config": (dict, "resolved configuration"),
    "selection": (str, "selection rule the run was started with"),
    "metrics": (dict, "{rule: {top1, top5, ece: percent, nll: nats}}; null where undefined"),
    "history": (list, "[{epoch, train_loss, lr, top1, top5, nll, ece, val_top1, ...}], by epoch"),
    "cost": (
        dict,
        "images_per_second, peak_memory_mb, train_seconds, parameters, steps, world_size",
    ),
    "environment": (
        dict,
        "python, torch, torchvision, timm, mmengine, cuda, cudnn, device, threads, platform",
    ),
    "code": ((dict, type(None)), "commit, dirty; null when the package is not a git checkout"),
    "data": (dict, "checksum; number of train, val and test images"),
    "hashes": (dict, "sha256 of the final weights, optimizer and ema"),
    "restarts": (int, "times the run was resumed"),
    "started": (str, "ISO 8601, UTC"),
    "finished": (str, "ISO 8601, UTC"),
}
"""Every field of a record: its type and what it holds. All are required; parts a run never reached
are empty (``{}``, ``[]``, ``""``)."""


class RecordError(ValueError):
    """A file or dict that is no valid record; the message is one line."""


class Problem(NamedTuple):
    """A file that a leaderboard leaves out, and why."""

    path: str
    reason: str


def path(root: str | Path, record: Mapping[str, Any]) -> Path:
    """Where a run's record lies: ``root/dataset/backbone/mixup/key-sSEED.json``.

    Needs only those five fields. Names are slugged, so that no name leaves the root.
    """
    folders = [slug(record[name]) for name in ("dataset", "backbone", "mixup")]
    return Path(root, *folders, f"{slug(record['key'])}-s{int(record['seed'])}.json")


def slug(name: str) -> str:
    """Turn a name into one harmless path component: letters, digits, ``._+-``, no leading dot."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", str(name)).lstrip(".")[:100] or "_"


def validate(record: Any) -> None:
    """Raise RecordError, naming the first field that is missing or wrong."""
    if not isinstance(record, dict) or not isinstance(record.get("schema"), int):
        raise RecordError("not an openmix record")
    if record["schema"] > SCHEMA:
        newer = f"schema {record['schema']} is newer than {SCHEMA}, which this openmix reads"
        raise RecordError(f"{newer}; update openmix")
    if record["schema"] < SCHEMA:
        raise RecordError(f"schema {record['schema']} is older than {SCHEMA}; run it again")
    for name, (kind, _) in FIELDS.items():
        if name not in record:
            raise RecordError(f"field {name!r} is missing")
        if not isinstance(record[name], kind) or isinstance(record[name], bool):
            raise RecordError(f"field {name!r} is a {type(record[name]).__name__}")
    if record["status"] not in STATUSES:
        raise RecordError(f"status {record['status']!r} is none of {', '.join(STATUSES)}")
    if (record["status"] == "done") == bool(record["reason"]):
        raise RecordError("field 'reason' must be given exactly when a run is not done")
    for name in ("key", "protocol_key"):
        if not re.fullmatch("[0-9a-f]{12}", record[name]):
            raise RecordError(f"field {name!r} is not 12 hex digits")
    _validate_metrics(record["metrics"], record["status"])
    if not all(isinstance(entry, dict) for entry in record["history"]):
        raise RecordError("field 'history' must hold one object an epoch")


def write(root: str | Path, record: dict[str, Any]) -> Path:
    """Write a record and return its path; readers see the old file or the new one, never a part.

    Numbers that are not finite become null: JSON has no word for them. Raises RecordError for an
    invalid record or an unknown field, OSError when the disk refuses; the old file then stays.
    """
    validate(record)
    if unknown := sorted(record.keys() - FIELDS.keys()):
        raise RecordError(f"unknown field {unknown[0]!r}")
    target = path(root, record)
    atomic.write(target, _lines(_finite(record)))
    return target


def read(path: str | Path) -> dict[str, Any]:
    """Read one record; raises RecordError with one line for whatever is wrong with the file."""
    try:
        record = from_json(Path(path).read_bytes(), allow_inf_nan=False)
    except OSError as error:
        raise RecordError(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise RecordError("damaged: not valid JSON") from None
    validate(record)
    return record


def find(root: str | Path, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the done record of a run, or None when it has to run.

    ``run`` holds dataset, backbone, mixup, key and seed. A failed, damaged or foreign file counts
    as none.
    """
    try:
        record = read(path(root, run))
    except RecordError:
        return None
    same = record["key"] == run["key"] and record["seed"] == run["seed"]
    return record if same and record["status"] == "done" else None


def _validate_metrics(metrics: dict[str, Any], status: str) -> None:
    if status == "done" and not metrics:
        raise RecordError("field 'metrics' is empty, but the run is done")
    for rule, values in metrics.items():
        if rule not in RULES or not isinstance(values, dict):
            raise RecordError(f"field 'metrics' holds {rule!r}, not {{rule: {{metric: value}}}}")
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, int | float | None):
                raise RecordError(f"metric '{rule}.{name}' is a {type(value).__name__}")


def _lines(record: dict[str, Any]) -> str:
    """Write one field a line and one epoch a line: small, and a diff stays readable."""
    fields = []
    for name, value in record.items():
        text = json.dumps(value, allow_nan=False)
        if name == "history" and value:
            epochs = ",\n".join(json.dumps(epoch, allow_nan=False) for epoch in value)
            text = f"[\n{epochs}\n]"
        fields.append(f"{json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _finite(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item, name) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    raise RecordError(f"field {name[1:]!r} holds a {type(value).__name__}, not a plain value")
