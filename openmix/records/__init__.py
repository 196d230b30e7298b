"""Result records: one JSON file a run, what identifies a run, and how records are written and read.

>>> from openmix import records
>>> run = {"dataset": d, "backbone": b, "mixup": m, "key": records.key(config), "seed": 0}
>>> if records.find(root, run) is None:
...     records.write(root, run | train(config))
"""

from openmix.records.fields import SCHEMA, RecordError, validate
from openmix.records.key import key, protocol_key, variant
from openmix.records.metrics import METRICS, PRIMARY, RULES, select
from openmix.records.provenance import code, environment
from openmix.records.record import Problem, find, path, read, write

__all__ = [
    "METRICS",
    "PRIMARY",
    "RULES",
    "SCHEMA",
    "Problem",
    "RecordError",
    "code",
    "environment",
    "find",
    "key",
    "path",
    "protocol_key",
    "read",
    "select",
    "validate",
    "variant",
    "write",
]
