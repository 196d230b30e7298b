"""The fields of a record, their types and ranges, and what a wrong one is told as."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from openmix.records.metrics import RULES

SCHEMA = 2
HUGE = 1e15
"""Beyond this a number was not measured."""


class RecordError(ValueError):
    """A file or dict that is no valid record; the message is one line."""


def _sane(value: float) -> float:
    if not math.isfinite(value) or abs(value) > HUGE:
        raise ValueError("a number that can have been measured")
    return value


Number = Annotated[float, AfterValidator(_sane)] | None
Hash = Annotated[str, Field(pattern="^[0-9a-f]{12}$")]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")]
Whole = Annotated[int, Field(ge=0, le=2**63)]


@with_config(ConfigDict(extra="forbid", strict=True))
class Measure(TypedDict):
    """What a record says of one of its metrics, see :class:`openmix.records.metrics.Metric`."""

    label: str
    unit: str
    higher: bool
    digits: Annotated[int, Field(ge=0, le=9)]
    share: bool


@with_config(ConfigDict(extra="forbid", strict=True))
class Code(TypedDict, total=False):
    """``changed``: files of a dirty checkout that differ from its commit."""

    commit: str
    dirty: bool
    changed: list[str]


@with_config(ConfigDict(extra="forbid", strict=True))
class Data(TypedDict, total=False):
    """Checksum of the source as it is on disk, images in the parts that a run made of it.

    ``source`` is :meth:`openmix.data.digest.Digest.as_dict`: what a later comparison can name.
    """

    checksum: str
    train: Whole
    val: Whole
    test: Whole
    source: dict[str, Any]


@with_config(ConfigDict(extra="forbid", strict=True))
class Record(TypedDict):
    """One run. Parts that it never reached are empty (``{}``, ``[]``, ``""``)."""

    schema: int
    """Version of this layout; a reader refuses what is newer than itself."""
    status: Literal["done", "failed", "unsupported"]
    reason: str
    """One line saying why it is not done; empty when done."""
    key: Hash
    """All config that can change the numbers, seed excepted."""
    protocol_key: Hash
    """The same without method and mixup."""
    protocol: str
    """Name of the protocol overlay, ``custom`` when none was used."""
    task: str
    method: str
    dataset: str
    """The data's own name, or that of the option."""
    backbone: str
    mixup: str
    variant: str
    """Mixup values that differ from its file, e.g. alpha=0.5; empty when none."""
    seed: Whole
    epochs: Whole
    overrides: list[str]
    """As typed."""
    config: dict[str, Any]
    """Resolved."""
    selection: str
    """The selection rule that the run was started with."""
    primary: str
    """The metric that epochs are chosen by."""
    measures: dict[str, Measure]
    """What the numbers in ``metrics`` mean."""
    metrics: dict[str, dict[str, Number]]
    """``{rule: {metric: value}}``; null where undefined."""
    history: list[dict[str, Number]]
    """``[{epoch, train_loss, lr, top1, val_top1, ...}]``, by epoch."""
    cost: dict[str, Number]
    """images_per_second, peak_memory_mb, train_seconds, parameters, steps, world_size."""
    environment: dict[str, str | float | None]
    """Versions, device, threads, platform."""
    code: Code | None
    """Null when the package is no git checkout."""
    sources: dict[str, str]
    """Module -> hash of its code: the mixup's classes, and whatever is of one's own package."""
    data: Data
    hashes: dict[str, str]
    """SHA-256 of the final weights, optimizer and ema."""
    restarts: Whole
    """Times the run was resumed."""
    started: Time
    finished: Time


RECORD = TypeAdapter(Record)


def validate(record: Any) -> None:
    """Raise RecordError, naming the first field that is missing or wrong."""
    if not isinstance(record, dict) or not _whole(record.get("schema")):
        raise RecordError("not an openmix record")
    if record["schema"] > SCHEMA:
        newer = f"schema {record['schema']} is newer than {SCHEMA}, which this openmix reads"
        raise RecordError(f"{newer}; update openmix")
    if record["schema"] < SCHEMA:
        raise RecordError(f"schema {record['schema']} is older than {SCHEMA}; run it again")
    try:
        RECORD.validate_python(record)
    except ValidationError as error:
        raise RecordError(_phrase(record, error.errors(include_url=False)[0])) from None
    _validate_outcome(record)


def _validate_outcome(record: Record) -> None:
    done = record["status"] == "done"
    if done == bool(record["reason"]):
        raise RecordError("field 'reason' must be given exactly when a run is not done")
    if done and not record["metrics"]:
        raise RecordError("field 'metrics' is empty, but the run is done")
    for rule, values in record["metrics"].items():
        if rule not in RULES:
            raise RecordError(f"field 'metrics' holds {rule!r}, not {{rule: {{metric: value}}}}")
        for name, value in values.items():
            measure = record["measures"].get(name)
            if measure is None:
                raise RecordError(f"metric '{rule}.{name}' is not described in 'measures'")
            if measure["unit"] == "percent" and value is not None and not 0 <= value <= 100:
                raise RecordError(f"metric '{rule}.{name}' is {value:g}, not 0 to 100 percent")


def _phrase(record: dict[str, Any], error: dict[str, Any]) -> str:
    loc, value = error["loc"], error["input"]
    if error["type"] == "missing":
        return f"field {'.'.join(map(str, loc))!r} is missing"
    place = ".".join(map(str, _path(record, loc)))
    if error["type"] == "extra_forbidden":
        return f"unknown field {place!r}"
    if isinstance(value, dict | list | str | bool | None) or error["type"].endswith("_type"):
        shown = f"{value[:40]!r}" if isinstance(value, str) else f"a {type(value).__name__}"
        return f"field {place!r} is {shown}, not what belongs there"
    return f"field {place!r} is {value:g}, out of range"


def _path(node: Any, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The part of ``loc`` that names fields; behind it stand the branches of a union."""
    for depth, part in enumerate(loc):
        inside = isinstance(node, dict) and part in node
        if not inside and not (isinstance(node, list) and isinstance(part, int)):
            return loc[:depth]
        node = node[part]
    return loc


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
