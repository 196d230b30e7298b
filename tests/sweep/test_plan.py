"""From a line of words to the runs of a sweep."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from openmix.config import check, compose, expand, lattice, names
from openmix.config.groups import CONFIGS
from openmix.config.lattice import Lattice
from openmix.errors import ConfigError, Unsupported
from openmix.identity import Identity
from openmix.reason import one_line
from openmix.sweep.manifest import Sweep
from openmix.sweep.plan import plan
from openmix.sweep.settings import settings, split

ROOT = Path(__file__).resolve().parents[2]
BACKBONES = "resnet18,resnext50_32x4d,wrn28_8,vit_tiny,swin_tiny,deit_small,resnet50,wrn10_1"
GRIDS = {
    "methods": ["+exp=cifar100", "mixup=glob(*)", f"backbone={BACKBONES}", "optimizer.lr=0.1,0.2"],
    "shared node": ["mixup=mixup,cutmix,fmix", "mixup.alpha=0.2,1,${optimizer.lr}", "epochs=1,2"],
    "overlays": ["+exp=cifar10,tiny_imagenet,imagenet_mixup", "backbone=resnet50,vit_tiny"],
    "switches": ["runner.amp=none,bf16", "runner.ema=null,0.9", "+mixup.alpha=1", "loss=ce,bce"],
}


@pytest.mark.parametrize("grid", GRIDS)
def test_a_point_of_a_lattice_is_what_hydra_composes(grid):
    points = expand(GRIDS[grid])
    found = Lattice(points)
    for point in random.Random(grid).sample(points, min(len(points), 8)):
        assert found.point(point) == compose(point), point


def test_what_lattices_rely_on():
    """No defaults list of the configs chooses by interpolation."""
    for file in CONFIGS.rglob("*.yaml"):
        assert "${" not in str((yaml.safe_load(file.read_text()) or {}).get("defaults"))


def test_hydra_is_asked_once_for_each_value_of_an_axis(monkeypatch):
    asked = []
    monkeypatch.setattr(lattice, "compose", lambda *a: asked.append(a) or compose(*a))
    monkeypatch.setattr(lattice, "FEW", 1000)  # in this process, to count
    words = [
        "mixup=none,mixup,cutmix",
        "backbone=wrn10_1,vit_tiny",
        "epochs=1,2",
        "seed=range(0,9)",
    ]
    manifest, _ = plan(words)
    assert len(asked) == 1 + 2 + 1 + 1
    assert len(manifest["runs"]) == 3 * 2 * 2 * 9 and len(manifest["settings"]) == 3 * 2 * 2


def test_true_and_one_are_not_the_same_value():
    on, one = (Lattice([["+runner.x=true"], ["+runner.x=1"]]).point([w]).config.runner.x
               for w in ("+runner.x=true", "+runner.x=1"))  # fmt: skip
    assert on is True and one == 1 and one is not True


def test_the_runs_are_those_of_the_grid(tmp_path):
    words = ["+exp=digits", "mixup=none,mixup,transmix", "seed=3,5", "mixup.prob=1,0.5"][:3]
    manifest, twice = plan([*words, "loss=ce,bce"])
    sweep = Sweep.create(tmp_path / "a", manifest)
    assert twice == 0 and Sweep.open(tmp_path / "a").manifest["runs"] == manifest["runs"]
    for index, point in enumerate(expand([*words, "loss=ce,bce"])):
        composed = compose(point)
        assert sweep.identity(index) == Identity.of(composed)
        try:
            check(composed)
            assert sweep.unsupported(index) == ""
        except Unsupported as error:
            assert sweep.unsupported(index) == one_line(error)
    assert sweep.index("4") == 4 and sweep.index(str(sweep.identity(4))) == 4


def test_what_follows_the_seed_is_resolved_for_each():
    manifest, _ = plan(["seed=4,7", "protocol=p${seed}", "mixup=none,mixup"])
    shown = [(s["config"]["seed"], s["config"]["protocol"]) for s in manifest["settings"]]
    assert sorted(shown) == [(4, "p4"), (4, "p4"), (7, "p7"), (7, "p7")]
    assert [manifest["settings"][n]["config"]["seed"] for n, *_ in manifest["runs"]] == [4, 4, 7, 7]


def test_the_same_run_twice_is_planned_once():
    manifest, twice = plan(["mixup=mixup,mixup", "mixup.alpha=1,1.0", "seed=0,1"])
    assert len(manifest["runs"]) == 2 and twice == 6
    assert [seed for _, seed, _ in manifest["runs"]] == [0, 1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["seed=0,x"], "seed must be a whole number"),
        (["mixup=none,cutmx"], "unknown mixup 'cutmx'; did you mean 'cutmix'"),
        (["mixup=none,cutmix", "mixup.alpha=1,2"], "unknown key 'mixup.alpha'"),
        (["force=true"], "force=true would begin anew"),
        (["launcher=slurm"], "launcher=slurm is for tools/sweep.py"),
        (["--multirun", "seed=0,1"], "unknown option '--multirun'"),
        (["seed=0,1", "hydra/launcher=submitit_slurm"], "hydra/launcher is not followed.*sweep"),
        (["seed=[]"], r"seed must be a whole number, not \[\]"),
        (["seed={a:1}"], "seed must be a whole number"),
        (["seed=range(3,3)"], r"seed=range\(3,3\) has no value"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(words, told):
    with pytest.raises(ConfigError, match=told):
        plan(words)


def test_a_seed_of_the_environment(monkeypatch):
    monkeypatch.setenv("TASK", "3")
    for words in (["seed='${oc.decode:${oc.env:TASK}}'"], ["seed=7,'${oc.decode:${oc.env:TASK}}'"]):
        manifest, _ = plan([*words, "protocol=p${seed}"])
        number, seed, _ = manifest["runs"][-1]
        assert seed == 3 and manifest["settings"][number]["config"]["protocol"] == "p3"
    with pytest.raises(ConfigError, match='not "3"; use seed='):
        plan(["seed=${oc.env:TASK}"])


AS_SBATCH = {
    "time=60": "60",
    "time=1:30": "1:30",
    "time=10:00:00": "10:00:00",
    "time=2-0": "2-0",
    "time=UNLIMITED": "UNLIMITED",
    "mem=32000": "32000",
    "mem=32G": "32G",
    "account=1234": "1234",
    "partition=gpu,long": "gpu,long",
    "partition='gpu,long'": "gpu,long",
    "gres=gpu:a100:2": "gpu:a100:2",
    "gres=gpu:a100:2,shard:1": "gpu:a100:2,shard:1",
    "gres=null": None,
    "constraint=a&b": "a&b",
    "extra=--exclude=node[1-3],node5": ["--exclude=node[1-3],node5"],
    'extra=["--exclude=node7","--mail-type=FAIL"]': ["--exclude=node7", "--mail-type=FAIL"],
    "setup=module load cuda/12; x=1": "module load cuda/12; x=1",
}


@pytest.mark.parametrize("word", AS_SBATCH)
def test_settings_are_taken_as_sbatch_takes_them(word):
    found = settings(["launcher=slurm", f"launcher.{word}"])
    assert getattr(found, word.partition("=")[0]) == AS_SBATCH[word]


def test_a_time_that_yaml_reads_as_seconds_is_refused(tmp_path, monkeypatch):
    (tmp_path / "launcher").mkdir()
    file = tmp_path / "launcher" / "mine.yaml"
    text = (CONFIGS / "launcher" / "slurm.yaml").read_text()
    monkeypatch.setattr("openmix.sweep.settings.CONFIGS", tmp_path)
    monkeypatch.setattr("openmix.sweep.settings.names", lambda _: ["mine"])
    file.write_text(text.replace('"04:00:00"', "10:00:00"))
    with pytest.raises(ConfigError, match=r"mine\.yaml: time needs quotes"):
        settings(["launcher=mine"])
    file.write_text(text.replace('"04:00:00"', '"10:00:00"'))
    assert settings(["launcher=mine"]).time == "10:00:00"


@pytest.mark.parametrize("name", ["", "../a", "a b", ".hidden", "-n", "a/b", "a\nb", "é"])
def test_what_is_no_name(name):
    with pytest.raises(ConfigError, match="is no name for a sweep"):
        Sweep.at(name)


def test_the_launchers_words_are_kept_apart():
    words = ["+exp=digits", "launcher=slurm", "launcher.time=1-12", "fail_fast=3", "seed=1"]
    ours, runs = split(words)
    assert runs == ["+exp=digits", "seed=1"]
    found = settings(ours)
    assert (found.kind, found.time, found.fail_fast) == ("slurm", "1-12", 3)
    assert settings([]).kind == "local" and names("launcher") == ["local", "slurm"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["launcher=slrm"], "unknown launcher 'slrm'; did you mean 'slurm'"),
        (["launcher.job=2"], "unknown key 'launcher.job'; did you mean 'launcher.jobs'"),
        (["+launcher.job=2"], "unknown key 'launcher.job'; did you mean 'launcher.jobs'"),
        (["launcher.jobs=0"], "launcher.jobs must be >= 1, not 0"),
        (["launcher.kind=x"], "launcher.kind must be one of local, slurm"),
        (["~launcher.kind"], "launcher.kind must be one of local, slurm"),
        (["launcher=slurm", "launcher.mem=1.5"], "launcher.mem must be text, not 1.5; a text is"),
        (["launcher=slurm", "launcher.partition=choice(a,b)"], "asks for several runs"),
        (["launcher=slurm", "launcher.extra=[--x=y]"], """'launcher.extra=["--x=y"]'"""),
        (["launcher=slurm", "launcher.time=soon"], "launcher.time must be a time limit"),
        (["launcher=slurm", "launcher.partition='a b'"], "launcher.partition must be one word"),
        (
            ["launcher=slurm", "launcher.extra=['--x\n#SBATCH']"],
            "launcher.extra.0 must be an option",
        ),
        (["launcher=slurm", "launcher.extra=[x]"], "launcher.extra.0 must be an option of sbatch"),
    ],
)
def test_a_mistake_in_a_launchers_settings_is_told(words, told):
    with pytest.raises(ConfigError) as error:
        settings(words)
    assert told in str(error.value) and "\n" not in str(error.value)


@pytest.mark.slow
def test_2500_runs_are_planned_in_seconds_without_torch(tmp_path):
    code = """if True:
        import os, sys
        from openmix.config import compose
        from openmix.sweep.plan import plan

        def spent():
            return sum(os.times()[:4])

        compose(["+exp=cifar100"])  # what is read once
        before = spent()
        for _ in range(5):
            compose(["+exp=cifar100", "mixup=fmix", "backbone=resnet50"])
        one = (spent() - before) / 5
        before = spent()
        manifest, _ = plan(sys.argv[1:])
        torch = [m for m in sys.modules if m == "torch"]
        print(len(manifest["runs"]), (spent() - before) / one, torch)
    """
    methods = ",".join(names("mixup")[:36])
    words = ["+exp=cifar100", f"mixup={methods}", f"backbone={BACKBONES}", "seed=range(0,9)"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    runs, spent, torch = done.stdout.split()
    assert int(runs) == 36 * 8 * 9 and torch == "[]", done.stderr
    # In units of one call of Hydra, since machines differ: 43 values of the axes take as many, and
    # all that is done for the 288 points without Hydra about as long.
    assert float(spent) < 150
