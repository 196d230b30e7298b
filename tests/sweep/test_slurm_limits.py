"""What a real SLURM on one machine cannot show: its limits, its refusals, its silence."""

import json
import re
import shlex
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmix.sweep import slurm, verbs
from openmix.sweep.launcher import LaunchError, launches, note
from openmix.sweep.manifest import Sweep
from openmix.sweep.plan import plan
from openmix.sweep.settings import settings
from openmix.sweep.slurm import Limits, SlurmLauncher, divide
from openmix.sweep.status import Status, survey, write

RUNS = 2500


@pytest.fixture(scope="module")
def manifest():
    return plan(["+exp=digits", f"seed=range(0,{RUNS})"])[0]


@pytest.fixture
def big(manifest, tmp_path):
    """A sweep of 2,500 runs whose results would lie in ``tmp_path``."""
    return Sweep.create(tmp_path / "sweeps/a", {**manifest, "cwd": str(tmp_path)})


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """``cluster(sbatch="...")``: commands of SLURM that are a line of shell each."""
    usual = {
        "scontrol": "echo 'MaxArraySize            = 1001'; echo 'MaxJobCount             = 10000'",
        "squeue": "true",
        "sbatch": 'echo "$*" >> said; echo $((100 + $(wc -l < said)))',
        "scancel": 'echo "$*" >> said',
    }

    def make(**commands: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name, line in (usual | commands).items():
            script = folder / name
            script.write_text(f"#!/bin/sh\ncd {tmp_path}\n{line}\n")
            script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return make


def start(sweep: Sweep, *words: str) -> list[str]:
    """Launch all of a sweep's runs."""
    launcher = SlurmLauncher(settings(["launcher=slurm", *words]))
    runs = list(range(len(sweep)))
    account = {"number": 0, "time": 0, "launcher": launcher.settings.model_dump(), "runs": runs}
    note(sweep, account | {"jobs": []})
    return launcher.start(sweep, runs, 0)


def tasks_of(sweep: Sweep) -> list[list[list[int]]]:
    """The tasks of each array, as its job script finds them, and as the account has them."""
    found = []
    for file in sorted((sweep.folder / "launches").glob("*.txt")):
        found.append([[int(run) for run in line.split()] for line in file.open()])
        script = file.with_suffix(".sh").read_text()
        assert f"#SBATCH --array=0-{len(found[-1]) - 1}%256" in script
    [account] = launches(sweep)
    assert [job["tasks"] for job in account["jobs"] if job["tasks"]] == found
    return found


@given(
    st.integers(1, 3000), st.integers(1, 9), st.integers(1, 1500), st.integers(1, 3000),
)  # fmt: skip
def test_every_run_is_in_one_task_whatever_the_limits(count, width, array, jobs):
    arrays = divide(range(count), width, Limits(array, jobs))
    tasks = [task for each in arrays for task in each]
    assert [run for task in tasks for run in task] == list(range(count))
    assert all(1 <= len(each) <= array for each in arrays) and all(tasks)
    assert len(tasks) <= jobs
    # No more runs to a task than the limit on jobs makes necessary.
    needed = -(-count // width)
    assert max(map(len, tasks)) <= width * -(-needed // jobs)


@pytest.mark.parametrize(
    ("submit", "sizes", "largest"),
    [("", [1001, 1001, 498], 1), ("1000", [834], 3), ("2000", [1001, 249], 2)],
)
def test_2500_runs_within_the_limits_of_a_cluster(submit, sizes, largest, big, cluster):
    if submit:
        cluster(sacctmgr=f'echo; echo {submit}; echo 4000; test "$6" = user=$(id -un)')
    else:
        cluster()
    lines = start(big)
    arrays = tasks_of(big)
    assert [len(array) for array in arrays] == sizes
    tasks = [task for array in arrays for task in array]
    assert sorted(run for task in tasks for run in task) == list(range(RUNS))
    assert max(map(len, tasks)) == largest
    assert [line.split()[1] for line in lines] == [f"{101 + i}" + ":" for i in range(len(lines))]
    said = (big.folder.parents[1] / "said").read_text().splitlines()
    assert len(said) == len(sizes) + 1
    ids = ":".join(str(101 + i) for i in range(len(sizes)))
    assert f"--dependency=afterany:{ids}" in said[-1]


def test_jobs_in_the_queue_take_room(big, cluster):
    cluster(sacctmgr="echo 1000", squeue='for i in $(seq 500); do echo "9_$i|RUNNING"; done')
    start(big)
    [tasks] = tasks_of(big)
    assert len(tasks) <= 499 and max(map(len, tasks)) == 6


@pytest.mark.parametrize(
    ("commands", "told"),
    [
        ({"sbatch": "echo 'sbatch: error: invalid partition' >&2; exit 1"}, "invalid partition"),
        ({"sbatch": "echo 'sbatch: error: no such account' >&2; echo Bye! >&2; exit 1"}, "no such"),
        ({"sacctmgr": "echo 1"}, "takes no more jobs of yours now"),
        ({"scontrol": "echo 'MaxArraySize = 0'"}, "takes no more jobs of yours now"),
        ({"scontrol": "echo down >&2; exit 1"}, "scontrol refused: down"),
        ({"squeue": "exec sleep 60"}, "squeue gave no answer in 0.3 s"),
    ],
)
def test_a_refusal_is_told_in_a_line(commands, told, big, cluster, monkeypatch):
    cluster(**commands)
    if "sleep" in str(commands):
        monkeypatch.setattr(slurm, "QUEUE_SECONDS", 0.3)
    with pytest.raises(LaunchError) as error:
        start(big)
    assert told in str(error.value) and str(error.value).endswith("; nothing was submitted")
    assert "\n" not in str(error.value)


ANSWERS = {
    "plain": "echo 11",
    "cluster": "echo '11;west'",
    "greeting before": "printf '%s\n' 'Welcome to cluster 9 (2026)!' '' 11",
    "greeting after": "printf '%s\n' ' 11 ' 'Have 3 nice days'",
    "no option": "echo 'Submitted batch job 11 on cluster west'",
    "warning": "echo 'sbatch: warning: 5 days' >&2; echo 11",
    "bytes": "printf 'Gr\\374\\337 Gott\n11\n'",
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_number_of_a_job_is_found_in_what_a_site_says(answer, big, cluster):
    cluster(
        sbatch=ANSWERS[answer],
        sacctmgr="printf '%s\n' 'Welcome to cluster 9' 4000",
        squeue="printf '%s\n' 'Mind | the gap' '9_1|RUNNING' 'Bye'",
        scontrol="printf '%s\n' 'Welcome = 7 x' 'MaxArraySize = 2501' 'MaxJobCount = (null)'",
    )
    assert slurm.squeue() == {"9_1": "RUNNING"}
    assert slurm.limits(settings(["launcher=slurm"])) == Limits(2501, 4000 - 1 - 1)
    assert start(big)[0].startswith("array 11: 2500 runs in 2500 tasks")


@pytest.mark.parametrize(
    "sbatch",
    ["echo Submitted", "echo 3; echo 4", "echo 11; exit 1", "exec sleep 60", "echo Hi; true"],
)
def test_a_job_that_may_have_been_submitted_is_not_denied(sbatch, big, cluster, monkeypatch):
    cluster(sbatch=sbatch)
    monkeypatch.setattr(slurm.command, "__kwdefaults__", {"seconds": 0.5, "doubt": LaunchError})
    with pytest.raises(LaunchError, match="it may have been submitted, see squeue --name") as error:
        start(big)
    assert "nothing" not in str(error.value) and "\n" not in str(error.value)


def test_a_refusal_half_way_says_what_was_submitted(big, cluster):
    cluster(sbatch="[ -e once ] && { echo 'QOSMaxSubmit' >&2; exit 1; }; touch once; echo '7;x'")
    with pytest.raises(
        LaunchError, match=r"QOSMaxSubmit; submitted before that: 7; .*: scancel 7$"
    ):
        start(big)
    [account] = launches(big)
    assert [(job["id"], len(job["tasks"])) for job in account["jobs"]] == [("7", 1001)]


def test_a_leaderboard_that_is_refused_does_not_undo_the_rest(big, cluster):
    cluster(sbatch='case "$*" in *dependency*) echo no >&2; exit 1;; *) echo 5;; esac')
    assert "no leaderboard at the end: sbatch refused: no" in start(big)[-1]


def test_what_waits_and_what_runs_is_told_by_the_queue(big, cluster):
    queue = "101_0|PENDING 101_7|RUNNING 102_3|COMPLETING 102_4|REQUEUED 77_1|PENDING 101|PENDING"
    cluster()
    start(big)
    cluster(squeue=f"printf '%s\\n' {' '.join(repr(word) for word in queue.split())}")
    held = SlurmLauncher(settings(["launcher=slurm"])).held(big)
    assert {run: tuple(each) for run, each in held.items()} == {
        0: ("101_0", 0, False),
        7: ("101_7", 0, True),
        1004: ("102_3", 0, True),
        1005: ("102_4", 0, False),
    }
    shown = survey(big, held)
    assert [i for i, status in enumerate(shown) if status.state == "submitted"] == [
        0,
        7,
        1004,
        1005,
    ]

    # What a job of an earlier launch left behind says nothing of this one.
    write(big.run(7), Status("failed", "code", launch=-1))
    write(big.run(1004), Status("failed", "code", launch=0))
    shown = survey(big, held)
    assert (shown[7].state, shown[1004].state) == ("submitted", "failed")

    lines = SlurmLauncher(settings(["launcher=slurm"])).stop(big)
    assert lines == ["3 tasks taken back", "2 tasks told to stop"]
    said = (big.folder.parents[1] / "said").read_text()
    assert re.search(r"--batch --signal=USR1 101_7 102_3", said) and "--state=PENDING" in said


def test_a_silent_controller_leaves_the_files(big, cluster, capsys, monkeypatch):
    cluster()
    start(big)
    write(big.run(3), Status("done"))
    big.record(3).parent.mkdir(parents=True)
    big.record(3).write_text("{}")
    write(big.run(4), Status("failed", "oom", "no memory", ["the last line"], launch=0))
    cluster(squeue="exec sleep 60")
    monkeypatch.setattr(slurm, "QUEUE_SECONDS", 0.3)
    monkeypatch.setenv("OPENMIX_SWEEPS", str(big.folder.parent))
    assert verbs.status("a", []) == 1
    shown = capsys.readouterr().out
    assert "slurm does not answer; this is what the files say" in shown
    assert "the last line" in shown
    assert shown.splitlines()[-1] == "a: 2500 runs: 1 done, 1 failed, 2498 submitted (1 oom)"


def test_2500_runs_are_surveyed_in_two_seconds(big):
    for index in range(RUNS):
        record = big.record(index)
        if index % 2:
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text("{}")
        file = big.run(index) / "status.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"state": "done" if index % 2 else "preempted", "attempt": 1}))
    began = time.process_time()
    shown = survey(Sweep.open(big.folder), {})
    assert time.process_time() - began < 2
    assert [status.state for status in shown[:4]] == ["preempted", "done", "preempted", "done"]


def test_a_job_script_keeps_strange_folders_in_quotes(manifest, cluster, tmp_path):
    cluster()
    sweep = Sweep.create(tmp_path / "a 'b' $(c)" / "a", {**manifest, "runs": [[0, 0, []]]})
    chosen = settings(["launcher=slurm", "launcher.setup='module load x\ny'"])
    script = SlurmLauncher(chosen).preview(sweep, [0]).partition("\n\n")[2]
    assert "\nmodule load x\ny\n" in script and "--partition" not in script
    last = shlex.split(script.splitlines()[-1])
    assert last[3:] == ["work", str(sweep.folder), "--launch=0", "$runs"]
    said = subprocess.run(["bash", "-c", script.replace("\nexec ", "\necho ")], text=True,
                          capture_output=True, env={"SLURM_ARRAY_TASK_ID": "0"})  # fmt: skip
    assert f"work {sweep.folder} --launch=0" in said.stdout
