"""Records of runs that were never trained, with the config of ones that could be."""

import pytest

from openmix.config import compose
from openmix.data.digest import digest
from openmix.identity import Identity

DIGITS = digest({"_target_": "openmix.data.sources.digits"}).checksum
VALUES = {"top1": 91.5, "top5": 99.0, "nll": 0.31, "ece": 4.2}


@pytest.fixture(scope="session")
def make_record():
    """``make_record("mixup=fmix")``: a done run on digits."""

    def make(*overrides, **fields):
        identity = Identity.of(compose(["+exp=digits", *overrides]))
        history = [{"epoch": e, "train_loss": 2 / e, "lr": 0.1, **VALUES} for e in range(1, 9)]
        facts = {"cuda": None, "cudnn": None, "device": "cpu", "threads": 1}
        done = {
            "metrics": {"last": VALUES, "median10": VALUES, "best": VALUES},
            "history": history,
            "cost": {"train_seconds": 90.0, "images_per_second": 7000.0, "parameters": 77562},
            "data": {"checksum": DIGITS, "train": 1000, "val": 0, "test": 797},
            "hashes": {"weights": "cd" * 32},
            "started": "2030-01-01T00:00:00+00:00",
            "finished": "2030-01-01T00:02:00+00:00",
        }
        return identity.record("done", facts=facts, **done) | fields

    return make
