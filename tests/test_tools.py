"""Command lines that print and end, and words that no tool takes."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from openmix import flags, home, terminal
from openmix.config import check, compose
from openmix.config.groups import names
from openmix.errors import ConfigError
from openmix.identity import Identity
from openmix.leaderboard.options import parse
from openmix.sweep.manifest import Sweep

ROOT = Path(__file__).resolve().parents[1]


def call(*words, folder, **options):
    command = [sys.executable, str(ROOT / "tools" / words[0]), *words[1:]]
    options = {"cwd": folder, "capture_output": True, "timeout": 120} | options
    return subprocess.run(command, **options)


def main_of(tool):
    spec = importlib.util.spec_from_file_location(tool, ROOT / "tools" / f"{tool}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def answer(monkeypatch, tmp_path, capsys):
    """``answer("train", "--cfg", "job")``: exit code, output and error output, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(terminal, "lenient", lambda stream, errors: stream)

    def ask(tool, *words):
        monkeypatch.setattr(sys, "argv", [f"{tool}.py", *words])
        code = terminal.run(main_of(tool), "about")
        return code, *capsys.readouterr()

    return ask


SHOWN = [
    (["--cfg", "job", "+exp=cifar100_fmix"], "openmix.mixups.fmix.FMix"),
    (["+exp=digits", "--cfg", "job", "seed=7", "-p", "seed"], "7"),
    (["--cfg=job", "--resolve", "paths.runs=there"], "runs: there"),
    (["-sc", "install=bash"], "hydra_bash_completion"),
    (["--version"], "openmix 0."),
]


@pytest.mark.parametrize(("words", "shown"), SHOWN, ids=[" ".join(words) for words, _ in SHOWN])
def test_flags_that_show_something(words, shown, answer, tmp_path):
    code, out, err = answer("train", *words)
    assert (code, err) == (0, "") and shown in out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--help"], f"mixup: {names('mixup')[0]}"),
        (["--hydra-help"], "hydra.cc"),  # these two change how this process logs
        (["--info", "searchpath"], "configs"),
    ],
)
def test_flags_that_help(words, shown, tmp_path):
    done = call("train.py", *words, folder=tmp_path, text=True)
    assert done.returncode == 0 and shown in done.stdout
    assert not list(tmp_path.iterdir())


def test_flags_that_run_something():
    for words in (["--run"], ["-r"], ["-cn", "train"], ["--config-name=train.yaml"], []):
        asked = flags.read([*words, "seed=1", "~x"])
        assert (asked.overrides, asked.multirun) == (["seed=1", "~x"], False)
    asked = flags.read(["seed=1", "--multirun", "epochs=2"])
    assert (asked.overrides, asked.multirun) == (["seed=1", "epochs=2"], True)


REFUSED = [
    ("train", "--config-dir own", "--config-dir is not followed; put yaml files"),
    ("train", "-cd own -m", "--config-dir is not followed"),
    ("train", "--config-path=own", "--config-path is not followed"),
    ("train", "-cn mine", "--config-name is not followed; put it into ", "+exp=NAME"),
    ("train", "--experimental-rerun config.pickle", "is not followed; the command of a run"),
    ("train", "--run --multirun", "--run and --multirun exclude each other"),
    ("train", "-m --cfg job", "--multirun and --cfg exclude each other"),
    ("train", "--cfg", "expected one argument"),
    ("train", "--cfg runs", "invalid choice: 'runs'"),
    ("train", "--cfg job -p nope", "there is no nope in the config"),
    ("train", "--cfg job seed=${nope} --resolve", "refers to something that is not there"),
    ("train", "--cfg job mixup=fmx", "did you mean 'fmix'?"),
    ("train", "--resolve", "go with --cfg job"),
    ("train", "seed=1 --gpu=2", "unknown option '--gpu=2'; settings are written KEY=VALUE"),
    ("train", "hydra.run.dir=there", "hydra.run.dir is not followed; paths.runs=DIR"),
    ("train", "-m ++hydra.sweep.dir=there", "hydra.sweep.dir is not followed; paths.runs=DIR"),
    ("train", "hydra.output_subdir=x", "paths.runs=DIR"),
    ("train", "hydra.job.chdir=true", "a run stays where it was called"),
    ("train", "-m hydra/launcher=submitit_slurm", "hydra/launcher is not followed; ", "sweep.py"),
    ("train", "-m hydra/sweeper=optuna", "hydra/sweeper is not followed", "tools/sweep.py"),
    ("train", "hydra.launcher.n_jobs=2", "tools/sweep.py"),
    ("train", "hydra.searchpath=[own]", "put yaml files of your own into"),
    ("train", "hydra/job_logging=default", "logger="),
    ("train", "~hydra", "hydra is not followed"),
    ("train", "hydra.mode=MULTIRUN", "--multirun"),
    ("train", "-m seed=range(3,0)", "seed=range(3,0) has no value; range(0,3) gives 0, 1 and 2"),
    ("train", "-m mixup=glob(zz*)", "mixup=glob(zz*) fits no option; available: adamixup"),
    ("train", "-m seed=choice()", "cannot read 'seed=choice()': ", "empty choice"),
    ("train", "-m seed=interval(0,1)", "is no list of values"),
    ("train", "-m seed=range(0,9,0)", "seed=range(0,9,0): "),
    ("train", "-m seed=range(0,1000000000)", "a grid of more than 100000 points"),
    ("train", "-m seed=nothing(1)", "cannot read 'seed=nothing(1)': ", "nothing"),
    ("preview", "mixup=glob(zz*)", "mixup=glob(zz*) fits no option"),
    ("preview", "hydra.run.dir=x mixup=fmix", "hydra.run.dir is not followed"),
    ("preview", "--out x", "unknown option '--out'"),
    ("sweep", "plan a seed=range(3,3)", "seed=range(3,3) has no value"),
    ("sweep", "launch a hydra/launcher=x seed=1", "hydra/launcher is not followed"),
    ("sweep", "work a x", "this is for launchers"),
    ("sweep", "run a", "this is for launchers"),
    ("train", "mixup=../mixup/fmix", "give the name of an option, not a path"),
    ("train", "paths.runs=", "a folder is named by nothing at all; write ."),
    ("leaderboard", "out=", "a folder is named by nothing at all"),
    ("sweep", "--config-dir own launch a", "write VERB NAME"),
    ("leaderboard", "--metric=nll", "unknown key '--metric'"),
    ("list", "mixup", "no list of mixup; there are mixups, backbones"),
    ("report", "a b", "name one run"),
]


