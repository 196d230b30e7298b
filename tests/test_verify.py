"""A recorded run that is trained again: found, trained by its own code, and judged."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openmix import records
from openmix.errors import ConfigError
from openmix.verify import request, verify
from openmix.verify.checkout import code_of
from openmix.verify.verdict import others_of, parting, surroundings, verdict

ROOT = Path(__file__).resolve().parents[1]
WORDS = ["+exp=digits", "epochs=1", "dataset.train_limit=64", "mixup=cutmix"]


def shipped(mixup="none", seed=0):
    [path] = ROOT.glob(f"results/reference/records/digits_noisy/wrn10_1/{mixup}/*-s{seed}.json")
    return path


def told(value, **fields):
    """A record with one metric, on a history of one epoch."""
    metrics = {"median10": {"top1": value}}
    history = [{"epoch": 1, "train_loss": 2.0, "top1": value}]
    return {
        "selection": "median10",
        "primary": "top1",
        "metrics": metrics,
        "history": history,
        "hashes": {"weights": f"{value}"},
        "environment": {"device": "cpu", "threads": 1},
    } | fields


def test_equal_weights_history_and_metrics_are_identical_bits():
    assert verdict(told(90.0), told(90.0), []).text == "identical bits"
    for other in (told(90.0, hashes={"weights": "x"}), told(90.0, history=[])):
        found = verdict(told(90.0), other, [89.0, 91.0])
        assert found.same and found.text.startswith("within the interval of its cell (top1 90.00")


@pytest.mark.parametrize(
    ("new", "same"), [(91.5, True), (95.1, False), (87.5, True), (84.9, False)]
)
def test_another_value_is_held_against_the_interval_of_a_further_run(new, same):
    # Three seeds of deviation 1: 4.3027 * 1 * sqrt(1 + 1 / 3) = 4.968 around 90.
    found = verdict(told(89.0), told(new), [90.0, 91.0])
    assert found.same == same and "a further run: 85.03 to 94.97 by its 3 seeds" in found.text
    assert same or found.text.startswith(f"differs by {new - 89:+.2f} (top1 {new:.2f}")


def test_a_record_that_is_far_off_does_not_excuse_itself():
    # With 99 in it the cell is so wide that 89.5 lies within; the cell with 89.5 leaves out 99.
    assert not verdict(told(99.0), told(89.5), [90.0, 91.0]).same


def test_a_lone_seed_has_no_interval():
    found = verdict(told(89.0), told(89.1), [])
    assert not found.same and "differs by +0.10" in found.text and "one seed" in found.text


def test_what_parts_and_what_surrounds_is_named():
    now = told(90.0, history=[{"epoch": 1, "train_loss": 2.5, "top1": 90.0}])
    assert parting(told(90.0), now) == "epoch 1: train_loss 2.5, on record 2.0"
    assert parting(told(90.0), told(90.0)) == ""
    other = told(90.0, environment={"device": "gpu", "threads": 1})
    assert surroundings(told(90.0), other) == ["device gpu, on record cpu"]


def test_a_cell_is_all_seeds_of_a_setting_on_the_same_data(tmp_path):
    record = records.read(shipped())
    for seed, top1 in ((0, 80.0), (1, 81.0), (2, 99.0)):
        metrics = {"median10": {"top1": top1}}
        data = record["data"] | ({"checksum": "f" * 64} if seed == 2 else {})
        path = records.write(tmp_path, record | {"seed": seed, "metrics": metrics, "data": data})
    first = records.read(path.with_name(f"{record['key']}-s0.json"))
    assert others_of(path, first) == [81.0]


def test_a_run_is_found_by_path_and_by_the_beginning_of_its_key():
    path = shipped()
    asked = request.parse([path.name[:6], "seed=0", "runner.workers=0"])
    assert asked.path.samefile(path) and asked.overrides == ("runner.workers=0",)
    assert request.parse([str(path)]).record == asked.record


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name one run"),
        (["a", "b"], "name one run"),
        (["0123abcd"], "which seed of 0123abcd"),
        (["0123abcd", "seed=0"], "no record of 0123abcd seed=0"),
        (["gone.json"], "gone.json: cannot be read"),
        ([str(shipped("mixpro"))], "is unsupported"),
        ([str(shipped()), "mixup.alpha=2"], "would make another run"),
    ],
)
def test_what_cannot_be_verified_is_told_in_one_line(words, message):
    with pytest.raises(ConfigError, match=message) as caught:
        request.parse(words)
    assert "\n" not in str(caught.value)


def git(folder, *words):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (None, "the record names no commit"),
        ({"commit": "0" * 40, "dirty": False}, "this checkout lacks its commit 0000000"),
        (
            {"commit": "0" * 40, "dirty": True, "changed": ["openmix/a.py"]},
            "its checkout had uncommitted changes in openmix/a.py",
        ),
    ],
)
def test_where_its_code_is_not_to_be_had_the_reason_is_told(code, why, tmp_path):
    git(tmp_path, "init", "-q")
    with code_of({"code": code}, tmp_path) as (folder, told):
        assert told.startswith(why) and folder == ROOT


@pytest.fixture
def clone(tmp_path):
    """A checkout of its own, with the code that is here as its first commit."""
    folder = tmp_path / "clone"
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("openmix", "configs", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    git(tmp_path, "init", "-q", "clone")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def tool(clone, name, *words):
    return subprocess.Popen(
        [sys.executable, str(clone / "tools" / name), *words],
        cwd=clone.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@pytest.mark.slow
def test_a_run_is_trained_again_by_the_code_of_its_own_commit(clone):
    assert finish(tool(clone, "train.py", *WORDS))[0] == 0
    [path] = clone.parent.glob("results/records/**/*.json")
    before = path.read_bytes()
    source = clone / "openmix/mixups/cutmix.py"
    source.write_text(source.read_text().replace("return ", "return 0 * ", 1))
    git(clone, "commit", "-qam", "other numbers")
    code, out, err = finish(tool(clone, "verify.py", path.name[:12], "seed=0"))
    assert (code, out.splitlines()[-1]) == (0, "identical bits"), out + err
    assert f"code: of its own commit, {git(clone, 'rev-parse', 'HEAD~1')[:7]}" in out
    assert path.read_bytes() == before and git(clone, "worktree", "list").count("\n") == 0
    assert list(clone.parent.glob("runs/verify/*/records/**/*.json"))

    record = records.read(path)
    record["data"]["checksum"] = record["data"]["source"]["checksum"] = "f" * 64
    other = records.write(clone.parent / "other", record)
    code, out, err = finish(tool(clone, "verify.py", str(other)))
    assert code == 1 and out.splitlines()[-1] == "other data: other pixels or labels", out + err


@pytest.mark.slow
def test_a_verification_that_is_told_to_stop_goes_on_where_it_was(clone):
    words = ["+exp=digits", "epochs=60", "dataset.train_limit=64", "runner.eval_every=60"]
    assert finish(tool(clone, "train.py", *words))[0] == 0
    [path] = clone.parent.glob("results/records/**/*.json")
    process = tool(clone, "verify.py", str(path), "runner.checkpoint_seconds=0")
    limit = time.monotonic() + 120
    while not list(clone.parent.glob("runs/verify/**/*.ckpt")) and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    code, out, err = finish(process)
    assert code == 75 and "the same command goes on" in err, out + err
    assert git(clone, "worktree", "list").count("\n") == 0
    code, out, err = finish(tool(clone, "verify.py", str(path)))
    assert (code, out.splitlines()[-1]) == (0, "identical bits"), out + err


def test_words_of_another_run_are_refused_where_only_the_code_here_is_to_be_had(tmp_path):
    record = records.read(shipped()) | {"code": None, "overrides": ["+exp=digits", "epochs=3"]}
    path = records.write(tmp_path, record)
    with pytest.raises(ConfigError, match="make another one"):
        verify([str(path), f"out={tmp_path / 'out'}"])
