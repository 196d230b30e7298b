"""Records on disk: atomic, readable or reported, never outside their root."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmix import records


def make_record(**changes) -> dict:
    record = {
        "schema": 1,
        "status": "done",
        "reason": "",
        "key": "0123456789ab",
        "protocol_key": "ba9876543210",
        "protocol": "cifar100",
        "dataset": "cifar100",
        "backbone": "resnet18",
        "mixup": "fmix",
        "variant": "",
        "seed": 0,
        "epochs": 2,
        "overrides": ["mixup=fmix"],
        "config": {"epochs": 2, "mixup": {"alpha": 1.0}},
        "selection": "median10",
        "metrics": {"last": {"top1": 80.0, "nll": 0.5}},
        "history": [{"epoch": 1, "top1": 70.0}, {"epoch": 2, "top1": 80.0}],
        "cost": {"images_per_second": 1000.0},
        "environment": {"python": "3.11"},
        "code": None,
        "data": {"checksum": "0", "train": 10, "val": 0, "test": 10},
        "hashes": {},
        "restarts": 0,
        "started": "2030-01-01T00:00:00Z",
        "finished": "2030-01-01T01:00:00Z",
    }
    return record | changes


def test_written_records_are_read_back_and_found(tmp_path):
    record = make_record()
    target = records.write(tmp_path, record)
    assert target == tmp_path / "cifar100/resnet18/fmix/0123456789ab-s0.json"
    assert records.read(target) == record
    assert records.find(tmp_path, record) == record
    assert records.find(tmp_path, record | {"seed": 1}) is None
    assert [file.name for file in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("status", ["failed", "unsupported"])
def test_a_run_that_is_not_done_is_not_found(tmp_path, status):
    record = make_record(status=status, reason="loss is not finite")
    records.write(tmp_path, record)
    assert records.find(tmp_path, record) is None


def test_a_damaged_record_has_to_run_again(tmp_path):
    target = records.write(tmp_path, make_record())
    target.write_bytes(target.read_bytes()[:50])
    assert records.find(tmp_path, make_record()) is None


def test_numbers_that_are_not_finite_are_null_and_the_file_is_json(tmp_path):
    nan, inf = float("nan"), float("inf")
    history = [{"epoch": 1, "train_loss": nan, "top1": 1.0}]
    record = make_record(status="failed", reason="nan", history=history, cost={"a": [inf, -inf, 2]})
    text = records.write(tmp_path, record).read_text()
    strict = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert strict["history"] == [{"epoch": 1, "train_loss": None, "top1": 1.0}]
    assert strict["cost"] == {"a": [None, None, 2]}


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_a_failing_disk_leaves_the_old_record_whole(tmp_path, monkeypatch, broken):
    target = records.write(tmp_path, make_record())
    before = target.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="No space left"):
        records.write(tmp_path, make_record(restarts=1))
    assert target.read_bytes() == before
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "schema 2 is newer than 1"),
        ({"status": "skipped"}, "status 'skipped' is none of"),
        ({"reason": "x"}, "'reason' must be given exactly when"),
        ({"status": "failed"}, "'reason' must be given exactly when"),
        ({"key": "../../../etc"}, "'key' is not 12 hex digits"),
        ({"seed": "0"}, "'seed' is a str"),
        ({"seed": True}, "'seed' is a bool"),
        ({"metrics": {}}, "'metrics' is empty"),
        ({"metrics": {"top1": 80.0}}, "'metrics' holds 'top1'"),
        ({"metrics": {"last": {"top1": "80"}}}, "metric 'last.top1' is a str"),
        ({"history": [1]}, "one object an epoch"),
        ({"extra": 1}, "unknown field 'extra'"),
        ({"cost": {"a": {1, 2}}}, "'cost.a' holds a set"),
    ],
)
def test_an_invalid_record_is_not_written(tmp_path, changes, message):
    with pytest.raises(records.RecordError, match=message):
        records.write(tmp_path, make_record(**changes))
    assert list(tmp_path.rglob("*")) == []


def test_a_missing_field_is_named():
    record = make_record()
    del record["hashes"]
    with pytest.raises(records.RecordError, match="field 'hashes' is missing"):
        records.validate(record)


names = st.sampled_from(
    ["..", "../..", "/etc/passwd", "a/../../b", "", ".", "~", "x\0y", "\\", "é"]
)


@given(names | st.text(max_size=300), names | st.text(max_size=300), names | st.text(max_size=300))
def test_no_name_leaves_the_root(dataset, backbone, mixup):
    run = make_record(dataset=dataset, backbone=backbone, mixup=mixup)
    relative = records.path("/root", run).relative_to("/root")
    assert len(relative.parts) == 4
    assert all(part not in ("", ".", "..") and len(part) < 256 for part in relative.parts)
    assert os.path.normpath(records.path("/root", run)) == str(records.path("/root", run))


def test_scan_reports_every_file_it_cannot_use_once(tmp_path):
    good = records.write(tmp_path, make_record())
    torn = records.write(tmp_path, make_record(seed=1))
    torn.write_bytes(torn.read_bytes()[:-20])
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "foreign.json").write_text('{"name": "package"}')
    (tmp_path / "newer.json").write_text('{"schema": 99}')
    (tmp_path / "nan.json").write_text('{"schema": NaN}')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / ".half.json.12.tmp").write_text("{")
    found, problems = records.scan([tmp_path, tmp_path, tmp_path / "cifar100", tmp_path / "gone"])
    assert found == [records.read(good)]
    assert "history" not in records.scan([tmp_path], drop=["history"])[0][0]
    reasons = {Path(problem.path).name: problem.reason for problem in problems}
    assert len(reasons) == len(problems)
    assert reasons == {
        torn.name: "damaged: not valid JSON",
        "list.json": "not an openmix record",
        "foreign.json": "not an openmix record",
        "newer.json": "schema 99 is newer than 1, which this openmix reads; update openmix",
        "nan.json": "damaged: not valid JSON",
        "deep.json": "damaged: not valid JSON",
        "binary.json": "damaged: not valid JSON",
        "folder.json": "cannot be read: Is a directory",
        "gone": "no such folder",
    }


def test_of_two_records_of_one_run_the_done_and_later_one_stays(tmp_path):
    early = make_record(finished="2030-01-01T00:00:00Z")
    late = make_record(finished="2030-01-02T00:00:00Z")
    failed = make_record(status="failed", reason="killed", finished="2030-01-03T00:00:00Z")
    for name, record in {"a": early, "b": late, "c": failed}.items():
        records.write(tmp_path / name, record)
    for order in ("abc", "cba"):
        found, problems = records.scan(tmp_path / name for name in order)
        assert found == [late]
        kept = records.path(tmp_path / "b", late).as_posix()
        assert [problem.reason for problem in problems] == [f"same run as {kept}"] * 2
