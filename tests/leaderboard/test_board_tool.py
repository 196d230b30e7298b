"""The command: what it writes, and one line with a remedy for what it cannot do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openmix import records
from openmix.errors import ConfigError
from openmix.leaderboard.options import Options, parse

ROOT = Path(__file__).resolve().parents[2]


def call(folder, *words):
    return subprocess.run(
        [sys.executable, ROOT / "tools/leaderboard.py", *words],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "OPENMIX_RECORDS"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, runs):
    folder = tmp_path_factory.mktemp("board")
    for run in runs:
        records.write(folder / "results/records", run)
    folder.joinpath("results/records/torn.json").write_text('{"schema": 1')
    return folder


def test_it_prints_the_board_and_writes_four_files(folder):
    done = call(folder, "protocol=quickstart", "out=boards")
    assert (done.returncode, done.stderr) == (0, "")
    names = ["leaderboard.csv", "runs.csv", "leaderboard.md", "leaderboard.html"]
    assert done.stdout.splitlines()[-4:] == [f"boards/{name}" for name in names]
    assert "82.90" in done.stdout and "results/records/torn.json: damaged" in done.stdout
    assert all(folder.joinpath("boards", name).stat().st_size > 500 for name in names)
    assert "cifar100" not in folder.joinpath("boards/runs.csv").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["metrc=top1"], "unknown key 'metrc'; did you mean 'metric'?"),
        (["select=median"], "unknown select=median; did you mean 'median10'?"),
        (["metric=acc"], "unknown metric=acc; known: top1, top5, nll, ece"),
        (["--out", "x"], "'--out' is not key=value; keys: records, out"),
        (["dataset=cifar10"], "no records of dataset=cifar10; did you mean 'cifar100'?"),
        (["records=gone"], "no records in gone (gone: no such folder); train first"),
        (["out=results/records/torn.json"], "torn.json"),
    ],
)
def test_a_mistake_ends_in_one_line_and_exit_code_2(folder, words, message):
    done = call(folder, *words)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith("error: ") and message in done.stderr


def test_help_names_every_key(folder):
    done = call(folder, "--help")
    assert done.returncode == 0
    assert all(f"{name}=" in done.stdout for name in Options.__dataclass_fields__)


def test_options_are_read_before_anything_heavy_is_imported():
    program = "import sys; from openmix.leaderboard.options import parse; parse(['metric=nll']); "
    program += "sys.exit(bool({'pandas', 'scipy', 'numpy', 'jinja2'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_options_have_defaults_and_values_may_hold_equals_signs():
    assert parse(["baseline=cutmix alpha=0.2"]) == Options(baseline="cutmix alpha=0.2")
    with pytest.raises(ConfigError, match="unknown key ''"):
        parse(["=1"])
