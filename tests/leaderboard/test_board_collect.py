"""Reading folders of records: what is left out, which run counts, what is kept between calls."""

import os
import time
from pathlib import Path

import pandas as pd
import pytest

from openmix import records
from openmix.leaderboard import cache, collect, files, load
from openmix.leaderboard.history import NAMES, POINTS, History
from openmix.leaderboard.render import csv


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    return home


@pytest.fixture
def reads(monkeypatch):
    """The paths that are read, in order."""
    found, read = [], records.read
    monkeypatch.setattr(records, "read", lambda path: found.append(path) or read(path))
    return found


def settle(*paths, ago=60):
    for path in paths:
        then = time.time() - ago
        os.utime(path, (then, then))


def write(folder, runs, ago=60):
    paths = [records.write(folder, run) for run in runs]
    settle(*paths, ago=ago)
    return paths


def same(one, other):
    """Equal tables, histories and configs included."""
    objects = ["config", "environment", "overrides"]
    pd.testing.assert_frame_equal(
        one.drop(columns=["history"]), other.drop(columns=["history"]), check_dtype=False
    )
    assert all(one[name].tolist() == other[name].tolist() for name in objects)
    return [list(h) for h in one.history] == [list(h) for h in other.history]


def test_every_file_that_is_no_record_is_named_once(tmp_path, make_run):
    (good,) = write(tmp_path, [make_run("none", 0, 70.0)])
    (tmp_path / "torn.json").write_bytes(good.read_bytes()[:-20])
    (tmp_path / "foreign.json").write_text('{"name": "package"}')
    (tmp_path / "old.json").write_text('{"schema": 0}')
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere.json")
    (tmp_path / ".half.json.12.tmp").write_text("{")
    roots = [str(tmp_path), str(tmp_path), str(good.parent), str(tmp_path / "missing")]
    for _ in range(2):  # the second time from the cache
        frame, problems = collect.collect(roots)
        assert len(frame) == 1
        assert {Path(problem.path).name: problem.reason for problem in problems} == {
            "torn.json": "damaged: not valid JSON",
            "foreign.json": "not an openmix record",
            "old.json": "schema 0 is older than 2; run it again",
            "gone.json": "cannot be read: No such file or directory",
            "missing": "no such folder",
        }
        assert len(problems) == 5


def test_of_two_records_of_one_run_the_done_and_later_one_counts(tmp_path, make_run):
    early = make_run("none", 0, 70.0, finished="2030-01-01T00:00:00Z")
    late = make_run("none", 0, 71.0, finished="2030-01-02T00:00:00Z")
    failed = make_run("none", 0, status="failed", reason="killed", finished="2030-01-03T00:00:00Z")
    for name, run in {"a": early, "b": late, "c": failed}.items():
        write(tmp_path / name, [run])
    for order in ("abc", "cba"):
        frame, problems = collect.collect([str(tmp_path / name) for name in order])
        assert frame["median10.top1"].tolist() == [71.0]
        kept = records.path(tmp_path / "b", late).as_posix()
        assert [problem.reason for problem in problems] == [
            f"same run as {kept}, with other numbers (median10 top1 70, there 71)",
            f"same run as {kept}",
        ]


def test_two_records_of_one_run_on_other_data_are_two_runs(tmp_path, make_run):
    data = {"train": 50000, "val": 0, "test": 10000}
    one = make_run("none", 0, 70.0)
    other = make_run("none", 0, 80.0, data=data | {"checksum": "1"})
    failed = make_run("none", 0, status="failed", reason="killed", data={})
    for name, run in {"a": one, "b": other, "c": failed}.items():
        write(tmp_path / name, [run])
    frame, problems = collect.collect([str(tmp_path / name) for name in "abc"])
    assert sorted(frame["median10.top1"]) == [70.0, 80.0] and len(problems) == 1


