"""Whole runs on real data end where they should."""

import statistics
from pathlib import Path

import pytest

from openmix.config import compose
from openmix.identity import Identity
from openmix.runner.run import run

FOLDERS = ("runs", "records")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def accuracies(tmp_path: Path, *overrides: str) -> list[float]:
    """Test accuracy after the last epoch, for three seeds."""
    once = ["runner.eval_every=100", *(f"paths.{name}={tmp_path / name}" for name in FOLDERS)]
    runs = [Identity.of(compose([*overrides, *once, f"seed={s}"])) for s in range(3)]
    return [run(identity)["metrics"]["last"]["top1"] for identity in runs]


@pytest.mark.slow
def test_clean_digits_are_learnt(tmp_path):
    assert min(accuracies(tmp_path, "+exp=digits")) >= 98


@pytest.mark.slow
def test_cutmix_withstands_label_noise(tmp_path):
    none = accuracies(tmp_path, "+exp=digits_noisy")
    cutmix = accuracies(tmp_path, "+exp=digits_noisy_cutmix")
    assert statistics.mean(cutmix) - statistics.mean(none) > 15


@pytest.mark.slow
@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_fashion_mnist_trains_on_the_real_images(tmp_path):
    folders = [f"paths.{name}={tmp_path / name}" for name in FOLDERS]
    few = ("backbone=wrn10_1", "epochs=3", "dataset.train_limit=6400", "runner.eval_every=3")
    identity = Identity.of(compose(["+exp=fashion_mnist_fmix", *few, *folders]))
    record = run(identity)
    assert (record["data"]["train"], record["data"]["test"]) == (6400, 10_000)
    assert record["cost"]["steps"] == 150
    assert record["metrics"]["last"]["top1"] > 40
    assert record["history"][0]["train_loss"] < 2.3
