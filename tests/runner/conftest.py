"""Small runs in a folder of their own."""

import pytest

from openmix.config import check, compose
from openmix.identity import Identity

SMALL = ("+exp=digits", "dataset.train_limit=100", "batch_size=20", "epochs=3", "runner.threads=1")


@pytest.fixture
def identity(tmp_path):
    """``identity(*overrides, at="a")``: a checked run of 5 steps x 3 epochs under ``tmp_path/at``."""

    def make(*overrides: str, at: str = "a") -> Identity:
        folders = [f"paths.{name}={tmp_path / at / name}" for name in ("runs", "records")]
        composed = compose([*SMALL, *folders, *overrides])
        check(composed)
        return Identity.of(composed)

    return make
