"""What a run is called, where its files lie, and whether it is done. Needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from openmix import belongs, home, records
from openmix.config import Composed


@dataclass(frozen=True)
class Identity:
    """A run is its config; ``key`` is the hash of all in it that can change the numbers."""

    config: dict[str, Any]
    dataset: str
    backbone: str
    mixup: str
    variant: str
    key: str
    protocol_key: str
    seed: int
    overrides: list[str]

    @classmethod
    def of(cls, composed: Composed) -> "Identity":
        config = OmegaConf.to_container(composed.config, resolve=True)
        home.folders(config)
        return cls(
            config=config,
            dataset=config["dataset"].get("name") or composed.choices["dataset"],
            backbone=composed.choices["backbone"],
            mixup=composed.choices["mixup"],
            variant=records.variant(config, composed.mixup_defaults),
            key=records.key(config),
            protocol_key=records.protocol_key(config),
            seed=config["seed"],
            overrides=list(composed.overrides),
        )

    def __str__(self) -> str:
        return f"{self.key}-s{self.seed}"

    @property
    def title(self) -> str:
        """How a person calls the mixup: its name and what differs from its file."""
        return f"{self.mixup} {self.variant}".strip()

    @property
    def folder(self) -> Path:
        """Checkpoints, logs and weights."""
        return records.path(self.config["paths"]["runs"], vars(self)).with_suffix("")

    @property
    def records(self) -> Path:
        return Path(self.config["paths"]["records"])

    def done(self) -> dict | None:
        """The record of this run, if it is done."""
        return records.find(self.records, vars(self))

    def result(self) -> dict | None:
        """The record of this run, if it is done and of the data and the code that are there now.

        Raises ConfigError for other data or code, DataError where there are no data to compare.
        """
        record = self.done()
        if record is None:
            return None
        value = record["metrics"].get(self.config["select"], {}).get(record["primary"])
        since = "since this result" + (
            "" if value is None else f" ({record['primary']} {value:.4g})"
        )
        belongs.refuse(belongs.of_record(record), belongs.traces(self.config), since)
        return record

    def record(
        self, status: str, reason: str = "", *, facts: Mapping[str, Any], **parts: object
    ) -> dict:
        """A record of this run; what ``parts`` leaves out is empty.

        ``facts`` is what only a running torch knows of the environment.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        names = ("dataset", "backbone", "mixup", "variant", "key", "protocol_key", "seed")
        return {
            "schema": records.SCHEMA,
            "status": status,
            "reason": reason,
            **{name: getattr(self, name) for name in names},
            "protocol": self.config["protocol"],
            "epochs": self.config["epochs"],
            "overrides": self.overrides,
            "config": self.config,
            "selection": self.config["select"],
            "task": "classification",
            "method": "supervised",
            "primary": records.PRIMARY,
            "measures": {name: metric.measure() for name, metric in records.METRICS.items()},
            "metrics": {},
            "history": [],
            "cost": {},
            "environment": records.environment(facts),
            "code": parts.get("code") or records.code(),
            "sources": {},
            "data": {},
            "hashes": {},
            "restarts": 0,
            "started": now,
            "finished": now,
            **parts,
        }

    def write(self, record: dict) -> Path:
        """Put ``record`` on disk; a failure never replaces a result."""
        if record["status"] != "done" and self.done():
            return records.path(self.records, record)
        return records.write(self.records, record)