def test_the_table_is_that_of_load_fresh_or_kept(tmp_path, runs):
    history = [{"epoch": e, "train_loss": 1 / e, "top1": 50.0 + e, "nll": None} for e in (1, 2)]
    runs = [run | {"history": history} for run in runs]
    write(tmp_path, runs)
    wanted = load.load(runs)
    for _ in range(2):
        frame, problems = collect.collect([str(tmp_path)])
        assert same(frame, wanted) and not problems
        assert csv.long(frame) == csv.long(wanted)


def test_only_what_changed_is_read_again(tmp_path, make_run, reads):
    paths = write(tmp_path, [make_run("none", seed, 70.0 + seed) for seed in range(3)])
    torn = tmp_path / "torn.json"
    torn.write_text("{")
    settle(torn)
    collect.collect([str(tmp_path)])
    assert len(reads) == 4
    reads.clear()
    collect.collect([str(tmp_path)])
    assert reads == []
    write(tmp_path, [make_run("none", 1, 99.0)], ago=30)
    paths[2].unlink()
    frame, problems = collect.collect([str(tmp_path)])
    assert [Path(path).name for path in reads] == [paths[1].name]
    assert frame["median10.top1"].tolist() == [70.0, 99.0] and len(problems) == 1
    torn.unlink()
    assert collect.collect([str(tmp_path)])[1] == []


def test_a_file_that_changed_just_now_is_read_again(tmp_path, make_run, reads):
    write(tmp_path, [make_run("none", 0, 70.0)], ago=0)
    for _ in range(2):
        collect.collect([str(tmp_path)])
    assert len(reads) == 2


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text", "layout"])
def test_a_damaged_cache_is_made_anew(tmp_path, make_run, reads, home, monkeypatch, damage):
    write(tmp_path, [make_run("none", seed, 70.0) for seed in range(2)])
    wanted = collect.collect([str(tmp_path)])[0]
    (kept,) = home.rglob("*.zip")
    content = kept.read_bytes()
    flipped = content.replace(b'"median10.top1":[70.0', b'"median10.top1":[71.0')
    assert flipped != content
    cut = content[: len(content) // 2]
    kept.write_bytes(
        {"cut": cut, "flip": flipped, "empty": b"", "text": b"{}"}.get(damage, content)
    )
    if damage == "layout":
        monkeypatch.setattr(cache, "LAYOUT", "other")
    reads.clear()
    for expected in (2, 0):
        assert same(collect.collect([str(tmp_path)])[0], wanted) and len(reads) == expected
        reads.clear()


def test_a_home_that_cannot_be_written_to_is_no_harm(tmp_path, make_run, monkeypatch):
    write(tmp_path / "records", [make_run("none", 0, 70.0)])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(collect.collect([str(tmp_path / "records")])[0]) == 1


def test_a_cache_belongs_to_its_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = files.kept("records", ".zip", "a")
    assert here != files.kept("records", ".zip", "b") != files.kept("board", ".zip", "b")
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    assert files.kept("records", ".zip", "a") != here


def test_a_history_is_thinned_to_its_evaluated_epochs_and_keeps_the_last():
    entries = [{"epoch": e, "train_loss": 0.5, "lr": 0.1} for e in range(1, 401)]
    for entry in entries[1::2]:
        entry |= {"top1": entry["epoch"] / 4, "nll": None}
    found = list(History.of(entries))
    assert len(found) == 50 <= POINTS and found[-1]["epoch"] == 400
    assert found[-1] == {"epoch": 400, "train_loss": 0.5, "top1": 100.0}
    assert [entry["epoch"] for entry in found] == list(range(8, 401, 8))
    assert len(History.of(entries[::2])) == 50  # nothing evaluated: the loss alone
    assert len(History.of([])) == 0 and History.of([]).values.shape == (0, len(NAMES))
    assert len(History.of([{"epoch": 1, "top1": [3]}, {"top1": 3.0}])) == 0
