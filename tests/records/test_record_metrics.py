"""Selection rules over a history, and where a result comes from."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmix import records


def epochs(*top1, **more):
    series = {"top1": top1, **more}
    return [
        {"epoch": i + 1, "train_loss": 1.0, "lr": 0.1} | {name: s[i] for name, s in series.items()}
        for i in range(len(top1))
    ]


def test_every_rule_on_a_history_worked_out_by_hand():
    history = epochs(50, 90, 60, 80, nll=(1, 2, 3, 4), val_top1=(10, 20, 40, 30))
    assert records.select(history, val=True) == {
        "last": {"top1": 80, "nll": 4},
        "median10": {"top1": 70, "nll": 2.5},
        "best": {"top1": 90, "nll": 2},
        "val": {"top1": 60, "nll": 3},
    }
    assert "val" not in records.select(history)
    assert "val" not in records.select(epochs(50, 60), val=True)


def test_epochs_without_evaluation_do_not_count():
    history = [{"epoch": 1, "train_loss": 2.0}, *epochs(50), {"epoch": 3, "train_loss": 1.0}]
    assert records.select(history)["last"] == {"top1": 50}
    assert records.select([{"epoch": 1, "train_loss": 2.0}]) == {}


def test_the_first_of_equally_good_epochs_is_best():
    assert records.select(epochs(70, 70, nll=(1, 2)))["best"]["nll"] == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_a_value_that_is_not_finite_is_never_selected_as_a_number(bad):
    chosen = records.select(epochs(70, 80, bad))
    assert chosen == {"last": {"top1": None}, "median10": {"top1": None}, "best": {"top1": 80}}
    assert "best" not in records.select(epochs(bad))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_median_and_best_agree_with_numpy(top1):
    chosen = records.select(epochs(*top1))
    assert chosen["median10"]["top1"] == pytest.approx(np.median(top1[-10:]))
    assert chosen["best"]["top1"] == max(top1)
    assert chosen["last"]["top1"] == top1[-1]


def test_the_best_epoch_is_the_lowest_where_lower_is_better():
    history = epochs(50, 90, 60, nll=(2, 3, 1), val_nll=(1, 3, 2))
    chosen = records.select(history, "nll", val=True)
    assert chosen["best"] == {"top1": 60, "nll": 1} and chosen["val"] == {"top1": 50, "nll": 2}


def test_every_rule_is_explained():
    assert set(records.select(epochs(1, val_top1=(1,)), val=True)) == set(records.RULES)


def git(folder, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_code_tells_commit_and_dirty_of_its_own_checkout_only(tmp_path):
    assert records.code(tmp_path) is None
    (tmp_path / "openmix").mkdir()
    (tmp_path / "openmix/a.py").write_text("a = 1")
    git(tmp_path, "init", "-q")
    assert records.code(tmp_path) is None
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    assert records.code(tmp_path / "openmix") is None
    (tmp_path / "results.json").write_text("{}")
    clean = records.code(tmp_path)
    assert len(clean["commit"]) == 40 and clean["dirty"] is False
    (tmp_path / "openmix/b.py").write_text("new = 1")
    assert records.code(tmp_path) == clean | {"dirty": True, "changed": ["openmix/b.py"]}


def test_code_never_raises(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    assert records.code(tmp_path) is None
    assert records.code(tmp_path / "gone") is None


def test_environment_holds_versions_and_what_torch_knows():
    facts = {"cuda": "12.8", "cudnn": 90100, "device": "cpu", "threads": 2}
    found = records.environment(facts)
    expected = ["python", "torch", "torchvision", "timm", "mmengine", "platform", *facts]
    assert set(found) == set(expected)
    assert found["python"].startswith(f"{sys.version_info.major}.") and found["cuda"] == "12.8"


@pytest.mark.parametrize("package", ["openmix.records", "openmix.leaderboard"])
def test_importing_is_light(package):
    heavy = "{'torch', 'timm', 'torchvision', 'mmengine', 'wandb'}"
    program = f"import sys, {package}; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
