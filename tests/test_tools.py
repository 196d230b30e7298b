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


def test_what_commands_leave_behind_is_ignored_and_what_ships_is_not():
    own = ["runs/a", "sweeps/a", "wandb/a", "data/a"]
    own += [f"results/{name}/a" for name in ("records", "leaderboard", "previews", "reports")]
    shipped = ["results/reference/records/a.json", "results/published/a.csv", "docs/gallery/a.jpg"]
    command = ["git", "check-ignore", "--no-index", *own, *shipped]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 128:
        pytest.skip("not a checkout")
    assert done.stdout.split() == own
