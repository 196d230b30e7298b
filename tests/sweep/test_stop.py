"""When a sweep stops by itself."""

import pytest

from openmix.sweep import launcher, stop
from openmix.sweep.manifest import Sweep
from openmix.sweep.settings import Local
from openmix.sweep.status import Status, write

SETTINGS = Local(kind="local", processes=1, fail_fast=2, jobs=1, threads=1)


@pytest.mark.parametrize(
    ("failures", "stops"),
    [
        ([("nan", "loss became nan at step 3"), ("nan", "weights are no longer finite")], True),
        ([("code", "ValueError: 3 is odd"), ("code", "ValueError: 5 is odd")], True),
        ([("code", "ValueError: 3 is odd"), ("code", "KeyError: 'x'")], False),
        ([("oom", "CUDA error"), ("code", "CUDA error")], False),
        ([("nan", "loss became nan at step 3")], False),
    ],
)
def test_failures_are_alike_when_their_cause_is(tmp_path, failures, stops):
    sweep = Sweep.create(tmp_path, {"runs": [[0, seed, []] for seed in range(3)]})
    tree = SETTINGS.model_dump()
    launcher.note(sweep, {"number": 0, "time": 1.0, "launcher": tree, "runs": [], "jobs": []})
    for index, (reason, message) in enumerate(failures):
        status = Status(state="failed", reason=reason, message=message)
        write(sweep.run(index), status)
    stop.if_alike(sweep, status, SETTINGS)
    assert stop.reason(sweep).startswith("2 runs failed alike") == stops