@pytest.mark.parametrize("case", REFUSED, ids=[" ".join(case[:2]) for case in REFUSED])
def test_what_is_not_followed_is_refused_in_one_line(case, answer, tmp_path):
    tool, words, *fragments = case
    code, out, err = answer(tool, *words.split())
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1, err
    assert all(fragment in err for fragment in fragments), err
    assert not list(tmp_path.iterdir())


PLACES = ("paths.data", "paths.runs", "paths.records", "dataset.source.root")


def test_the_home_folder_is_found_wherever_a_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    words = [f"{key}='~/{key}'" for key in PLACES]
    typed = Identity.of(compose(words))
    for name in ("DATA", "RUNS", "RECORDS", "SWEEPS"):
        monkeypatch.setenv(f"OPENMIX_{name}", f"~/{name}")
    told = Identity.of(compose())
    assert typed.config["paths"]["runs"] == f"{tmp_path}/paths.runs"
    assert typed.config["dataset"]["source"]["root"] == f"{tmp_path}/dataset.source.root"
    assert told.config["paths"] == {n: f"{tmp_path}/{n.upper()}" for n in told.config["paths"]}
    assert told.config["dataset"]["source"]["root"] == f"{tmp_path}/DATA"
    assert Sweep.at("a") == tmp_path / "SWEEPS" / "a"
    options = parse(["records=~/a,b", "out=~/c"])
    assert (options.records, options.out) == (f"{tmp_path}/a,b", f"{tmp_path}/c")
    monkeypatch.delenv("OPENMIX_DATA")
    monkeypatch.delenv("OPENMIX_RUNS")
    assert typed.key == told.key == Identity.of(compose()).key


def test_what_no_shell_has_expanded_is_refused(monkeypatch):
    monkeypatch.setenv("SCRATCH", "/scratch")
    for text in ("~nobody-of-that-name/x", "$SCRATCH/x", "/a/${SCRATCH}/x", "$SCRATHC/x"):
        with pytest.raises(ConfigError, match=r"no home folder|is not expanded"):
            home.folder(text)
    assert [home.folder(text) for text in ("./~x", "a~b", "a$b", "x")] == [
        "./~x",
        "a~b",
        "a$b",
        "x",
    ]
    with pytest.raises(ConfigError, match=r"\$SCRATCH in \$SCRATCH/runs is not expanded"):
        check(compose(["paths.runs=$SCRATCH/runs"]))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_shows_what_it_can(encoding, tmp_path):
    file = tmp_path / "out"
    with file.open("w", encoding=encoding) as stream:
        print("Δ ± café \udce9", file=terminal.lenient(stream, "replace"), flush=True)
    shown = {"ascii": "? ? caf? ?", "latin-1": "? ± café ?", "cp1252": "? ± café ?"}
    assert file.read_text(encoding).strip() == shown.get(encoding, "Δ ± café ?")


def test_output_that_nobody_reads_is_thrown_away():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        said = terminal.lenient(stream, "replace")
        for _ in range(3):
            print("x" * 100_000, file=said, flush=True)
    with terminal.lenient(None, "replace") as nothing:
        print("x", file=nothing, flush=True)
    with open("/dev/full", "w") as full, pytest.raises(OSError, match="No space"):
        print("x", file=terminal.lenient(full, "replace"), flush=True)


def test_a_tool_whose_reader_goes_away_ends_well(tmp_path):
    line = f"{sys.executable} {ROOT}/tools/list.py mixups | true; echo ${{PIPESTATUS[0]}}"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(["bash", "-c", line], capture_output=True, env=environment, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (b"0\n", b"")
    done = call("list.py", "mixups", folder=tmp_path, env=environment)
    assert done.returncode == 0 and done.stdout.isascii() and done.stderr == b""


def test_what_commands_leave_behind_is_ignored_and_what_ships_is_not():
    own = ["runs/a", "sweeps/a", "wandb/a", "data/a"]
    own += [f"results/{name}/a" for name in ("records", "leaderboard", "previews", "reports")]
    shipped = ["results/reference/records/a.json", "results/published/a.csv", "docs/gallery/a.jpg"]
    command = ["git", "check-ignore", "--no-index", *own, *shipped]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 128:
        pytest.skip("not a checkout")
    assert done.stdout.split() == own
