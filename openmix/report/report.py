"""From a record or a run's folder to the file of its page."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openmix import atomic, home, records
from openmix.errors import ConfigError
from openmix.reason import one_line

REPORTS = Path("results/reports")
"""Where the pages of records go: never among the records, which may be under version control."""


def write(run: Path, out: Path | None = None) -> Path:
    """Write the page of a run and return its path. Raises ConfigError where there is no record."""
    record_path = _record(run) if run.is_dir() else run
    try:
        record = records.read(record_path)
    except records.RecordError as error:
        raise ConfigError(f"{record_path}: {error}; name a record or the folder of a run") from None
    from openmix.report import page  # pandas; a wrong path need not wait for it

    beside = run / "report.html" if run.is_dir() else REPORTS / f"{record_path.stem}.html"
    target = out or beside
    atomic.write(target, page.render(record, _samples(record)))
    return target


def _record(folder: Path) -> Path:
    """The record of a run lies under the same names as its folder."""
    names = folder.resolve().parts[-4:]
    root = home.folder(os.environ.get("OPENMIX_RECORDS", "results/records"))
    return Path(root, *names[:-1], f"{names[-1]}.json")


def _samples(record: Mapping[str, Any]) -> Any:
    """The samples of a run, or in a line why they cannot be drawn here."""
    try:
        from openmix.report.samples import first_batch  # torch

        return first_batch(record)
    except Exception as error:  # a page without pictures is better than none
        return one_line(error)
