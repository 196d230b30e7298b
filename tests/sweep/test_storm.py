"""The short form of `make storm`."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("storm", Path(__file__).with_name("storm.py"))
storm = importlib.util.module_from_spec(spec)
spec.loader.exec_module(storm)


@pytest.mark.slow
def test_runs_that_are_killed_end_as_if_undisturbed(tmp_path):
    weather = storm.Storm(tmp_path, runs=3, kills=6)
    try:
        weather.rage()
        told = weather.judge()
    finally:
        for verb in ("pool", "work", "run"):
            weather.kill(weather.processes(verb))
    # On a fast machine all may be done before the last kills.
    assert weather.deaths["run"] >= 4 and weather.deaths["launcher"] == 2, told
