"""Records on disk: atomic, readable or reported, never outside their root."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmix import records


def make_record(**changes) -> dict:
    record = {
        "schema": 2,
        "task": "classification",
        "method": "supervised",
        "primary": "top1",
        "measures": {name: metric.measure() for name, metric in records.METRICS.items()},
        "sources": {},
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
    record = make_record(
        status="failed", reason="nan", history=history, cost={"a": inf, "b": -inf, "c": 2}
    )
    text = records.write(tmp_path, record).read_text()
    strict = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert strict["history"] == [{"epoch": 1, "train_loss": None, "top1": 1.0}]
    assert strict["cost"] == {"a": None, "b": None, "c": 2}


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
        ({"schema": 3}, "schema 3 is newer than 2"),
        ({"schema": 1}, "schema 1 is older than 2"),
        ({"status": "skipped"}, "field 'status' is 'skipped'"),
        ({"reason": "x"}, "'reason' must be given exactly when"),
        ({"status": "failed"}, "'reason' must be given exactly when"),
        ({"key": "../../../etc"}, "field 'key' is '../../../etc'"),
        ({"seed": "0"}, "field 'seed' is '0'"),
        ({"seed": True}, "field 'seed' is a bool"),
        ({"seed": -1}, "field 'seed' is -1, out of range"),
        ({"overrides": [1]}, "field 'overrides.0' is a int"),
        ({"started": "yesterday"}, "field 'started' is 'yesterday'"),
        ({"data": {"checksum": 5}}, "field 'data.checksum' is a int"),
        ({"environment": {"device": []}}, "field 'environment.device' is a list"),
        ({"code": {"commit": 3}}, "field 'code.commit' is a int"),
        ({"metrics": {}}, "'metrics' is empty"),
        ({"metrics": {"top1": 80.0}}, "field 'metrics.top1' is a float"),
        ({"metrics": {"first": {"top1": 80.0}}}, "field 'metrics' holds 'first'"),
        ({"metrics": {"last": {"top1": "80"}}}, "field 'metrics.last.top1' is '80'"),
        ({"metrics": {"last": {"top1": 1e308}}}, r"field 'metrics.last.top1' is 1e\+308, out of"),
        ({"metrics": {"last": {"top1": 100.5}}}, "'last.top1' is 100.5, not 0 to 100 percent"),
        ({"metrics": {"last": {"top1": -1}}}, "'last.top1' is -1, not 0 to 100 percent"),
        ({"metrics": {"last": {"mood": 3}}}, "'last.mood' is not described in 'measures'"),
        ({"history": [1]}, "field 'history.0' is a int"),
        ({"history": [{"epoch": 1, "top1": "9"}]}, "field 'history.0.top1' is '9'"),
        ({"extra": 1}, "unknown field 'extra'"),
        ({"cost": {"a": {1, 2}}}, "'cost.a' holds a set"),
    ],
)
def test_an_invalid_record_is_not_written(tmp_path, changes, message):
    with pytest.raises(records.RecordError, match=message):
        records.write(tmp_path, make_record(**changes))
    assert list(tmp_path.rglob("*")) == []


def test_what_was_changed_after_it_was_written_is_no_record(tmp_path):
    target = records.write(tmp_path, make_record())
    text = target.read_text()
    target.write_text(json.dumps(json.loads(text), indent=4))  # laid out otherwise, says the same
    assert records.read(target) == make_record()
    for edited in (text.replace("80.0", "81.0"), text.replace('"seed": 0', '"seed": 1')):
        target.write_text(edited)
        with pytest.raises(records.RecordError, match="its checksum differs"):
            records.read(target)
        assert records.find(tmp_path, make_record()) is None


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


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"schema": 1', "damaged: not valid JSON"),
        (b"[1, 2]", "not an openmix record"),
        (b'{"name": "package"}', "not an openmix record"),
        (b'{"schema": 99}', "schema 99 is newer than 2, which this openmix reads; update openmix"),
        (b'{"schema": 0}', "schema 0 is older than 2; run it again"),
        (b'{"schema": NaN}', "damaged: not valid JSON"),
        (b"[" * 100_000, "damaged: not valid JSON"),
        (b"\xff\xfe\x00", "damaged: not valid JSON"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_record_is_refused_in_one_line(tmp_path, content, reason):
    path = tmp_path / "record.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(records.RecordError) as error:
        records.read(path)
    assert str(error.value) == reason


@given(st.floats(-1e15, 1e15), st.text(max_size=20))
def test_what_is_read_is_what_json_says(tmp_path_factory, number, text):
    path = tmp_path_factory.mktemp("read") / "record.json"
    record = make_record(cost={"value": number}, overrides=[text])
    path.write_text(json.dumps(record))
    assert records.read(path) == json.loads(path.read_bytes())
