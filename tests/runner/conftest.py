"""Small runs in a folder of their own, in this process or as the command line starts them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import get_class
from mmengine.hooks import Hook
from omegaconf import OmegaConf
from PIL import Image

from openmix.config import check, compose
from openmix.config.targets import nodes
from openmix.identity import Identity
from openmix.runner import build

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("+exp=digits", "dataset.train_limit=100", "batch_size=20", "epochs=3")
TRANSFORMER = ("backbone=vit_tiny", "backbone.depth=2", "backbone.patch_size=2")


def _folders(folder: Path) -> list[str]:
    return [f"paths.{name}={folder / name}" for name in ("runs", "records")]


@pytest.fixture
def identity(tmp_path):
    """``identity(*overrides, at="a")``: a checked run of 5 steps x 3 epochs in ``tmp_path/at``."""

    def make(*overrides: str, at: str = "a") -> Identity:
        composed = compose([*SMALL, *_folders(tmp_path / at), *overrides])
        check(composed)
        return Identity.of(composed)

    return make


@pytest.fixture(scope="session")
def backbone_for():
    """``backbone_for("transmix")``: overrides for a small network that has what a mixup needs."""

    def overrides(mixup: str) -> tuple[str, ...]:
        node = OmegaConf.to_container(compose([f"mixup={mixup}"]).config.mixup, resolve=True)
        needs = {n for _, sub in nodes(node) for n in get_class(sub["_target_"]).needs}
        return TRANSFORMER if "attention" in needs else ()

    return overrides


@pytest.fixture
def command(tmp_path):
    """``command(*overrides, at="a")``: a started process of ``tools/train.py``, output piped."""
    started = []

    def start(*overrides: str, at: str = "a", launcher: tuple[str, ...] = ()) -> subprocess.Popen:
        script = [str(ROOT / "tools" / "train.py"), *_folders(tmp_path / at), *overrides]
        process = subprocess.Popen(
            [sys.executable, *launcher, *script],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


class _At(Hook):
    """Do something after given passes of a run, each once."""

    priority = "HIGHEST"

    def __init__(self, passes: set[int], act):
        self.passes, self.act = passes, act

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.train_loop.iter in self.passes:
            self.passes.discard(runner.train_loop.iter)
            self.act(runner)


@pytest.fixture
def at_pass(monkeypatch):
    """``at_pass({3, 7}, act)``: runs built from now on call ``act(runner)`` after passes 3, 7."""

    def install(passes: set[int], act=lambda runner: signal.raise_signal(signal.SIGTERM)) -> None:
        hook, original = _At(set(passes), act), build.Runner.register_custom_hooks
        monkeypatch.setattr(
            build.Runner,
            "register_custom_hooks",
            lambda self, hooks: original(self, [hook, *hooks]),
        )

    yield install
    monkeypatch.undo()


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory):
    """Three classes of 8 training and 4 test pictures, 20 px, noise around the class's grey."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for part, count in (("train", 8), ("val", 4)):
        for k in range(3):
            folder = root / part / f"class{k}"
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(60 * k, 60 * k + 60, (20, 20, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return root
