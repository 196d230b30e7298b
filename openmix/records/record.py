"""Records on disk: where a record lies, and writing and reading it safely."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from openmix import atomic
from openmix.records.fields import RecordError, validate
from openmix.records.upgrade import upgrade


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


def write(root: str | Path, record: dict[str, Any]) -> Path:
    """Write a record and return its path; readers see the old file or the new one, never a part.

    Numbers that are not finite become null: JSON has no word for them. The last line is a digest of
    all others. Raises RecordError for an invalid record, OSError when the disk refuses; the old
    file then stays.
    """
    record = _finite(record)
    validate(record)
    target = path(root, record)
    atomic.write(target, _sealed(_lines(record)))
    return target


def read(path: str | Path) -> dict[str, Any]:
    """Read one record; raises RecordError with one line for whatever is wrong with the file."""
    try:
        content = Path(path).read_bytes()
        record = from_json(content, allow_inf_nan=False)
    except OSError as error:
        raise RecordError(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise RecordError("damaged: not valid JSON") from None
    if not isinstance(record, dict):
        raise RecordError("not an openmix record")
    digest = record.pop("digest", None)
    record = upgrade(record)
    validate(record)
    if digest is not None and not _unchanged(content, record, digest):
        raise RecordError("was changed after it was written: its checksum differs")
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


END = "\n}\n"
SEAL = re.compile(rb',\n"digest": "([0-9a-f]{64})"\n}\n')


def _sealed(lines: str) -> str:
    digest = hashlib.sha256(lines.encode()).hexdigest()
    return lines.removesuffix(END) + f',\n"digest": "{digest}"' + END


def _unchanged(content: bytes, record: dict[str, Any], digest: str) -> bool:
    """Whether a file says what was written, be it laid out otherwise."""
    seal = SEAL.search(content, max(0, len(content) - 100))
    lines = content[: seal.start()] + END.encode() if seal else b""
    if hashlib.sha256(lines).hexdigest() == digest:
        return True
    return hashlib.sha256(_lines(record).encode()).hexdigest() == digest


def _lines(record: dict[str, Any]) -> str:
    """Write one field a line and one epoch a line: small, and a diff stays readable."""
    fields = []
    for name, value in record.items():
        text = json.dumps(value, allow_nan=False)
        if name == "history" and value:
            epochs = ",\n".join(json.dumps(epoch, allow_nan=False) for epoch in value)
            text = f"[\n{epochs}\n]"
        fields.append(f"{json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(fields) + END


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
