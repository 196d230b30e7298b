"""Command lines that print and end."""

import subprocess
import sys
from pathlib import Path

import pytest

from openmix.config.groups import names

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["tools/train.py", "--cfg", "job", "+exp=cifar100_fmix"], "openmix.mixups.fmix.FMix"),
        (["tools/train.py", "--help"], f"mixup: {names('mixup')[0]}"),
    ],
    ids=["cfg", "help"],
)
def test_hydras_own_flags_still_work(arguments, shown, tmp_path):
    command = [sys.executable, str(ROOT / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout
    assert not list(tmp_path.iterdir())
